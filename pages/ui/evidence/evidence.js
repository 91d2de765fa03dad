// The evidence of the class shown: laid under the trace, with its colour scale, switch, opacity, sum and ledger. A press of
// a chip or of the key K shows another class at once from what `ahead.js` keeps; the server, which hears the same press,
// answers later and has the last word. A cell of the ledger, a bar of a territory, a stretch of the mean beat and one of the
// trace mark each other. What `measured.js` keeps of the same view and class takes the place of the plain ledger and beat.
const WAIT_MS = 400 // after the last change of switch or opacity, before the server is told
const PATIENCE_MS = 5000 // with a server that has not confirmed a class yet

let chosen = null // what the reader set here; the server follows
let data = null // what is shown
let served = null // what the server said last
let awaited = null // the class that the server has still to confirm
let cell = null // of the ledger, marked on the trace: leads and wave, each null for all of them
let tab = "beats"
let room = null
let stop = null // of the last call: Streamlit calls again for new data without an end to the call before

const find = (name) => room.querySelector(`.${name}`)
const measured = () => {
  const kept = globalThis.ecgImnMeasured
  return data && kept?.view === data.view && kept.class === data.class ? kept : null
}
const ahead = () => (globalThis.ecgImnAhead?.view === data?.view ? globalThis.ecgImnAhead : null)

function lay() {
  const chart = document.querySelector(CHART)
  if (!chart?._fullLayout || !data) return
  const fits = chart.layout.meta?.paper === data.paper
  layPictures(chart, data, chosen, fits)
  answerPointer(chart, data, fits && chosen.on)
  drawMarks(chart, "ledger-marks", fits && cell && ahead() ? stretches(ahead().regions, cell.leads, cell.wave) : [])
  const criterion = (fits && ahead() && served?.criterion) || []
  const places = criterion.flatMap(([lead, wave]) => stretches(ahead().regions, [lead], wave))
  drawMarks(chart, "criterion-marks", places)
  const moments = fits && ahead() ? (served?.caliper ?? []) : []
  drawMarks(chart, "caliper-marks", calipers(ahead()?.regions, moments, chart.layout.meta.speed_mm_per_s))
  tellScale(chart)
  chart.dataset.evidence = fits && chosen.on ? data.name : ""
  if (!chart.followed) {
    chart.followed = true
    chart.on("plotly_afterplot", lay)
    chart.on("plotly_hover", ({ points }) => showReach(chart, points[0]))
    chart.on("plotly_click", ({ points }) => chooseOnTrace(chart, points[0]))
    chart.on("plotly_unhover", () => drawMarks(chart, "reach-marks", []))
  }
}

// How far the network looks when it writes the weight under the pointer, measured at the nearest of some moments.
function showReach(chart, point) {
  const line = chart.data[point?.curveNumber]
  const [reach, regions] = [served?.reach, ahead()?.regions]
  if (!reach || !regions || !line?.meta) return
  const panel = regions[line.meta.lead]
  const speed = chart.layout.meta.speed_mm_per_s
  const at = panel.start_s + (point.x - panel.x[0] / PER_MM) / speed
  const place = Math.min(Math.max(Math.round((at - reach.first_s) / reach.step_s), 0), reach.close_s.length - 1)
  drawMarks(chart, "reach-marks", momentsAbout(regions, at, reach.close_s[place] / 2, speed))
  find("reached").textContent =
    `Here the model looks at ${reach.close_s[place].toFixed(1)} s of all leads (90 %).`
  find("reached").dataset.seconds = reach.close_s[place]
}

function write() {
  if (!data) return
  const end = data.limit.toString()
  find("name").textContent = data.name
  find("quantity").textContent = data.quantity
  find("low").textContent = `−${end} lowers`
  find("high").textContent = `raises +${end}`
  find("unit").textContent = data.unit
  find("scale-bar").style.background = `linear-gradient(to right, ${data.stops.join(", ")})`
  find("scale-bar").style.opacity = chosen.opacity
  find("scale").textContent =
    `Scale: ${data.limit_source} · shown: ${Math.round(100 * data.shown)} % of the evidence`
  find("evidence").classList.toggle("clinical", !served?.research)
  find("switch").textContent = chosen.on ? "Hide" : "Show"
  find("switch").setAttribute("aria-pressed", String(chosen.on))
  find("opacity").value = chosen.opacity
  find("evidence").classList.toggle("off", !chosen.on)
  find("words").textContent = `${data.name} ${data.equation}`
  const checked = measured()
  find("beats").innerHTML = checked?.beats ?? data.beats // numbers and escaped names, made by ecgimn.draw.screen.mean_beat
  const waiting = data.checkable && !checked
  find("checking").textContent = waiting ? "taking each wave out, network re-run" : ""
  find("checking").classList.toggle("busy", waiting)
  hideAnswer(!chosen.on)
  find("residual").textContent = data.residual
  find("residual").classList.toggle("open", !data.exact)
  find("sum-of").innerHTML = data.sum // numbers and escaped names, made by ecgimn.draw.charts.ledger
  find("ledger-of").innerHTML = checked?.ledger ?? data.ledger
  showTab()
  if (!served?.reach) find("reached").textContent = ""
  markCell()
}

