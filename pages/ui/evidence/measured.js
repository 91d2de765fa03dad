// Keeps what the network said without each cell of the class shown, for `evidence.js`. What is sent begins with the token of
// the view that it belongs to.
const TOKEN_BYTES = 16
let latest = 0

async function keepMeasured(view, packed, number) {
  const content = await unpack(packed)
  if (number !== latest) return
  globalThis.ecgImnMeasured = { view, ...content }
  document.dispatchEvent(new Event("ecgimn-measured"))
}

export default function ({ data }) {
  latest += 1
  const view = new TextDecoder().decode(data.subarray(0, TOKEN_BYTES))
  void keepMeasured(view, data.subarray(TOKEN_BYTES), latest)
}
