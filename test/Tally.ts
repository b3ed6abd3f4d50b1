/**
 * Ends a run with what a reader of logs looks for: each test that failed, with the first line of its error, and then
 * one plain line with the count. If the variable `TALLY` names a file, consecutive runs are counted together: the end
 * of each includes those before it.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { relative } from "node:path"
import type { Reporter, TestModule } from "vitest/node"

/** What is known about the runs so far. */
export interface Record {
  readonly passed: number
  readonly skipped: number
  /** One line for each failure. */
  readonly failures: ReadonlyArray<string>
}

export default class Tally implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const file = process.env["TALLY"]
    const record = added(before(file), modules, errors)
    if (file !== undefined) writeFileSync(file, JSON.stringify(record))
    // At the very end, after the other reporters.
    process.once("exit", () => console.log(text(record)))
  }
}

/** How many failures are named. If there are more, they probably have one cause. */
const most = 20

/** The end of a run. Its last line is the count. */
export const text = ({ failures, passed, skipped }: Record): string => {
  const left = failures.length - most
  return [
    ...failures.slice(0, most).map((failure) => `FAILED ${failure}`),
    ...(left > 0 ? [`and ${left} more`] : []),
    `${passed} passed, ${failures.length} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`
  ].join("\n")
}

export const none: Record = { passed: 0, skipped: 0, failures: [] }

/** The parts of a test file that a tally reads. */
export type Module = Pick<TestModule, "moduleId" | "errors"> & {
  readonly children: {
    readonly allTests: () => Iterable<{
      readonly fullName: string
      readonly result: () => {
        readonly state: "passed" | "failed" | "skipped" | "pending"
        readonly errors?: ReadonlyArray<{ readonly message: string }> | undefined
      }
    }>
  }
}

/** The runs so far, and this one. */
export const added = (so: Record, modules: ReadonlyArray<Module>, errors: ReadonlyArray<unknown>): Record => {
  let { passed, skipped } = so
  const failures = [...so.failures]
  for (const module of modules) {
    const file = relative(process.cwd(), module.moduleId)
    // A file that could not be loaded has no tests to fail.
    if (module.errors().length > 0) failures.push(`${file}: ${because(module.errors())}`)
    for (const test of module.children.allTests()) {
      const { errors, state } = test.result()
      if (state === "passed") passed += 1
      if (state === "skipped") skipped += 1
      if (state === "failed") failures.push(`${file} › ${test.fullName}: ${because(errors ?? [])}`)
    }
  }
  // Errors that no test awaited.
  failures.push(...errors.map((error) => `outside of the tests: ${because([error])}`))
  return { passed, skipped, failures }
}

/** The first line of the first error. */
const because = ([error]: ReadonlyArray<unknown>): string =>
  (error instanceof Object && "message" in error ? String(error.message) : String(error)).trim().split("\n")[0] ?? ""

/** The tally of earlier runs; an empty file has none. */
const before = (file: string | undefined): Record => {
  const left = file === undefined ? "" : readFileSync(file, "utf8")
  return left === "" ? none : { ...none, ...JSON.parse(left) }
}
