// Lays the evidence under the trace that Plotly has drawn, beside its own colour scale, switch and opacity. The trace is
// drawn once for each case; class, quantity, opacity and switch change pictures only. Evidence is laid under a chart of
// the same recording on the same paper and under no other: both carry the token `paper`.
const XLINK = "http://www.w3.org/1999/xlink"
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
const CHART = ".st-key-ecg .js-plotly-plot"
const WAIT_MS = 400 // after the last change, before the server is told

let chosen = null // what the reader set here; the server follows
let data = null
let stop = null // of the last call: Streamlit calls again for new data without an end to the call before

function escaped(text) {
  return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign])
}

function values(packed) {
  const bytes = Uint8Array.from(atob(packed.values), (sign) => sign.charCodeAt(0))
  return Float32Array.from(new Int16Array(bytes.buffer), (value) => value * packed.step)
}

// The first number of each point: Plotly's own copy of the figure keeps arrays as the base64 they came in.
function unpacked(customdata) {
  if (!customdata.bdata) return Array.from(customdata, (item) => item[0])
  return new Float32Array(Uint8Array.from(atob(customdata.bdata), (sign) => sign.charCodeAt(0)).buffer)
}

function layPictures(chart, fits) {
  const images = chart.layout.images ?? []
  const on = fits && chosen.on
  for (const node of chart.querySelectorAll(".imagelayer image")) {
    const image = images[node.__data__?._index]
    if (!image) continue
    let source = image.source
    if (image.name !== "paper" && source !== NOTHING) continue // a figure that brought its own evidence
    if (image.name === "evidence") source = on ? data.picture : NOTHING
    else if (image.name === "strips") source = (on && data.strips) || NOTHING
    else if (fits && !chosen.on)
      for (const [grey, red] of data.grid) source = source.replaceAll(encodeURIComponent(grey), encodeURIComponent(red))
    if (node.getAttributeNS(XLINK, "href") !== source) node.setAttributeNS(XLINK, "href", source)
    node.style.opacity = image.name === "paper" ? 1 : chosen.opacity
  }
}

// The pointer is answered from Plotly's own copy of the traces, which every redraw makes anew.
function answerPointer(chart, fits) {
  const lines = (chart._fullData ?? []).filter((line) => line.name?.startsWith("hover "))
  const on = fits && chosen.on
  const map = on ? values(data.hover) : null
  const words = on
    ? `<br>${escaped(data.quantity)} · ${escaped(data.name)}<br>%{customdata[1]:+.4f} ${escaped(data.unit)}<extra>`
    : "<extra>"
  let at = 0
  for (const line of lines) {
    const own = chart.data[line.index]
    line.hovertemplate = own.hovertemplate.replace("<extra>", words)
    if (!on) continue
    const millivolts = unpacked(own.customdata)
    line.customdata = Array.from(millivolts, (value, place) => [value, map[at + place]])
    at += millivolts.length
  }
}

function lay() {
  const chart = document.querySelector(CHART)
  if (!chart?._fullLayout || !data) return
  const fits = chart.layout.meta?.paper === data.paper
  layPictures(chart, fits)
  answerPointer(chart, fits)
  chart.dataset.evidence = fits && chosen.on ? data.name : ""
  if (!chart.followed) {
    chart.followed = true
    chart.on("plotly_afterplot", lay)
  }
}

function write(room) {
  const find = (name) => room.querySelector(`.${name}`)
  const end = data.limit.toString()
  find("name").textContent = data.name
  find("quantity").textContent = data.quantity
  find("low").textContent = `−${end} lowers`
  find("high").textContent = `raises +${end}`
  find("unit").textContent = data.unit
  find("bar").style.background = `linear-gradient(to right, ${data.stops.join(", ")})`
  find("bar").style.opacity = chosen.opacity
  find("scale").textContent =
    `Scale: ${data.limit_source} · shown: ${Math.round(100 * data.shown)} % of total |evidence|`
  find("switch").textContent = chosen.on ? "Hide" : "Show"
  find("switch").setAttribute("aria-pressed", String(chosen.on))
  find("opacity").value = chosen.opacity
  find("evidence").classList.toggle("off", !chosen.on)
}

export default function ({ data: sent, parentElement: room, setStateValue }) {
  stop?.()
  data = sent
  chosen ??= { on: sent.on, opacity: sent.opacity }
  let timer = null
  const change = (part) => {
    chosen = { ...chosen, ...part }
    write(room)
    lay()
    clearTimeout(timer)
    timer = setTimeout(() => setStateValue("seen", chosen), WAIT_MS)
  }
  room.querySelector(".switch").onclick = () => change({ on: !chosen.on })
  room.querySelector(".opacity").oninput = (event) => change({ opacity: Number(event.target.value) })
  const onKey = (event) => {
    const writing = event.composedPath().some((node) => /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName ?? ""))
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey
    if (plain && !writing && event.key.toLowerCase() === "o") change({ on: !chosen.on })
  }
  document.addEventListener("keydown", onKey)
  // A chart that is drawn anew, whoever asked for it, gets its evidence again.
  const observer = new MutationObserver(() => {
    const chart = document.querySelector(CHART)
    if (chart && !chart.followed) lay()
  })
  observer.observe(document.body, { childList: true, subtree: true })
  write(room)
  lay()
  stop = () => {
    observer.disconnect()
    document.removeEventListener("keydown", onKey)
  }
  return stop
}
