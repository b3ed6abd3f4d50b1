/** When refusals turn out not to be about load, and for how long they are then tolerated. */
import { describe, expect, it } from "@effect/vitest"
import { Doubt } from "../../src/credential/Doubt.js"

/** Outcomes one after the other, of which every nth is refused. Returns the first verdict, if there is one. */
const hear = (doubt: Doubt, level: number, era: number, count: number, every: number, limit = 4, now = 0) => {
  let verdict: number | undefined
  for (let i = 1; i <= count; i++) verdict ??= doubt.add({ era, level }, i % every === 0, limit, era, now)
  return verdict
}

const none = Number.POSITIVE_INFINITY

/** One in five is refused, first with 64 in flight and then with four. */
const useless = (doubt: Doubt, now = 0) => {
  hear(doubt, 64, 0, 50, 5, 64, now)
  return hear(doubt, 4, 1, 200, 5, 4, now)
}

describe("a verdict", () => {
  it("there is none as long as nothing is refused", () => {
    const doubt = new Doubt()
    expect(hear(doubt, 64, 0, 1000, none)).toBeUndefined()
    expect(doubt.tolerates(0)).toBe(false)
  })

  it("there is none before enough was heard below where it began", () => {
    const doubt = new Doubt()
    hear(doubt, 64, 0, 50, 5, 64)
    expect(hear(doubt, 4, 1, 20, 5)).toBeUndefined()
    expect(doubt.tolerates(0)).toBe(false)
  })

  it("as many refused of few as of many: back to where it began, and such refusals are tolerated", () => {
    const doubt = new Doubt()
    expect(useless(doubt)).toBe(64)
    expect(doubt.tolerates(0)).toBe(true)
  })

  it("less than half as many: holding back has helped", () => {
    const doubt = new Doubt()
    hear(doubt, 64, 0, 50, 5, 64)
    expect(hear(doubt, 4, 1, 200, 11)).toBeUndefined()
    expect(doubt.tolerates(0)).toBe(false)
  })

  it("nearly half of all refused is overload, whatever their number", () => {
    const doubt = new Doubt()
    hear(doubt, 64, 0, 50, 2, 64)
    expect(hear(doubt, 4, 1, 200, 2)).toBeUndefined()
    expect(doubt.tolerates(0)).toBe(false)
  })

  it("what was sent before it shrank says nothing of what shrinking does", () => {
    const doubt = new Doubt()
    hear(doubt, 64, 0, 50, 5, 64)
    expect(hear(doubt, 4, 0, 200, 5)).toBeUndefined()
  })
})

describe("what is tolerated", () => {
  it("is tolerated for a minute, and twice as long each time that it is found again, up to ten minutes", () => {
    const doubt = new Doubt()
    let now = 0
    for (const minutes of [1, 2, 4, 8, 10, 10]) {
      useless(doubt, now)
      now += minutes * 60_000
      expect(doubt.tolerates(now - 1), `${minutes} minutes`).toBe(true)
      expect(doubt.tolerates(now), `${minutes} minutes`).toBe(false)
      doubt.reset()
    }
  })

  it("is no more than it was then: many in a row are not", () => {
    const doubt = new Doubt()
    useless(doubt)
    hear(doubt, 64, 2, 12, 1, 64)
    expect(doubt.tolerates(1000)).toBe(false)
    // And again once they are rare.
    hear(doubt, 64, 2, 40, none, 64)
    expect(doubt.tolerates(1000)).toBe(true)
  })
})

it("the recent share follows what comes", () => {
  const doubt = new Doubt()
  hear(doubt, 1, 0, 200, 1)
  expect(doubt.recentShare).toBeGreaterThan(0.99)
  hear(doubt, 1, 0, 200, none)
  expect(doubt.recentShare).toBeLessThan(0.01)
  doubt.reset()
  expect(doubt.recentShare).toBe(0)
})
