// Returns what `pages/_evidence.py` packed: JSON, deflated.
async function unpack(bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json()
}
