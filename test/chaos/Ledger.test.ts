/** The ledger of a weather: each check sees its own fault, and a call that hangs is told, not suffered. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { mimo, patiently } from "../Wire.js"
import * as Chaos from "./Chaos.js"
import * as Check from "./Check.js"
import * as Host from "./Host.js"
import * as Leaks from "./Leaks.js"
import * as Ledger from "./Ledger.js"
import * as Speech from "./Speech.js"
import type { Weather } from "./Weather.js"

const plan: Ledger.Plan = {
  call: 17,
  title: "one",
  ends: "answered",
  healthy: true,
  takes: 0,
  requests: 1,
  forEver: "20 seconds"
}

const good: Ledger.Entry = { plan, ended: "answered", isTyped: true, flaw: undefined, waited: 1, took: 1 }

const seen: Ledger.Seen = { requests: new Map([[17, 1]]), longestAsked: 1 }

const failed = (ledger: Ledger.Ledger, calls = 1, what: Ledger.Seen = seen): ReadonlyArray<string> =>
  Ledger.checks(ledger, calls, what).flatMap(({ holds, name }) => (holds ? [] : [name.replace(/ \(of .*/, "")]))

describe("the checks", () => {
  it("hold for a call that went well", () => {
    expect(failed([good])).toEqual([])
    expect(Ledger.lines([good], seen)).toEqual([])
  })

  for (const [title, entry, expected] of [
    ["a call that never ended", { ended: "never ended", isTyped: false }, ["calls that never ended"]],
    ["a defect", { ended: "TypeError: locked", isTyped: false }, ["calls that ended in a defect"]],
    ["another error", { ended: "Transient Unreachable" }, ["calls that ended otherwise than they should"]],
    [
      "an answer where an error was due",
      { plan: { ...plan, ends: "QuotaExceeded" } },
      ["calls that ended otherwise than they should"]
    ],
    ["another's answer", { flaw: "mixed up" }, ["answers that are not the right ones"]],
    ["a healthy call that waited too long", { waited: 6.01 }, ["seconds that a healthy call waited"]],
    ["a healthy call that waited as long as it may", { waited: 6 }, []],
    ["a call that is not healthy may wait", { waited: 60, plan: { ...plan, healthy: false } }, []],
    ["any typed ending, where any will do", { ended: "Transient Unreachable", plan: { ...plan, ends: undefined } }, []]
  ] as const) {
    it(title, () => {
      const { ends, ...rest } = { ...plan, ...("plan" in entry ? entry.plan : undefined) }
      const full = { ...good, ...entry, plan: ends === undefined ? rest : { ...rest, ends } }
      expect(failed([full])).toEqual(expected)
      expect(Ledger.lines([full], seen).length).toBe(expected.length)
    })
  }

  it("a call that was not made, and one too many", () => {
    expect(failed([], 1)).toEqual(["calls made"])
    expect(failed([good, good], 1)).toEqual(["calls made"])
  })

  it("a request too many", () => {
    expect(failed([good], 1, { ...seen, requests: new Map([[17, 2]]) })).toEqual(["calls that cost too many requests"])
  })
})

const question: Host.Question = { call: plan.call, request: 1, stream: false }

const streaming: Host.Question = { ...question, stream: true }

