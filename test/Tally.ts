import { readFileSync, writeFileSync } from "node:fs"
import type { Reporter, TestModule } from "vitest/node"

interface Count {
  passed: number
  failed: number
  skipped: number
}

/**
 * Ends a run with one plain line that any reader of logs can count by. Where the variable `TALLY` names a file, runs that
 * follow each other are counted together: the line of each has those before it in it.
 */
export default class Tally implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const file = process.env["TALLY"]
    const count = before(file)
    count.failed += errors.length
    for (const module of modules) {
      // A file that could not be loaded has no tests to fail.
      if (module.state() === "failed" && module.errors().length > 0) count.failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state !== "pending") count[state] += 1
      }
    }
    if (file !== undefined) writeFileSync(file, JSON.stringify(count))
    const skipped = count.skipped === 0 ? "" : `, ${count.skipped} skipped`
    // At the very end, after what the other reporters have to say.
    process.once("exit", () => console.log(`${count.passed} passed, ${count.failed} failed${skipped}`))
  }
}

/** What the runs before this one counted; a file that is empty has had none. */
const before = (file: string | undefined): Count => {
  const none = { passed: 0, failed: 0, skipped: 0 }
  const text = file === undefined ? "" : readFileSync(file, "utf8")
  return text === "" ? none : { ...none, ...JSON.parse(text) }
}
