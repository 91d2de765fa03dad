// Draws a bank card (ISO/IEC 7810 ID-1) and keeps the width at which a real one fits it, in this browser.
const KEPT = "ecg-imn.device-px-per-mm"
const CARD_MM = [85.6, 53.98]

export default function ({ data, parentElement: room, setTriggerValue }) {
  const slider = room.querySelector("input")
  const draw = () => {
    const [width, height] = CARD_MM.map((mm) => mm * Number(slider.value))
    const card = room.querySelector(".card")
    card.style.width = `${width}px`
    card.style.height = `${height}px`
    room.querySelector("output").textContent = `${Number(slider.value).toFixed(2)} pixels per mm`
  }
  if (!room.begun) slider.value = data.scale
  room.begun = true
  draw()
  slider.oninput = draw
  room.querySelector("button").onclick = () => {
    const scale = Number(slider.value)
    localStorage.setItem(KEPT, String(scale * window.devicePixelRatio))
    setTriggerValue("fits", scale)
  }
}
