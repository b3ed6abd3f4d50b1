/** The judge of the throttle table: each goal sees its own fault, and every miss is reported. */
import { describe, expect, it } from "@effect/vitest"
import * as Contenders from "./Contenders.js"
import * as Goal from "./Goal.js"
import * as Limit from "./Limit.js"
import * as Row from "./Row.js"
import * as Table from "./Table.js"

const places16 = Limit.places(16)
const refusal = { status: 401, retryAfter: undefined } as const

const row = (
  match: Partial<Row.Match>,
  score: Partial<Row.Score> | undefined,
  contender: Contenders.Contender = Contenders.own
): Row.Row => {
  const limit = match.limit ?? places16
  const full: Row.Match = { limit, refusal, contender, calls: Limit.callsOf(limit), ...match }
  return {
    match: full,
    score: score && {
      successes: full.calls,
      requests: full.calls,
      seconds: Limit.possible(limit, full.calls),
      p99: 1,
      failures: new Map(),
      ...score
    }
  }
}

const missed = (rows: ReadonlyArray<Row.Row>): ReadonlyArray<string> =>
  rows.flatMap((one) => Goal.of(one, rows).flatMap(({ reached, what }) => (reached ? [] : [what])))

const setting: Table.Setting = { gateway: "g", date: "2026-01-01", machine: "m", node: "n", late: 0 }

const rivals = (score: Partial<Row.Score>) => row({}, score, Contenders.rival)

describe("a row that is good", () => {
  for (const limit of Limit.all) {
    it(`reaches its goals: ${Limit.nameOf(limit)}`, () => {
      expect(Goal.of(row({ limit }, {}), []).length).toBeGreaterThan(0)
      expect(missed([row({ limit }, {})])).toEqual([])
    })
  }
})

describe("a fault is seen", () => {
  const retryAfter = { refusal: { status: 429, retryAfter: 1 } } as const
  for (const [title, rows, expected] of [
    ["one call of 2,000 that failed", [row({}, { successes: 1999 })], ["success"]],
    [
      "no call that succeeded",
      [row({}, { successes: 0 })],
      ["success", "requests per success", "time over the possible time"]
    ],
    ["1.07 requests at 16 places", [row({}, { requests: 2140 })], ["requests per success"]],
    ["1.07 requests at 50 a second", [row({ limit: Limit.rate(50, 8) }, { requests: 2140 })], ["requests per success"]],
    ["1.31 requests at one place", [row({ limit: Limit.places(1) }, { requests: 393 })], ["requests per success"]],
    ["1.31 requests at 5 a second", [row({ limit: Limit.rate(5, 2) }, { requests: 393 })], ["requests per success"]],
    ["1.16 of the possible time", [row({}, { seconds: 29 })], ["time over the possible time"]],
    ["a p99 of 3.1 s", [row({}, { p99: 3.1 })], ["p99"]],
    ["a p99 of 3.1 s where the server named one second", [row(retryAfter, { p99: 3.1 })], []],
    ["a p99 worse than the AI SDK's", [row({}, { p99: 1.5 }), rivals({ p99: 1 })], ["p99 of the AI SDK"]],
    ["a p99 worse than that of an AI SDK that fails", [row({}, { p99: 1.5 }), rivals({ p99: 1, successes: 1900 })], []],
    ["another row's p99 is no rival's", [row(retryAfter, { p99: 1.5 }), rivals({ p99: 1 })], []],
    ["too few calls for requests and time", [row({ calls: 500 }, { requests: 900, seconds: 60 })], []],
    ["too few calls, and one failed", [row({ calls: 500 }, { successes: 499 })], ["success"]],
    ["another's fault", [rivals({ successes: 10, p99: 100 })], []]
  ] as const) {
    it(title, () => {
      expect(missed(rows)).toEqual(expected)
      expect(Table.holds(rows)).toBe(expected.length === 0)
    })
  }

  it("in words, in JSON and on the page", () => {
    const rows = [row({}, { successes: 1999, failures: new Map([["AuthRejected", 1]]) })]
    expect(Table.text(rows, setting)).toContain("99.9 %")
    expect(Table.text(rows, setting)).toContain("missed: success")
    expect(Table.text(rows, setting)).toContain("1 x AuthRejected")
    expect(Table.text(rows, setting)).toContain("Goals are missed.")
    expect(JSON.parse(Table.json(rows, setting)).holds).toBe(false)
    expect(Table.page(rows, setting)).toContain("missed: success")
  })
})

describe("a table without this SDK", () => {
  it("does not claim that goals are reached", () => {
    expect(Table.text([rivals({})], setting)).toContain("No row has goals.")
  })
})

describe("a contender that is not installed", () => {
  it("has no goals and no figures, and is reported as missing", () => {
    const rows = [row({}, undefined, Contenders.rival), row({}, {})]
    expect(missed(rows)).toEqual([])
    expect(Table.text(rows, setting)).toContain("not installed")
    expect(Table.page(rows, setting)).toContain("not installed")
  })
})

describe("the sum of a row", () => {
  it("counts failures by kind, and takes the p99 of all calls", () => {
    const ended = Array.from({ length: 200 }, (_, i) => ({
      seconds: i + 1,
      failure: i < 3 ? "AuthRejected" : i < 4 ? "never ended" : undefined
    }))
    const { failures, p99, successes } = Row.sum(ended, 250, 10)
    expect([...failures]).toEqual([
      ["AuthRejected", 3],
      ["never ended", 1]
    ])
    expect(successes).toBe(196)
    expect(p99).toBe(198)
    expect(Row.sum([{ seconds: 4, failure: undefined }], 1, 4).p99).toBe(4)
  })
})
