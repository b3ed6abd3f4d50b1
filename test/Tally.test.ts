/** The end of a run: it names what failed, and its last line is the count. */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Tally from "./Tally.js"

type State = "passed" | "failed" | "skipped" | "pending"

const test = (fullName: string, state: State, ...messages: ReadonlyArray<string>) => ({
  fullName,
  result: () => ({ state, errors: messages.map((message) => ({ message })) })
})

const module = (
  name: string,
  tests: ReadonlyArray<ReturnType<typeof test>>,
  errors: Tally.Module["errors"] = () => []
) => ({
  moduleId: join(process.cwd(), "test", name),
  errors,
  children: { allTests: () => tests }
})

const ended = (modules: ReadonlyArray<Tally.Module>, errors: ReadonlyArray<unknown> = []) =>
  Tally.text(Tally.added(Tally.none, modules, errors)).split("\n")

describe("the end of a run", () => {
  for (const [what, lines, expected] of [
    ["nothing", ended([]), ["0 passed, 0 failed"]],
    ["what passed", ended([module("A.test.ts", [test("a", "passed"), test("b", "passed")])]), ["2 passed, 0 failed"]],
    [
      "what was skipped, if anything was",
      ended([module("A.test.ts", [test("a", "passed"), test("b", "skipped"), test("c", "pending")])]),
      ["1 passed, 0 failed, 1 skipped"]
    ],
    [
      "file, name and first line of what failed",
      ended([
        module("A.test.ts", [test("a", "passed"), test("b > c", "failed", "1 is not 2\n\n- 1\n+ 2", "too late")])
      ]),
      [`FAILED ${join("test", "A.test.ts")} › b > c: 1 is not 2`, "1 passed, 1 failed"]
    ],
    [
      "a failure without a reason",
      ended([module("A.test.ts", [test("a", "failed")])]),
      [`FAILED ${join("test", "A.test.ts")} › a: undefined`, "0 passed, 1 failed"]
    ],
    [
      "a file that could not be loaded",
      ended([module("A.test.ts", [], () => [{ message: "no such module" }])]),
      [`FAILED ${join("test", "A.test.ts")}: no such module`, "0 passed, 1 failed"]
    ],
    [
      "what no test waited for",
      ended([], [new Error("a promise that nobody caught"), "text"]),
      [
        "FAILED outside of the tests: a promise that nobody caught",
        "FAILED outside of the tests: text",
        "0 passed, 2 failed"
      ]
    ]
  ] as const) {
    it(`reports ${what}`, () => {
      expect(lines).toEqual(expected)
    })
  }

  it("names 20 failures, and counts all of them", () => {
    const tests = Array.from({ length: 23 }, (_, i) => test(`test ${i}`, "failed", "no"))
    const lines = ended([module("A.test.ts", tests)])
    expect(lines.length).toBe(22)
    expect(lines.slice(-3)).toEqual([
      `FAILED ${join("test", "A.test.ts")} › test 19: no`,
      "and 3 more",
      "0 passed, 23 failed"
    ])
  })

  it("reports the runs before it, too", () => {
    const first = Tally.added(Tally.none, [module("A.test.ts", [test("a", "failed", "no"), test("b", "passed")])], [])
    const both = Tally.added(JSON.parse(JSON.stringify(first)), [module("B.test.ts", [test("c", "passed")])], [])
    expect(Tally.text(both).split("\n")).toEqual([`FAILED ${join("test", "A.test.ts")} › a: no`, "2 passed, 1 failed"])
  })
})
