import type { Reporter, TestModule } from "vitest/node"

/** Ends a run with one plain line that any reader of logs can count by. */
export default class Tally implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      // A file that could not be loaded has no tests to fail.
      if (module.state() === "failed" && module.errors().length > 0) count.failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state !== "pending") count[state] += 1
      }
    }
    const skipped = count.skipped === 0 ? "" : `, ${count.skipped} skipped`
    // At the very end, after what the other reporters have to say.
    process.once("exit", () => console.log(`${count.passed} passed, ${count.failed} failed${skipped}`))
  }
}
