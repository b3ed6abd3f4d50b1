/** What drives a decoder, shown at a wire of ten lines: each event is a word, `.` ends the answer, `!` is an error. */
import { describe, expect, it } from "@effect/vitest"
import * as WireReader from "../../src/answer/WireReader.js"
import type * as Chat from "../../src/Chat.js"
import { unknownUsage } from "../../src/chat/Event.js"
import type * as Protocol from "../../src/Protocol.js"
import * as Fault from "../../src/refusal/Fault.js"

const finish: Chat.Event = {
  _tag: "Finish",
  reason: "stop",
  rawReason: ".",
  usage: unknownUsage,
  model: undefined,
  id: undefined
}

const toy = (): Protocol.Decoder => {
  const step: Protocol.Decoder["step"] = (data, _, events) => {
    if (data === "!") return { _tag: "Refused", body: data }
    events.push(data === "." ? finish : { _tag: "TextDelta", text: data })
    return data === "." ? "done" : "more"
  }
  return {
    step,
    end: () => Fault.cut(),
    decodeBody: (body, raw, events) =>
      typeof body["said"] === "string" ? step(body["said"], "", events) : Fault.malformed("NotTheProtocol", raw)
  }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const word = (text: string): Chat.Event => ({ _tag: "TextDelta", text })

describe("a stream", () => {
  it("is read a chunk at a time, to the end that the wire knows and no further", () => {
    const reader = WireReader.make(toy())
    expect([reader.begun(), reader.state(), reader.text()]).toEqual([false, "more", ""])
    expect(reader.feed(bytes("data: Hel"))).toEqual([])
    expect(reader.feed(bytes("\n\ndata: lo\n\n"))).toEqual([word("Hel"), word("lo")])
    expect([reader.begun(), reader.state(), reader.text()]).toEqual([true, "more", "Hello"])
    expect(reader.feed(bytes("data: .\n\ndata: more\n\n"))).toEqual([finish])
    expect([reader.feed(bytes("data: more\n\n")), reader.end()]).toEqual([[], []])
    expect([reader.state(), reader.text()]).toEqual(["done", "Hello"])
  })

  it("that fails gives what came before, and keeps its first fault", () => {
    const reader = WireReader.make(toy())
    expect(reader.feed(bytes("data: a\n\ndata: !\n\ndata: .\n\n"))).toEqual([word("a")])
    expect(reader.end()).toEqual([])
    expect(reader.state()).toEqual({ _tag: "Refused", body: "!" })
  })

  it("that ends before its end is cut", () => {
    const reader = WireReader.make(toy())
    reader.feed(bytes("data: a\n\n"))
    reader.end()
    expect(reader.state()).toEqual(Fault.cut())
  })

  for (const [name, options] of [
    ["one event", { maxEventBytes: 20 }],
    ["all of them", { maxBytes: 40 }]
  ] as const) {
    it(`has a bound on the bytes of ${name}`, () => {
      const reader = WireReader.make(toy(), options)
      expect(reader.feed(bytes("data: a\n\n"))).toEqual([word("a")])
      reader.feed(bytes(`data: ${"x".repeat(40)}`))
      expect(reader.state()).toMatchObject({ _tag: "Malformed", reason: "TooLarge" })
    })
  }
})

describe("a body that came whole", () => {
  for (const [text, read] of [
    ['{"said":"."}', [finish]],
    ['{"said":"!"}', { _tag: "Refused", body: "!" }],
    ['{"said":1}', Fault.malformed("NotTheProtocol", '{"said":1}')],
    ["[]", Fault.malformed("NotTheProtocol", "[]")],
    ["{half", Fault.malformed("NotTheProtocol", "{half")],
    ["", Fault.malformed("NotTheProtocol", "")]
  ] as const) {
    it(`${text || "nothing"} is read by the decoder of the stream`, () => {
      expect(WireReader.decodeBody(toy(), text)).toEqual(read)
    })
  }
})
