// The scripts that pages send to the browser: `node --test tests/js` (make lint runs it where Node is installed).
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import test from "node:test"
import { fileURLToPath } from "node:url"
import { deflateSync } from "node:zlib"

const PAGES = fileURLToPath(new URL("../../pages", import.meta.url))

function* scripts(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) yield* scripts(join(folder, entry.name))
    else if (entry.name.endsWith(".js")) yield join(folder, entry.name)
  }
}
const FILES = [...scripts(PAGES)]

// Streamlit joins scripts and loads them as one module, so a function is in no export of its own.
const functionsOf = (file, ...names) => {
  const path = FILES.find((path) => path.endsWith(`/${file}`))
  const source = `${readFileSync(path, "utf8")}\nexport { ${names.join(", ")} }`
  return import(`data:text/javascript,${encodeURIComponent(source)}`)
}

for (const path of FILES) {
  test(`${path.slice(PAGES.length + 1)} is a valid module`, () => {
    const input = readFileSync(path, "utf8")
    const checked = spawnSync(process.execPath, ["--input-type=module", "--check", "-"], { input, encoding: "utf8" })
    assert.equal(checked.status, 0, checked.stderr)
  })
}

test("what Python packed is unpacked", async () => {
  const { unpack } = await functionsOf("unpack.js", "unpack")
  const content = { classes: ["NORM", "MI"], cells: [[0.5, -1.25]], text: "−0.1 mV" }
  assert.deepEqual(await unpack(deflateSync(JSON.stringify(content))), content)
})

const REGIONS = [
  { lead: "I", label: "I", start_s: 0, x: [0, 1000], y: [0, 100], waves: [[100, 200, 600, 700], [300, 350]] },
  { lead: "V1", label: "V1", start_s: 2, x: [1000, 2000], y: [0, 100], waves: [[1100, 1200], []] },
]

test("a cell of the ledger marks every stretch of its wave in its lead and no other", async () => {
  const { stretches } = await functionsOf("marks.js", "stretches")
  assert.deepEqual(stretches(REGIONS, ["I"], 0), [{ x: [100, 200], y: [0, 100] }, { x: [600, 700], y: [0, 100] }])
  assert.deepEqual(stretches(REGIONS, ["V1"], 1), [])
})

test("a territory marks its wave in each of its leads", async () => {
  const { stretches } = await functionsOf("marks.js", "stretches")
  assert.equal(stretches(REGIONS, ["I", "V1"], 0).length, 3)
})

test("a place on the trace belongs to the wave under it", async () => {
  const { cellAt } = await functionsOf("marks.js", "cellAt")
  assert.deepEqual(cellAt(REGIONS[0], 650), { leads: ["I"], wave: 0 })
  assert.deepEqual(cellAt(REGIONS[0], 320), { leads: ["I"], wave: 1 })
  assert.equal(cellAt(REGIONS[0], 250), null)
})

test("a sum of the ledger marks the whole lead, or the wave in every lead", async () => {
  const { stretches } = await functionsOf("marks.js", "stretches")
  assert.deepEqual(stretches(REGIONS, ["V1"], null), [{ x: [1000, 2000], y: [0, 100] }])
  assert.equal(stretches(REGIONS, null, 0).length, 3)
})

test("moments outside a panel mark nothing in it, and a stretch ends at the panel's edge", async () => {
  const { momentsAbout } = await functionsOf("marks.js", "momentsAbout")
  const speed = 25 // mm/s; places are tenths of a millimetre
  assert.deepEqual(momentsAbout(REGIONS, 1, 0.2, speed), [{ x: [200, 300], y: [0, 100] }])
  assert.deepEqual(momentsAbout(REGIONS, 2, 0.2, speed), [
    { x: [450, 550], y: [0, 100] },
    { x: [1000, 1050], y: [0, 100] },
  ])
  assert.deepEqual(momentsAbout(REGIONS, 0, 0.2, speed), [{ x: [0, 50], y: [0, 100] }])
})

test("a caliper crosses every panel that shows its moments", async () => {
  const { calipers } = await functionsOf("marks.js", "calipers")
  const lines = calipers(REGIONS, [1, 2.5, 99], 25)
  assert.deepEqual(lines.map(({ x }) => (x[0] + x[1]) / 2), [250, 625, 1125])
  assert.deepEqual(calipers(undefined, [], 25), [])
})

test("the printed scale is that of the chart's size on the screen", async () => {
  const { scaleWords } = await functionsOf("chart.js", "scaleWords")
  const meta = { true_px_per_mm: 4, speed_mm_per_s: 25, gain_mm_per_mv: 10 }
  assert.equal(scaleWords(meta, 3), "drawn at 75 %: effective 18.8 mm/s, 7.5 mm/mV")
})