describe("a call, by the test's clock", () => {
  const written = (
    script: Gateway.Script,
    make: (ledger: Ledger.Ledger, provider: Provider.Service) => Effect.Effect<void>
  ) =>
    Effect.gen(function* () {
      const ledger: Ledger.Ledger = []
      yield* patiently(make(ledger, yield* Provider.Provider))
      return ledger
    }).pipe(Effect.provide(mimo(script)))

  const whole = (ledger: Ledger.Ledger, provider: Provider.Service) => Ledger.whole(ledger, provider, plan)

  it.effect("that is answered", () =>
    Effect.gen(function* () {
      expect(yield* written([Host.well(question)], whole)).toEqual([{ ...good, waited: 0, took: 0 }])
    })
  )

  it.effect("that gets another call's answer", () =>
    Effect.gen(function* () {
      const ledger = yield* written([Host.well({ ...question, call: 18 })], whole)
      expect(ledger.map(({ ended, flaw }) => [ended, flaw])).toEqual([["answered", "mixed up"]])
    })
  )

  it.effect("that hangs is abandoned", () =>
    Effect.gen(function* () {
      const ledger = yield* written([Gateway.delay("4 minutes", Host.well(question))], whole)
      expect(ledger).toEqual([{ ...good, ended: "never ended", isTyped: false, waited: 20, took: 20 }])
    })
  )

  it.effect("whose caller is abandoned had not ended", () =>
    Effect.gen(function* () {
      const ledger = yield* written([Gateway.delay("4 minutes", Host.well(question))], (ledger, provider) =>
        Effect.asVoid(Effect.timeoutOption(whole(ledger, provider), "3 seconds"))
      )
      expect(ledger).toEqual([{ ...good, ended: "never ended", isTyped: false, waited: 3, took: 3 }])
    })
  )

  it.effect("waits as long as it is told to, and the server's own time does not count as a wait", () =>
    Effect.gen(function* () {
      const ledger = yield* written(
        [Host.tooMany(3), Gateway.delay("2 seconds", Host.well(question))],
        (ledger, provider) => Ledger.whole(ledger, provider, { ...plan, takes: 2000 })
      )
      expect(ledger).toEqual([{ ...good, plan: { ...plan, takes: 2000 }, waited: 3, took: 5 }])
    })
  )

  it.effect("does not count a slow consumer as a wait", () =>
    Effect.gen(function* () {
      const ledger = yield* written([Host.well(streaming)], (ledger, provider) =>
        Ledger.streamed(ledger, provider, plan, (_, place) => (place === 1 ? Effect.sleep("10 seconds") : Effect.void))
      )
      expect(ledger).toEqual([{ ...good, waited: 0, took: 10 }])
    })
  )

  it.effect("an iterator is read to its end", () =>
    Effect.gen(function* () {
      const ledger = yield* written([Host.well(streaming)], (ledger, provider) =>
        Ledger.iterated(ledger, provider, plan, () => Effect.void)
      )
      expect(ledger).toEqual([{ ...good, waited: 0, took: 0 }])
    })
  )

  it.effect("that fails is known by its tag; a defect has no tag", () =>
    Effect.gen(function* () {
      const refused = yield* written([Host.unauthorized], (ledger, provider) =>
        Ledger.iterated(ledger, provider, plan, () => Effect.void)
      )
      expect(refused.map(({ ended, isTyped }) => [ended, isTyped])).toEqual([["AuthRejected", true]])
      const broken = yield* written([Host.well(streaming)], (ledger, provider) =>
        Ledger.streamed(ledger, provider, plan, () => Effect.dieMessage("a planted defect"))
      )
      expect(broken.map(({ isTyped }) => isTyped)).toEqual([false])
      expect(broken[0]?.ended).toContain("a planted defect")
    })
  )
})

describe("the server of a weather", () => {
  it.live("counts the requests of a call, and the longest wait that it asked for", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const waits = [Host.tooMany(2), Host.tooMany(7), Host.tooMany(3600)]
        const host = yield* Host.make(({ request, ...asked }) => waits[request - 1] ?? Host.well({ request, ...asked }))
        const ask = (path: string, call: number) =>
          Effect.promise(async () => {
            const body = JSON.stringify({ messages: [{ role: "user", content: Speech.promptOf(call) }] })
            const response = await fetch(`${host.url}${path}`, { method: "POST", body })
            return { status: response.status, text: await response.text() }
          })
        const statuses = yield* Effect.forEach([1, 1, 1, 1, 2], (call) =>
          Effect.map(ask("/any", call), (a) => a.status)
        )
        expect(statuses).toEqual([429, 429, 429, 200, 429])
        expect((yield* ask("/any", 1)).text).toBe(Speech.bodyOf(1))
        expect((yield* ask(Host.audit, 1)).text).not.toBe(Speech.bodyOf(1))
        const { longestAsked, requests } = yield* host.seen
        expect([...requests]).toEqual([
          [1, 5],
          [2, 1]
        ])
        // An hour is not waited.
        expect(longestAsked).toBe(7)
      })
    )
  )
})

describe("what is left behind", () => {
  const left = <A>(self: Effect.Effect<A>) => patiently(Effect.map(Leaks.countFibers(self), ([, count]) => count))

  it.effect("a fiber that stays is counted, one that ends within a second is not", () =>
    Effect.gen(function* () {
      expect(yield* left(Effect.forkDaemon(Effect.never))).toBe(1)
      expect(yield* left(Effect.forkDaemon(Effect.sleep("1 second")))).toBe(0)
    })
  )
})

describe("a run", () => {
  const weather: Weather = {
    id: "planted",
    title: "a planted fault",
    run: () => Effect.succeed({ checks: [Check.none("faults", 1)], lines: ["what it was"], facts: {} })
  }
  const options = { seed: 1, calls: 1, clients: [] }

  it.live("does not pass if one check of one weather fails", () =>
    Effect.gen(function* () {
      const calm = {
        ...weather,
        run: () => Effect.succeed({ checks: [Check.none("faults", 0)], lines: [], facts: {} })
      }
      const results = yield* Effect.forEach([calm, weather], (one) => Chaos.run(one, options))
      expect(Chaos.holds(results.slice(0, 1))).toBe(true)
      expect(Chaos.holds(results)).toBe(false)
      expect(results.map(Chaos.text).join("")).toContain("FAILED      1 faults")
      expect(JSON.parse(Chaos.json(results, 1)).holds).toBe(false)
    })
  )

  it("has a name for each weather", () => {
    expect(new Set(Chaos.weathers.map(({ id }) => id)).size).toBe(Chaos.weathers.length)
  })
})
