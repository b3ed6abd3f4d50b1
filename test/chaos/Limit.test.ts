/** The limits of the throttled gateway: what they let in, and the best that is possible under them. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { eventually } from "../Loopback.js"
import { times } from "../Wire.js"
import * as Limit from "./Limit.js"
import * as Nginx from "./Nginx.js"
import type * as Refusal from "./Refusal.js"
import type * as Row from "./Row.js"
import * as ThrottledGateway from "./ThrottledGateway.js"

/** How many of them are let in, one after the other, at that moment. */
const letIn = (door: Limit.Door, count: number, now: number): number =>
  Array.from({ length: count }, () => door.enter(now)).filter((entered) => entered).length

describe("places", () => {
  it("are never exceeded, and are free as soon as they are left", () => {
    const door = Limit.door(Limit.places(4))
    expect(letIn(door, 64, 0)).toBe(4)
    expect(letIn(door, 64, 10_000)).toBe(0)
    door.leave()
    door.leave()
    expect(letIn(door, 64, 10_000)).toBe(2)
  })
})

describe("a rate", () => {
  it("lets in one and the burst at once, and then its number a second", () => {
    const door = Limit.door(Limit.rate(50, 8))
    expect(letIn(door, 64, 0)).toBe(9)
    expect(letIn(door, 64, 19)).toBe(0)
    expect(letIn(door, 64, 20)).toBe(1)
    expect(letIn(door, 64, 120)).toBe(5)
    expect(letIn(door, 64, 60_000)).toBe(9)
  })

  it("is kept over a minute, however many requests there are", () => {
    const door = Limit.door(Limit.rate(5, 2))
    let entered = 0
    for (let now = 0; now < 60_000; now += 7) entered += letIn(door, 3, now)
    expect(Math.abs(entered - (300 + 3))).toBeLessThanOrEqual(1)
  })
})

describe("the possible time", () => {
  for (const [limit, answers, seconds] of [
    [Limit.places(1), 300, 60],
    [Limit.places(16), 2000, 25],
    [Limit.places(16), 2001, 25.2],
    [Limit.rate(50, 8), 2009, 40.2],
    [Limit.rate(5, 2), 3, 0.2],
    [Limit.rate(5, 2), 1, 0.2]
  ] as const) {
    it(`${answers} answers, ${Limit.nameOf(limit)}: ${seconds} s`, () => {
      expect(Limit.possible(limit, answers)).toBeCloseTo(seconds, 9)
    })
  }
})

const nginx = Effect.runSyncExit(Nginx.version)._tag === "Success"

const hosts: ReadonlyArray<readonly [name: string, host: Row.Host<Nginx.NginxError>, there: boolean]> = [
  ["the project's own gateway", ThrottledGateway.make, true],
  ["nginx, where it is installed", Nginx.make, nginx]
]

for (const [name, host, there] of hosts) {
  describe.skipIf(!there)(name, () => {
    /** Six ask; those who come in are answered after so many have been refused. */
    const asked = (limit: Limit.Limit, refusal: Refusal.Refusal, refusals: number) =>
      Effect.scoped(
        Effect.gen(function* () {
          const refused = Effect.runSync(Deferred.make<void>())
          const served = Effect.runPromise(Deferred.await(refused))
          const { requests, url } = yield* host({ limit, refusal, served })
          let left = refusals
          const ask = Effect.promise(async () => {
            const response = await fetch(`${url}/chat/completions`, { method: "POST", body: "{}" })
            if (response.status !== 200 && --left === 0) Deferred.unsafeDone(refused, Effect.void)
            return {
              status: response.status,
              wait: response.headers.get("retry-after"),
              text: await response.text()
            }
          })
          const all = yield* Effect.all(times(6, ask), { concurrency: "unbounded" })
          return { all, counted: yield* eventually(Effect.map(requests, (count) => count === 6)) }
        })
      )

    it.live("has the places that it should have, and refuses the rest as it should", () =>
      Effect.gen(function* () {
        const { all, counted } = yield* asked(Limit.places(2), { status: 401, retryAfter: 1 }, 4)
        expect(all.map(({ status }) => status).sort()).toEqual([200, 200, 401, 401, 401, 401])
        expect(counted).toBe(true)
        const refused = all.filter(({ status }) => status === 401)
        for (const { text, wait } of refused) {
          expect(wait).toBe("1")
          expect(JSON.parse(text).error.code).toBe("401")
        }
      })
    )

    it.live("sends Retry-After only if it should", () =>
      Effect.gen(function* () {
        const { all } = yield* asked(Limit.rate(1, 1), { status: 429, retryAfter: undefined }, 1)
        expect(all.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(2)
        const refused = all.filter(({ status }) => status === 429)
        expect(refused.length).toBeGreaterThanOrEqual(1)
        expect(new Set(refused.map(({ wait }) => wait))).toEqual(new Set([null]))
      })
    )
  })
}
