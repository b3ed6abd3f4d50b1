/** `<think>…</think>` at the start of a text is separated from it, wherever the pieces are cut. */
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type * as Chat from "../../src/Chat.js"
import * as ThinkTags from "../../src/protocol/ThinkTags.js"
import * as Cost from "../Cost.js"
import * as Effort from "../Effort.js"

/** What comes out for these pieces, in order. */
const run = (pieces: ReadonlyArray<string>): ReadonlyArray<Chat.Event> => {
  const events: Array<Chat.Event> = []
  const tags = ThinkTags.make()
  for (const piece of pieces) tags.add(piece, events)
  tags.end(events)
  return events
}

const textOf = (events: ReadonlyArray<Chat.Event>, tag: "TextDelta" | "ReasoningDelta"): string =>
  events.map((event) => (event._tag === tag ? event.text : "")).join("")

const split = (pieces: ReadonlyArray<string>) => {
  const events = run(pieces)
  return { reasoning: textOf(events, "ReasoningDelta"), text: textOf(events, "TextDelta") }
}

describe("a text", () => {
  for (const [title, text, expected] of [
    ["with a closed tag", "<think>I see</think>Hello", { reasoning: "I see", text: "Hello" }],
    // MiniMax M2.7 and M3, recorded: white space after a tag belongs to the part that it is in.
    [
      "with lines around, as MiniMax M2.7 writes",
      "<think>Hm.\n</think>\n\nHello",
      { reasoning: "Hm.\n", text: "\n\nHello" }
    ],
    [
      "with a line behind the tag, as MiniMax M3 writes",
      "<think>\nHm.\n</think>\nHi",
      { reasoning: "\nHm.\n", text: "\nHi" }
    ],
    ["with white space before the tag", " \n<think>Hm</think>Hi", { reasoning: "Hm", text: "Hi" }],
    ["of thinking alone", "<think>Hm</think>", { reasoning: "Hm", text: "" }],
    ["of an empty thought", "<think></think>Hi", { reasoning: "", text: "Hi" }],
    ["that never closes the tag", "<think>Hm, so", { reasoning: "Hm, so", text: "" }],
    ["that ends inside the closing tag", "<think>Hm</thi", { reasoning: "Hm</thi", text: "" }],
    ["that ends inside the opening tag", "<thi", { reasoning: "", text: "<thi" }],
    ["without a tag", "Hello", { reasoning: "", text: "Hello" }],
    ["without a tag, and with white space before it", "\n\n Hello", { reasoning: "", text: "\n\n Hello" }],
    ["of white space", " \n", { reasoning: "", text: " \n" }],
    ["of nothing", "", { reasoning: "", text: "" }],
    ["with a tag that is not at its head", "Use <think>x</think>", { reasoning: "", text: "Use <think>x</think>" }],
    [
      "with a second thought, which stays text",
      "<think>a</think>b<think>c</think>",
      { reasoning: "a", text: "b<think>c</think>" }
    ],
    ["with a closing tag alone", "a</think>b", { reasoning: "", text: "a</think>b" }],
    ["with another tag at its head", "<thinking>a</thinking>", { reasoning: "", text: "<thinking>a</thinking>" }],
    ["with a tag in capitals", "<Think>a</Think>", { reasoning: "", text: "<Think>a</Think>" }],
    ["with an opening tag inside the thought", "<think>a<think>b</think>c", { reasoning: "a<think>b", text: "c" }],
    [
      "with what looks like the closing tag",
      "<think>a</thin></think></think>",
      { reasoning: "a</thin>", text: "</think>" }
    ]
  ] as const) {
    it(title, () => {
      expect(split([text])).toEqual(expected)
      expect(split([...text])).toEqual(expected)
    })
  }

  it("may have tags that are cut in the middle", () => {
    expect(run(["<th", "ink>H", "m</", "think", ">Hi"])).toEqual([
      { _tag: "ReasoningDelta", text: "H" },
      { _tag: "ReasoningDelta", text: "m" },
      { _tag: "TextDelta", text: "Hi" }
    ])
  })
})

describe("nothing is held back longer than necessary", () => {
  const soFar = (pieces: ReadonlyArray<string>) => {
    const events: Array<Chat.Event> = []
    const tags = ThinkTags.make()
    for (const piece of pieces) tags.add(piece, events)
    return events.map((event) => ("text" in event ? event.text : "")).join("")
  }

  it("text without a tag is emitted at once", () => {
    expect(soFar(["H"])).toBe("H")
    expect(soFar(["<b"])).toBe("<b")
  })

  it("a thought is emitted at once, except for what may be the closing tag", () => {
    expect(soFar(["<think>a b"])).toBe("a b")
    expect(soFar(["<think>a b </thi"])).toBe("a b ")
    expect(soFar(["<think>a <"])).toBe("a ")
    expect(soFar(["<think>a <b"])).toBe("a <b")
  })

  it("no event is empty", () => {
    for (const pieces of [["<think></think>"], ["", "<think>", "", "</think>", ""], ["<think>a", "</think>", "b"]]) {
      expect(run(pieces).filter((event) => "text" in event && event.text === "")).toEqual([])
    }
  })
})

describe("the cost is linear in the text", () => {
  /** As a stream does: events are taken at once. */
  const pass = (pieces: ReadonlyArray<string>): void => {
    const events: Array<Chat.Event> = []
    const tags = ThinkTags.make()
    for (const piece of pieces) {
      tags.add(piece, events)
      events.length = 0
    }
    tags.end(events)
  }

  for (const [title, first, piece] of [
    ["white space before anything else", "", " "],
    ["white space inside a thought", "<think>", "\n"],
    ["a thought that is all but closed again and again", "<think>", "</think"],
    ["an opening tag that never comes", "", "\n<thin"]
  ] as const) {
    it(title, () => {
      const pieces = (size: number) => [first, ...Array<string>(size).fill(piece)]
      const passed = (size: number) => {
        const all = pieces(size)
        return () => pass(all)
      }
      expect(Cost.growth(passed(20_000), passed(80_000))).toBeLessThan(8)
    })
  }

  it("white space without a tag after it is not lost", () => {
    expect(split([...Array<string>(10_000).fill(" "), "a"])).toEqual({ reasoning: "", text: `${" ".repeat(10_000)}a` })
    expect(split(Array<string>(10_000).fill("\n"))).toEqual({ reasoning: "", text: "\n".repeat(10_000) })
  })
})

describe("any cut gives the same events", () => {
  const words = ["<think>", "</think>", "<thi", "nk>", "</", "<", ">", " ", "\n", "a", "🚀"]
  const pieces = FastCheck.array(FastCheck.constantFrom(...words), { maxLength: 20 })

  it.prop(
    "split, whole or letter by letter",
    [pieces],
    ([pieces]) => {
      const whole = pieces.join("")
      expect(split(pieces)).toEqual(split([whole]))
      expect(split([...whole])).toEqual(split([whole]))
    },
    { fastCheck: { numRuns: Effort.runs(300) } }
  )

  it.prop(
    "and nothing is lost but the tags and the white space before them",
    [pieces],
    ([pieces]) => {
      const whole = pieces.join("")
      const { reasoning, text } = split(pieces)
      const thought = /^\s*<think>(.*?)(?:<\/think>(.*))?$/su.exec(whole)
      expect({ reasoning, text }).toEqual(
        thought === null ? { reasoning: "", text: whole } : { reasoning: thought[1] ?? "", text: thought[2] ?? "" }
      )
    },
    { fastCheck: { numRuns: Effort.runs(300) } }
  )
})
