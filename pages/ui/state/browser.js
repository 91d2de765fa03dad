// Says how large the browser's window is and how many of its pixels make a millimetre, at first and when that changes.
// The calibration is kept in this browser in device pixels, so that it survives a change of the page's zoom.
const KEPT = "ecg-imn.device-px-per-mm"

let stop = null // of the last call: Streamlit calls again for new data without an end to the call before

export default function ({ data, setStateValue }) {
  stop?.()
  let timer = null
  const report = () => {
    const size = [Math.round(window.innerWidth), Math.round(window.innerHeight)]
    if (size.some((part, i) => Math.abs(part - data.size[i]) > 16)) setStateValue("size", size)
    const kept = Number(localStorage.getItem(KEPT))
    const scale = kept > 0 ? Math.round((1000 * kept) / window.devicePixelRatio) / 1000 : null
    if (scale !== null && scale !== data.scale) setStateValue("scale", scale)
  }
  const later = () => {
    clearTimeout(timer)
    timer = setTimeout(report, 400)
  }
  report()
  window.addEventListener("resize", later)
  stop = () => {
    clearTimeout(timer)
    window.removeEventListener("resize", later)
  }
  return stop
}
