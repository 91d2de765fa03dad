// Marks stretches of the paper over the chart, in an image of its own that lets the pointer through.
const SVG = "http://www.w3.org/2000/svg"
const LINE_MM = 0.2
const PER_MM = 10 // places come in tenths of a millimetre

// The stretches of a cell of the ledger: a wave of some leads, all of them ("sum" column) or a wave of all leads ("sum" row).
function stretches(regions, leads, wave) {
  const found = []
  for (const panel of regions) {
    if (leads !== null && !leads.includes(panel.lead)) continue
    const places = wave === null ? panel.x : panel.waves[wave]
    for (let i = 0; i + 1 < places.length; i += 2) found.push({ x: [places[i], places[i + 1]], y: panel.y })
  }
  return found
}

// The cell that a place on the paper belongs to: the lead of a panel and the wave there; null where no wave is known.
function cellAt(panel, x) {
  const inside = (places) => places.some((start, i) => i % 2 === 0 && start <= x && x <= places[i + 1])
  const wave = panel.waves.findIndex(inside)
  return wave < 0 ? null : { leads: [panel.lead], wave }
}

// The stretch of every panel that shows the moments from `half` seconds before a moment to `half` seconds after it.
function momentsAbout(regions, at, half, speed) {
  return regions
    .map(({ x, y, start_s }) => {
      const place = (moment) => Math.min(Math.max(x[0] + PER_MM * speed * (moment - start_s), x[0]), x[1])
      return { x: [place(at - half), place(at + half)], y }
    })
    .filter(({ x }) => x[1] > x[0])
}

// Thin lines through every panel that shows one of some moments.
function calipers(regions, moments, speed) {
  const half = LINE_MM / 2 / speed
  return moments.flatMap((at) => momentsAbout(regions, at, half, speed))
}

function drawMarks(chart, name, boxes) {
  const room = chart.querySelector(".svg-container")
  if (!room) return
  let image = room.querySelector(`svg.${name}`)
  if (!boxes.length) return image?.remove()
  if (!image) {
    image = document.createElementNS(SVG, "svg")
    image.setAttribute("class", name)
    image.setAttribute("aria-hidden", "true")
    image.style.cssText = "position:absolute;inset:0;width:100%;height:100%;pointer-events:none;z-index:1"
    room.append(image)
  }
  const { xaxis, yaxis } = chart._fullLayout
  const across = (place) => xaxis._offset + xaxis.l2p(place / PER_MM)
  const down = (place) => yaxis._offset + yaxis.l2p(place / PER_MM)
  image.replaceChildren(
    ...boxes.map(({ x, y }) => {
      const box = document.createElementNS(SVG, "rect")
      box.setAttribute("x", across(x[0]))
      box.setAttribute("width", Math.max(across(x[1]) - across(x[0]), 1))
      box.setAttribute("y", down(y[1]))
      box.setAttribute("height", down(y[0]) - down(y[1]))
      box.setAttribute("fill", "rgba(128,128,128,0.14)")
      box.setAttribute("stroke", chart._fullLayout.font.color)
      box.setAttribute("stroke-width", "1.2")
      return box
    }),
  )
}
