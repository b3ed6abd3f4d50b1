/** When a key that was accepted counts as never accepted: rows of refused and exhausted calls, without a clock. */
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { type Call, Demotion, type Scene } from "../../src/credential/Demotion.js"

/** Nothing else is in flight, and the last turn is that of the call. */
const alone = (turn: number, now: number): Scene => ({ now, lastTurn: turn, isIdle: true, isBeingServed: false })

/** One call after the other, so many milliseconds apart: at which of them, from 1, is the key demoted? */
const demotedAt = (
  what: "refused" | "exhausted",
  apart: number,
  scene: Partial<Scene> = {},
  callOf: (turn: number) => Call = (turn) => ({ turn })
): number | undefined => {
  const demotion = new Demotion()
  const turns = Array.from({ length: 100 }, (_, i) => i + 1)
  return turns.find((turn) => demotion[what](callOf(turn), { ...alone(turn, turn * apart), ...scene }))
}

describe("calls that used up their retries", () => {
  it("demote the key when they are three in a row", () => {
    expect(demotedAt("exhausted", 0)).toBe(3)
    expect(demotedAt("exhausted", 10_000)).toBe(3)
  })

  it("not within a second while others are in flight", () => {
    expect(demotedAt("exhausted", 499, { isIdle: false })).toBe(4)
    expect(demotedAt("exhausted", 500, { isIdle: false })).toBe(3)
    expect(demotedAt("exhausted", 0, { isIdle: false })).toBeUndefined()
  })
})

describe("calls that are refused", () => {
  it("demote the key when they are nine over ten seconds", () => {
    expect(demotedAt("refused", 1249)).toBe(10)
    expect(demotedAt("refused", 1250)).toBe(9)
    expect(demotedAt("refused", 60_000)).toBe(9)
    expect(demotedAt("refused", 0)).toBeUndefined()
  })

  it("are calls, not requests: one that is refused again and again counts once", () => {
    const one = { turn: 0 }
    expect(demotedAt("refused", 5000, {}, (turn) => Object.assign(one, { turn }))).toBeUndefined()
  })
})

for (const what of ["refused", "exhausted"] as const) {
  describe(`calls that are ${what}`, () => {
    it("say nothing while a request is being served", () => {
      expect(demotedAt(what, 60_000, { isBeingServed: true })).toBeUndefined()
    })

    it("count as one if they were in flight together", () => {
      expect(demotedAt(what, 60_000, { lastTurn: 100 })).toBeUndefined()
    })

    it("are forgiven by one that is accepted", () => {
      const demotion = new Demotion()
      for (let turn = 1; turn <= 100; turn++) {
        if (turn % 2 === 0) demotion.forgive()
        expect(demotion[what]({ turn }, alone(turn, turn * 60_000))).toBe(false)
      }
    })
  })
}

it("whatever happens, fewer than three calls since the last acceptance never demote a key", () => {
  const step = FastCheck.record({
    what: FastCheck.constantFrom("refused" as const, "exhausted" as const, "forgive" as const),
    later: FastCheck.nat(60_000),
    isIdle: FastCheck.boolean(),
    isBeingServed: FastCheck.boolean()
  })
  FastCheck.assert(
    FastCheck.property(FastCheck.array(step, { maxLength: 60 }), (steps) => {
      const demotion = new Demotion()
      let [now, turn, calls] = [0, 0, 0]
      for (const { isBeingServed, isIdle, later, what } of steps) {
        now += later
        turn += 1
        if (what === "forgive") {
          demotion.forgive()
          calls = 0
          continue
        }
        calls += 1
        const demoted = demotion[what]({ turn }, { now, lastTurn: turn, isIdle, isBeingServed })
        if (calls < 3 || isBeingServed) expect(demoted).toBe(false)
      }
    })
  )
})