// Read first, then reveal: without colours there is no answer either.
function hideAnswer(hidden) {
  let style = document.getElementById("ecgimn-unread")
  if (!hidden) return style?.remove()
  if (style) return
  style = document.createElement("style")
  style.id = "ecgimn-unread"
  style.textContent = '.st-key-answer, [class*="st-key-class_"] { visibility: hidden }'
  document.head.append(style)
}

function showTab() {
  for (const name of ["beats", "numbers"]) find(name).hidden = name !== tab
  for (const button of room.querySelectorAll(".tab")) {
    button.setAttribute("aria-selected", String(button.dataset.tab === tab))
  }
}

// The ledger. One cell can be reached with Tab, the others from it with the arrow keys.

const cells = () => [...room.querySelectorAll(".ledger tbody td, .ledger tfoot td")]
const leadsOf = (row) => row.dataset.leads?.split(" ") ?? null
const same = (one, other) => one && String(one.leads) === String(other.leads) && one.wave === other.wave

function placeOf(item) {
  const row = item.parentElement
  return { leads: leadsOf(row), wave: item === row.lastElementChild ? null : item.cellIndex - 1 }
}

function markCell() {
  const all = cells()
  const marked = all.find((item) => same(cell, placeOf(item)))
  for (const item of all) {
    item.classList.toggle("chosen", item === marked)
    item.setAttribute("aria-selected", String(item === marked))
    item.tabIndex = item === (marked ?? all[0]) ? 0 : -1
  }
  for (const row of room.querySelectorAll(".sum tr[data-leads]")) {
    row.classList.toggle("chosen", Boolean(same(cell, { leads: leadsOf(row), wave: null })))
  }
  const names = waveNames()
  for (const stretch of room.querySelectorAll(".beats [data-wave]")) {
    const { lead, wave } = stretch.dataset
    const here = (cell?.leads ?? [lead]).includes(lead) && (cell?.wave == null || names[cell.wave] === wave)
    stretch.classList.toggle("chosen", Boolean(cell && here))
  }
  find("marked").textContent = marked
    ? describeCell(marked)
    : "A cell marks its stretches on the trace and the mean beat, and a click on either marks its cell."
}

const waveNames = () => [...(room.querySelector(".ledger thead")?.querySelectorAll("th") ?? [])].map((head) => head.textContent)

function describeCell(marked) {
  const wave = cell.wave === null ? "all waves" : waveNames()[cell.wave]
  const said = marked.dataset.said ?? `${marked.firstChild.textContent} logit`
  const what = `${wave} of ${cell.leads?.join(", ") ?? "all leads"}: ${said}`
  if (!ahead()) return `${what}; its places are on their way.`
  const number = stretches(ahead().regions, cell.leads, cell.wave).length
  return number ? `${what}, ${number === 1 ? "one stretch" : `${number} stretches`} marked.` : `${what}, not on this paper.`
}

function chooseCell(place) {
  cell = same(cell, place) ? null : place
  markCell()
  lay()
}

function choose(item) {
  chooseCell(placeOf(item))
  if (cell) document.querySelector(CHART)?.scrollIntoView({ block: "nearest", behavior: "smooth" })
}

// A stretch of the mean beat, or of the trace, marks its cell.
function chooseStretch(event) {
  const stretch = event.target.closest("[data-wave]")
  if (stretch) chooseCell({ leads: [stretch.dataset.lead], wave: waveNames().indexOf(stretch.dataset.wave) })
}

function chooseOnTrace(chart, point) {
  const line = chart.data[point?.curveNumber]
  const panel = line?.meta && ahead()?.regions[line.meta.lead]
  const place = panel && cellAt(panel, point.x * PER_MM)
  if (place) chooseCell(place)
}

