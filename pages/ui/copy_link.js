// Copies the page's address, which names case, class and view. A page that is not served over https or from this machine
// has no clipboard; there the address is selected and copied the old way.
const SAID_MS = 2000

async function copied(address) {
  if (navigator.clipboard) return navigator.clipboard.writeText(address).then(() => true)
  const field = document.createElement("textarea")
  field.value = address
  document.body.append(field)
  field.select()
  const done = document.execCommand("copy")
  field.remove()
  return done
}

export default function ({ parentElement: room }) {
  const say = (words) => (room.querySelector("[role=status]").textContent = words)
  room.querySelector("button").onclick = async () => {
    const done = await copied(window.location.href).catch(() => false)
    say(done ? "Copied" : "Copy it from the address line")
    if (done) setTimeout(() => say(""), SAID_MS)
  }
}
