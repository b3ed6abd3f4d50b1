/** `npm run conformance -- --recordings <dir> [--json]` */
import { parseArgs } from "node:util"
import { check } from "./Conformance.js"
import * as Recording from "./Recording.js"

const { values } = parseArgs({ options: { recordings: { type: "string" }, json: { type: "boolean", default: false } } })
const folder = values.recordings ?? "../shared/recordings"

if (!Recording.exists(folder)) {
  console.error(`There is no manifest.json in ${folder}. Name a folder of recordings with --recordings.`)
  process.exit(2)
}

let passed = 0
let failed = 0
for (const recording of Recording.load(folder)) {
  const mismatches = check(recording, Recording.bytes(folder, recording))
  if (mismatches.length === 0) passed += 1
  else failed += 1
  if (values.json) console.log(JSON.stringify({ id: recording.id, passed: mismatches.length === 0, mismatches }))
  else
    for (const { actual, cut, expected, field, id } of mismatches)
      console.log(`${id} (${cut}) ${field}: expected ${short(expected)}, got ${short(actual)}`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