function chooseTerritory(event) {
  const row = event.target.closest("tr[data-leads]")
  if (!row || (event.key && event.key !== "Enter" && event.key !== " ")) return
  chooseCell({ leads: leadsOf(row), wave: null })
  event.preventDefault()
}

function onLedgerKey(event) {
  const item = event.target.closest("td")
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }
  if (!item) return
  if (event.key === "Escape" && cell) {
    cell = null
    markCell()
    lay()
  } else if (event.key === "Enter" || event.key === " ") choose(item)
  else if (event.key in steps) {
    const rows = [...room.querySelectorAll(".ledger tbody tr, .ledger tfoot tr")]
    const [down, right] = steps[event.key]
    rows[rows.indexOf(item.parentElement) + down]?.cells[Math.max(item.cellIndex + right, 1)]?.focus()
  } else return
  event.preventDefault()
  event.stopPropagation() // elsewhere the arrow keys go to the next and the previous case
}

// Another class, at once.

function show(layer) {
  data = layer
  write()
  lay()
}

function expect(name) {
  const layer = ahead()?.layers.find((item) => item.class === name)
  if (!layer || name === data.class) return
  clearTimeout(awaited?.timer)
  awaited = { class: name, timer: setTimeout(giveUp, PATIENCE_MS) }
  show(layer)
}

function giveUp() {
  awaited = null
  if (served !== data) show(served)
}

function expectNext() {
  const names = ahead()?.layers.map((item) => item.class) ?? []
  if (names.length) expect(names[(names.indexOf(data.class) + 1) % names.length])
}

function onPress(event) {
  for (const node of event.composedPath()) {
    const name = /st-key-class_([^\s]+)/.exec(node.className?.toString?.() ?? "")?.[1]
    if (name) return expect(name)
  }
}

// The class that the browser shows already is not taken back by the answer to a press before.
function take(sent) {
  served = sent
  if (awaited && sent.view === data.view && sent.class !== awaited.class) return
  clearTimeout(awaited?.timer)
  awaited = null
  if (sent.paper !== data?.paper) cell = null
  data = sent
}

// The pointer's answers can wait until they are unpacked; the pictures cannot.
async function addAnswers(sent, packed) {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0))
  Object.assign(sent, await unpack(bytes))
  if (data === sent) lay()
}

export default function ({ data: { packed, ...sent }, parentElement, setStateValue }) {
  stop?.()
  room = parentElement
  chosen ??= { on: sent.on, opacity: sent.opacity }
  take(sent)
  let timer = null
  const change = (part) => {
    chosen = { ...chosen, ...part }
    write()
    lay()
    clearTimeout(timer)
    timer = setTimeout(() => setStateValue("seen", chosen), WAIT_MS)
  }
  find("switch").onclick = () => change({ on: !chosen.on })
  find("opacity").oninput = (event) => change({ opacity: Number(event.target.value) })
  find("ledger-of").onclick = (event) => event.target.closest("tbody td, tfoot td") && choose(event.target.closest("td"))
  find("ledger-of").onkeydown = onLedgerKey
  find("beats").onclick = chooseStretch
  find("sum-of").onclick = chooseTerritory
  find("sum-of").onkeydown = chooseTerritory
  for (const button of room.querySelectorAll(".tab")) {
    button.onclick = () => {
      tab = button.dataset.tab
      showTab()
    }
  }
  const onKey = (event) => {
    const writing = event.composedPath().some((node) => /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName ?? ""))
    if (writing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
    if (event.key.toLowerCase() === "o") change({ on: !chosen.on })
    if (event.key.toLowerCase() === "k") expectNext()
  }
  document.addEventListener("keydown", onKey)
  document.addEventListener("ecgimn-measured", write)
  document.addEventListener("click", onPress, true)
  // A chart that is drawn again, whoever asked for it, gets its evidence again.
  const observer = new MutationObserver(() => {
    const chart = document.querySelector(CHART)
    if (chart && !chart.followed) lay()
  })
  observer.observe(document.body, { childList: true, subtree: true })
  write()
  lay()
  void addAnswers(sent, packed)
  stop = () => {
    observer.disconnect()
    document.removeEventListener("keydown", onKey)
    document.removeEventListener("ecgimn-measured", write)
    hideAnswer(false)
    document.removeEventListener("click", onPress, true)
  }
  return stop
}
