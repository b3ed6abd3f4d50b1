/** `npm run check`: what a commit needs, a step at a time. Each is named before it begins; the first that fails ends it. */
import { spawnSync } from "node:child_process"

const steps = [
  ["lint", "style, and what the linter knows of mistakes"],
  ["typecheck", "types, of the sources and of the tests"],
  ["build", "the package, as it is published"],
  ["test", "the tests, as far as somebody waits for them"]
]

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`

const began = performance.now()
for (const [index, [script, what]] of steps.entries()) {
  console.log(`\n[${index + 1}/${steps.length}] npm run ${script}: ${what}`)
  const start = performance.now()
  const { error, status } = spawnSync("npm", ["run", "--silent", script], {
    stdio: "inherit",
    shell: process.platform === "win32"
  })
  const ended = status === 0 ? "passed" : `FAILED${error === undefined ? "" : ` (${error.message})`}`
  console.log(`[${index + 1}/${steps.length}] npm run ${script} ${ended} after ${seconds(start)}`)
  if (status !== 0) process.exit(status ?? 1)
}
console.log(`\nAll ${steps.length} passed after ${seconds(began)}`)
