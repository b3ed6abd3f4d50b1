/** Why a 2xx is not an answer: how each fault is made, and told apart from other values. */
import { describe, expect, it } from "@effect/vitest"
import * as Fault from "../../src/refusal/Fault.js"

describe("an answer that is not one", () => {
  for (const [what, made, expected] of [
    ["by its reason alone", Fault.malformed("Empty"), { _tag: "Malformed", reason: "Empty", preview: "" }],
    [
      "with what came instead",
      Fault.malformed("NotTheProtocol", "<html>"),
      { _tag: "Malformed", reason: "NotTheProtocol", preview: "<html>" }
    ],
    [
      "with what else is known of it",
      Fault.malformed("NotJson", "", { tool: "weather", finishReason: "tool_calls" }),
      { _tag: "Malformed", reason: "NotJson", preview: "", tool: "weather", finishReason: "tool_calls" }
    ]
  ] as const) {
    it(`is Malformed, ${what}`, () => {
      expect(made).toEqual(expected)
    })
  }
})

describe("an answer that ended too soon", () => {
  it("is Cut, with the system's word if there is one", () => {
    expect(Fault.cut()).toEqual({ _tag: "Cut", code: undefined })
    expect(Fault.cut("ECONNRESET")).toEqual({ _tag: "Cut", code: "ECONNRESET" })
  })
})

describe("a fault", () => {
  const faults: ReadonlyArray<Fault.Fault> = [
    { _tag: "Refused", body: "{}" },
    Fault.malformed("Empty"),
    { _tag: "BrokenOff", code: "network_error", reason: "ServerError" },
    Fault.cut(),
    { _tag: "Stalled", clock: "idle" }
  ]
  for (const fault of faults) {
    it(`is told apart from events, models and words: ${fault._tag}`, () => {
      expect(Fault.isFault(fault)).toBe(true)
    })
  }

  for (const [what, value] of [
    ["no events", []],
    ["events", [{ _tag: "TextDelta", text: "Hello" }]],
    ["what is read on from", "more"],
    ["what is complete", "done"]
  ] as const) {
    it(`is not ${what}`, () => {
      expect(Fault.isFault(value)).toBe(false)
    })
  }
})
