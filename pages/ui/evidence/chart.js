// Lays evidence under the trace that Plotly has drawn. The trace is drawn once for each case; class, quantity, opacity and
// switch change pictures only. Evidence is laid under a chart of the same recording on the same paper and under no other:
// both carry the token `paper`.
const XLINK = "http://www.w3.org/1999/xlink"
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
const SCALE = /drawn at \d+ %: effective [\d.]+ mm\/s, [\d.]+ mm\/mV/
const CHART = ".st-key-ecg .js-plotly-plot"

function escaped(text) {
  return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign])
}

// Plotly's own copy of the figure keeps arrays as the base64 they came in.
const KINDS = { u1: Uint8Array, u2: Uint16Array, i2: Int16Array, f4: Float32Array, f8: Float64Array }
function unpacked(array) {
  if (!array.bdata) return array
  return new KINDS[array.dtype.replace(/^[<|]/, "")](Uint8Array.from(atob(array.bdata), (sign) => sign.charCodeAt(0)).buffer)
}

function layPictures(chart, data, chosen, fits) {
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

// The pointer is answered from Plotly's own copy of the traces, which every redraw makes again: time, the voltage of the
// line drawn there, and what lies under it. The chart itself brings none of that, since the line holds it already.
function answerPointer(chart, data, on) {
  const map = on && data.hover ? data.hover.values.map((value) => value * data.hover.step) : null
  const words = map
    ? `<br>${escaped(data.quantity)} · ${escaped(data.name)}<br>%{customdata[2]:+.4f} ${escaped(data.unit)}<extra>`
    : "<extra>"
  let at = 0
  for (const line of chart._fullData ?? []) {
    const own = chart.data[line.index]
    if (!line.name?.startsWith("hover ") || !own.meta) continue
    const { lead, first_ms, step_ms, step, baseline_mm, mm_per_mv } = own.meta
    const drawn = unpacked(chart.data[lead].y)
    line.hovertemplate = own.hovertemplate.replace("<extra>", words)
    line.customdata = Array.from(unpacked(own.y), (_, place) => [
      first_ms + place * step_ms,
      (drawn[Math.min(Math.round(place * step), drawn.length - 1)] - baseline_mm) / mm_per_mv,
      map?.[at + place],
    ])
    at += line.customdata.length
  }
}

// The scale printed under the trace is that of its size on the screen, also where the page had to squeeze the chart.
function scaleWords(meta, pxPerMm) {
  const scale = pxPerMm / meta.true_px_per_mm
  const [speed, gain] = [meta.speed_mm_per_s, meta.gain_mm_per_mv].map((size) => (size * scale).toFixed(1))
  return `drawn at ${Math.round(100 * scale)} %: effective ${speed} mm/s, ${gain} mm/mV`
}

function tellScale(chart) {
  const [{ xaxis }, words] = [chart._fullLayout, chart.querySelector(".infolayer")]
  if (!words || !chart.layout.meta?.true_px_per_mm) return
  const pxPerMm = xaxis._length / (xaxis.range[1] - xaxis.range[0])
  const walker = document.createTreeWalker(words, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const node = walker.currentNode
    const said = node.data.replace(SCALE, scaleWords(chart.layout.meta, pxPerMm))
    if (said !== node.data) node.data = said
  }
}
