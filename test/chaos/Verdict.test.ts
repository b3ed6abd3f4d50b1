/** The judge of the chaos run: if it does not see what is wrong, the run proves nothing. */
import { describe, expect, it } from "@effect/vitest"
import { Chat, ProviderError } from "../../src/index.js"
import * as Dice from "./Dice.js"
import * as Script from "./Script.js"
import * as Speech from "./Speech.js"
import * as StormReport from "./StormReport.js"
import * as Verdict from "./Verdict.js"
import type * as Storm from "./weather/Storm.js"

const call = 17
const all = Speech.eventsOf(call)
const swapped = [all[1], all[0], ...all.slice(2)].filter((event) => event !== undefined)

describe("the events of a stream", () => {
  for (const [title, seen, ended, flaw] of [
    ["all of them are right", all, true, undefined],
    ["a beginning is right for one that failed", all.slice(0, 4), false, undefined],
    ["nothing is right for one that failed", [], false, undefined],
    ["a beginning is not enough for one that ended", all.slice(0, -1), true, "lost"],
    ["one that is missing in the middle is lost", all.filter((_, i) => i !== 2), true, "lost"],
    ["one that comes twice is a duplicate", [...all.slice(0, 3), ...all.slice(2)], true, "duplicate"],
    ["a beginning that is begun again is a duplicate", [...all.slice(0, 3), ...all], true, "duplicate"],
    ["another call's is mixed up", [...all.slice(0, 2), ...Speech.eventsOf(18).slice(2, 3)], false, "mixed up"],
    ["two that changed places are mixed up", swapped, true, "mixed up"]
  ] as const) {
    it(title, () => {
      expect(Verdict.ofEvents(call, seen, ended)).toBe(flaw)
    })
  }
})

describe("a whole answer", () => {
  it("is right, or another call's", () => {
    const mine = Chat.reply(all)
    const other = Chat.reply(Speech.eventsOf(18))
    if (mine === undefined || other === undefined) throw new Error("no reply")
    expect(Verdict.ofReply(call, mine)).toBeUndefined()
    expect(Verdict.ofReply(call, other)).toBe("mixed up")
  })
})

describe("the partial text of an error", () => {
  const error = (facts: Partial<ProviderError.Facts>) =>
    new ProviderError.Transient({ ...ProviderError.nothingSent("p"), reason: "StreamInterrupted", ...facts })
  const shown: ReadonlyArray<Chat.Event> = [{ _tag: "TextDelta", text: "Hel" }]

  for (const [title, facts, seen, flaw] of [
    ["the text that was shown", { emitted: true, partial: "Hel" }, shown, undefined],
    ["less", { emitted: true, partial: "He" }, shown, "lost"],
    ["more", { emitted: true, partial: "Hello" }, shown, "lost"],
    ["nothing, though some was shown", { emitted: false }, shown, "lost"],
    ["nothing, and none was", { emitted: false }, [], undefined]
  ] as const) {
    it(title, () => {
      expect(Verdict.ofPartial(error(facts), seen)).toBe(flaw)
    })
  }
})

describe("the script", () => {
  it("is the same for the same seed, and differs for another", () => {
    const faults = (seed: number) => Array.from({ length: 500 }, (_, call) => Script.faultOf(seed, call + 1, 1))
    expect(faults(1)).toEqual(faults(1))
    expect(faults(1)).not.toEqual(faults(2))
  })

  it("draws each fault about as often as its rate says", () => {
    const drawn = Array.from({ length: 20_000 }, (_, call) => Script.faultOf(3, call + 1, 1))
    for (const [fault, rate] of Object.entries(Script.rates)) {
      const share = (drawn.filter((one) => one === fault).length / drawn.length) * 100
      expect(Math.abs(share - rate), fault).toBeLessThan(0.5)
    }
  })

  it("dice are even enough", () => {
    const dice = Dice.make("even")
    const counts = new Map<number, number>()
    for (let i = 0; i < 6000; i++) {
      const side = dice.below(6)
      counts.set(side, (counts.get(side) ?? 0) + 1)
    }
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})

describe("the report of a storm", () => {
  const good: Storm.Result = {
    seconds: 1,
    sum: {
      calls: 10,
      requests: 15,
      notices: 5,
      miscounted: 0,
      outcomes: new Map([["answered", 10]]),
      flaws: new Map(),
      neither: 0,
      wrong: [],
      longestWait: 1,
      perCall: new Map()
    },
    arrived: new Map(),
    connectionsLeft: 0,
    fibersLeft: 0,
    heapBefore: 100,
    heapAfter: 109
  }

  it("passes if all went well", () => {
    expect(StormReport.checks(good, 10).filter(({ holds }) => !holds)).toEqual([])
  })

  const bads: ReadonlyArray<readonly [title: string, bad: Storm.Result]> = [
    ["a call that was not made", { ...good, sum: { ...good.sum, calls: 9 } }],
    ["a call that ended in neither", { ...good, sum: { ...good.sum, neither: 1 } }],
    ["a duplicate", { ...good, sum: { ...good.sum, flaws: new Map([["duplicate", 1]]) } }],
    ["a lost event", { ...good, sum: { ...good.sum, flaws: new Map([["lost", 1]]) } }],
    ["a mixed-up event", { ...good, sum: { ...good.sum, flaws: new Map([["mixed up", 1]]) } }],
    ["a miscounted error", { ...good, sum: { ...good.sum, miscounted: 1 } }],
    ["a notice too many", { ...good, sum: { ...good.sum, notices: 6 } }],
    ["a connection", { ...good, connectionsLeft: 1 }],
    ["a healthy call that waited for long", { ...good, sum: { ...good.sum, longestWait: 6 } }],
    ["a fiber", { ...good, fibersLeft: 1 }],
    ["a heap that grew", { ...good, heapAfter: 111 }]
  ]

  for (const [title, bad] of bads) {
    it(`does not pass with ${title}`, () => {
      expect(StormReport.checks(bad, 10).some(({ holds }) => !holds)).toBe(true)
    })
  }
})
