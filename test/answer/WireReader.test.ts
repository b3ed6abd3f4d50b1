/** What drives a decoder, shown at a wire of ten lines: each event is a word, `.` ends the answer, `!` is an error. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as WireReader from "../../src/answer/WireReader.js"
import type * as Chat from "../../src/Chat.js"
import { unknownUsage } from "../../src/chat/Event.js"
import type * as Protocol from "../../src/Protocol.js"
import * as Fault from "../../src/refusal/Fault.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Cost from "../Cost.js"
import { service } from "../protocol/Bodies.js"
import { hello } from "../Wire.js"

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

// ---------------------------------------------------------------------------------------------------------------------
// Bounds
// ---------------------------------------------------------------------------------------------------------------------

const MiB = 1024 * 1024
const mebibyte = new Uint8Array(MiB).fill("x".charCodeAt(0))
const tooLarge = { _tag: "Malformed", reason: "TooLarge" }

/** Feeds the same chunk again and again. Returns how many bytes of buffers that took. */
const feed = (reader: WireReader.WireReader, chunk: Uint8Array, times: number): number =>
  Cost.allocated(() => {
    for (let i = 0; i < times; i++) reader.feed(chunk)
  }).reduce((sum, size) => sum + size, 0)

describe("a line that never ends", () => {
  it("fails at the limit, and the buffers stay near it", () => {
    const reader = WireReader.make(toy(), { maxEventBytes: 8 * MiB })
    const grown = feed(reader, mebibyte, 64)
    expect(reader.state()).toMatchObject(tooLarge)
    expect(reader.feed(bytes("\n\ndata: a\n\n"))).toEqual([])
    expect(grown).toSatisfy((grown: number) => grown > 8 * MiB && grown < 40 * MiB)
  })

  it("fails one byte past 32 MiB by default", () => {
    const reader = WireReader.make(toy())
    const grown = feed(reader, mebibyte, 32)
    expect(reader.state()).toBe("more")
    reader.feed(mebibyte.subarray(0, 1))
    expect(reader.state()).toMatchObject(tooLarge)
    expect(grown).toBeLessThan(160 * MiB)
  })

  it("is not copied if a single chunk exceeds the limit", () => {
    const reader = WireReader.make(toy(), { maxEventBytes: MiB })
    const grown = feed(reader, new Uint8Array(64 * MiB).fill("x".charCodeAt(0)), 1)
    expect(reader.state()).toMatchObject(tooLarge)
    expect(grown).toBe(0)
  })

  it("has one limit for all lines of an event, and a fresh one for each event", () => {
    const many = WireReader.make(toy(), { maxEventBytes: 10_000 })
    feed(many, bytes(`data: ${"x".repeat(1000)}\n`), 20)
    expect(many.state()).toMatchObject(tooLarge)
    const small = WireReader.make(toy(), { maxEventBytes: 10_000 })
    feed(small, bytes(`data: ${"x".repeat(1000)}\n\n`), 200)
    expect(small.state()).toBe("more")
  })

  const fortyMebibytes = Array<Uint8Array>(40).fill(mebibyte)
  for (const [name, chunks] of [
    ["of data", [bytes("data: "), ...fortyMebibytes]],
    ["of a comment", [bytes(": "), ...fortyMebibytes]],
    ["without a field name", fortyMebibytes]
  ] as const) {
    it.effect(`${name} is InvalidResponse, after one request`, () =>
      Effect.gen(function* () {
        const provider = yield* service("openai")
        const error = yield* Effect.flip(Stream.runDrain(provider.stream(hello)))
        expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 1, emitted: false })
        expect(yield* Gateway.requests).toHaveLength(1)
      }).pipe(Effect.provide(Gateway.layer(() => eventStream(chunks))))
    )
  }

  const output = bytes('data: {"choices":[{"delta":{"content":"é"}}]}\n\n')
  it.effect("after output is InvalidResponse with the text so far", () =>
    Effect.gen(function* () {
      const provider = yield* service("openai")
      const error = yield* Effect.flip(Stream.runDrain(provider.stream(hello)))
      expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 1, emitted: true, partial: "é" })
    }).pipe(Effect.provide(Gateway.layer(() => eventStream([output, bytes("data: "), ...fortyMebibytes]))))
  )
})

const eventStream = (body: ReadonlyArray<Uint8Array>): Gateway.Answer => ({
  status: 200,
  headers: { "content-type": "text/event-stream" },
  body
})

it("an answer of endless small events fails past 128 MiB by default", () => {
  const reader = WireReader.make(toy())
  const event = bytes(`data: ${"x".repeat(64 * 1024 - 8)}\n\n`)
  feed(reader, event, 2 * 1024)
  expect(reader.state()).toBe("more")
  reader.feed(event.subarray(0, 1))
  expect(reader.state()).toMatchObject(tooLarge)
})
