// Returns what `pages/ui/evidence/__init__.py` packed: JSON, deflated.
async function unpack(bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json()
}
