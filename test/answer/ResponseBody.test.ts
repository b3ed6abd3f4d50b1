/** The clocks of a body, to the second. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, Stream, TestClock } from "effect"
import type * as Body from "../../src/answer/Body.js"
import type * as Opened from "../../src/answer/Opened.js"
import * as ResponseBody from "../../src/answer/ResponseBody.js"
import * as Watch from "../../src/answer/Watch.js"
import * as WireReader from "../../src/answer/WireReader.js"
import { Provider, RetryPolicy } from "../../src/index.js"
import type * as Protocol from "../../src/Protocol.js"
import * as Fault from "../../src/refusal/Fault.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { chunk, hello, mimo, patiently } from "../Wire.js"

const policy = () => RetryPolicy.none
const timeouts = { idle: "30 seconds", stall: "90 seconds" } as const

/** A chunk a second, for ever. */
const forEver = (text: string, type: string): Gateway.Answer => ({
  status: 200,
  headers: { "content-type": type },
  body: Array.from({ length: 10_000 }, () => [{ wait: "1 second" } as const, new TextEncoder().encode(text)]).flat()
})

const json = "application/json"
const sse = "text/event-stream"

describe("keep-alives", () => {
  for (const [name, answer, call] of [
    ["white space for ever, whole", forEver("\n", json), Effect.asVoid(Provider.complete(hello))],
    ["comments for ever, streamed", forEver(": keep-alive\n\n", sse), Stream.runDrain(Provider.stream(hello))]
  ] as const) {
    it.effect(`${name}: bytes, but no output, so the answer stalls`, () =>
      Effect.gen(function* () {
        const error = yield* patiently(Effect.flip(call))
        expect(error).toMatchObject({ _tag: "Transient", reason: "StreamStalled", clock: "stall" })
      }).pipe(Effect.provide(mimo([answer], { policy, timeouts })))
    )
  }

  for (const [name, answer, call] of [
    ["whole", Gateway.stall(10, Gateway.json({ choices: [] })), Effect.asVoid(Provider.complete(hello))],
    ["streamed", Gateway.stall(0, Gateway.sse([])), Stream.runDrain(Provider.stream(hello))]
  ] as const) {
    it.effect(`silence, ${name}: no byte, so it is idle`, () =>
      Effect.gen(function* () {
        const error = yield* patiently(Effect.flip(call))
        expect(error).toMatchObject({ _tag: "Transient", reason: "StreamStalled", clock: "idle" })
      }).pipe(Effect.provide(mimo([answer], { policy, timeouts })))
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// A body by hand, chunk by chunk
// ---------------------------------------------------------------------------------------------------------------------

const utf8 = (text: string) => new TextEncoder().encode(text)
const bytes = (text: string): Body.Read => ({ _tag: "Bytes", bytes: utf8(text) })
const end: Body.Read = { _tag: "End" }
const broken: Body.Read = { _tag: "Broken", code: "ECONNRESET" }
const say = (text: string) => `data: ${text}\n\n`
const done = "data: [DONE]\n\n"

/** Whoever holds it says what comes, and sees how much was asked for. */
class Wire {
  private answer: ((read: Body.Read) => void) | undefined
  private readonly coming: Array<Body.Read> = []
  asked = 0

  readonly body: Body.Body = {
    next: (then) => {
      this.asked += 1
      this.answer = then
      this.deliver()
    },
    isOver: () => false,
    release: Effect.void
  }

  come(...reads: ReadonlyArray<Body.Read>): void {
    for (const read of reads) {
      this.coming.push(read)
      this.deliver()
    }
  }

  /** Not at once to whoever asks within an answer, as no body does. */
  private delivering = false
  private deliver(): void {
    if (this.delivering) return
    this.delivering = true
    while (this.answer !== undefined && this.coming.length > 0) {
      const answer = this.answer
      const read = this.coming.shift()
      this.answer = undefined
      if (read !== undefined) answer(read)
    }
    this.delivering = false
  }

  get isAsked(): boolean {
    return this.answer !== undefined
  }
}

/** Each event is a text, but for what ends it. */
const decoder = (): Protocol.Decoder => ({
  step: (data, _, events) => {
    if (data === "[DONE]") return "done"
    if (data === "throw") throw new Error("the decoder's own")
    if (data === "fault") return Fault.malformed("NotTheProtocol", data)
    events.push({ _tag: "TextDelta", text: data })
    return "more"
  },
  end: () => Fault.cut(),
  whole: () => Fault.malformed("NotTheProtocol")
})

const reading = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const wire = new Wire()
  const watch = new Watch.Watch(clock)
  const watches = Watch.make(clock, 30_000)
  yield* watches.begin(watch)
  const told = { over: 0, whole: 0 }
  const source: ResponseBody.Source = {
    body: wire.body,
    watch,
    waits: { idle: 30_000, stall: 90_000 },
    whole: () => {
      told.whole += 1
    },
    over: () => {
      told.over += 1
    }
  }
  const events = ResponseBody.events(source, WireReader.make(decoder()))
  return { events, source, told, wire }
})

const texts = ([events]: Opened.Taken) =>
  Array.from(events, (event) => (event._tag === "TextDelta" ? event.text : event._tag)).join("")

describe("what is read while nobody waits", () => {
  it.effect("at most 64 KiB and what comes with them, until something is taken", () =>
    Effect.gen(function* () {
      const { events, wire } = yield* reading
      wire.come(bytes(say("first")))
      expect(texts(yield* events.take)).toBe("first")
      const kibibyte = say("x".repeat(1024 - 8))
      for (let i = 0; i < 63; i++) wire.come(bytes(kibibyte))
      expect(wire.isAsked).toBe(true)
      wire.come(bytes(kibibyte))
      expect(wire.isAsked).toBe(false)
      expect(texts(yield* events.take).length).toBe(64 * (1024 - 8))
      expect(wire.isAsked).toBe(true)
    })
  )

  it.effect("nothing is read before the first is asked for", () =>
    Effect.gen(function* () {
      const { wire } = yield* reading
      expect(wire.asked).toBe(0)
    })
  )

  it.effect("an answer that has come whole is known to be whole, though its consumer pauses", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      wire.come(bytes(say("a")))
      yield* events.take
      wire.come(bytes(say("b") + say("c")), bytes(done))
      expect(told).toEqual({ over: 1, whole: 1 })
      yield* TestClock.adjust("1 day")
      const last = yield* events.take
      expect([texts(last), last[1]]).toEqual(["bc", true])
      expect(told).toEqual({ over: 1, whole: 1 })
    })
  )

  for (const [name, read, expected] of [
    ["a fault", bytes(say("fault")), { _tag: "Failure", cause: { error: { _tag: "Malformed" } } }],
    ["a connection that broke", broken, { _tag: "Failure", cause: { error: { _tag: "Cut", code: "ECONNRESET" } } }],
    ["an early end", end, { _tag: "Failure", cause: { error: { _tag: "Cut" } } }],
    ["a defect", bytes(say("throw")), { _tag: "Failure", cause: { defect: { message: "the decoder's own" } } }]
  ] as const) {
    it.effect(`${name} is told behind every event before it`, () =>
      Effect.gen(function* () {
        const { events, told, wire } = yield* reading
        wire.come(bytes(say("a")))
        yield* events.take
        wire.come(bytes(say("b")), bytes(say("c")), read)
        expect(told).toEqual({ over: 1, whole: 0 })
        const before = yield* events.take
        expect([texts(before), before[1]]).toEqual(["bc", false])
        for (const _ of [1, 2]) expect(yield* Effect.exit(events.take)).toMatchObject(expected)
        expect(told.over).toBe(1)
      })
    )
  }

  it.effect("no clock runs against a consumer that pauses, and its full length is left when it waits again", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      wire.come(bytes(say("a")))
      yield* events.take
      yield* TestClock.adjust("1 day")
      expect(told.over).toBe(0)
      const fiber = yield* Effect.fork(Effect.flip(events.take))
      yield* TestClock.adjust("29999 millis")
      expect(yield* Fiber.poll(fiber)).toEqual(Option.none())
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Stalled", clock: "idle" })
      expect(told).toEqual({ over: 1, whole: 0 })
    })
  )

  it.effect("what comes after the clock ran out comes too late", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      const fiber = yield* Effect.fork(Effect.flip(events.take))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Stalled" })
      wire.come(bytes(say("late") + done))
      expect(yield* Effect.flip(events.take)).toMatchObject({ _tag: "Stalled" })
      expect(told).toEqual({ over: 1, whole: 0 })
      expect(wire.isAsked).toBe(false)
    })
  )

  it.effect("10,000 chunks of one byte are read in linear time and no deeper than one", () =>
    Effect.gen(function* () {
      const { events, wire } = yield* reading
      const all = utf8(Array.from({ length: 900 }, (_, i) => say(String(i % 10))).join("") + done)
      const collected = yield* Effect.fork(
        Effect.gen(function* () {
          let text = ""
          for (;;) {
            const taken = yield* events.take
            text += texts(taken)
            if (taken[1]) return text
          }
        })
      )
      wire.come(...Array.from(all, (byte): Body.Read => ({ _tag: "Bytes", bytes: Uint8Array.of(byte) })))
      expect((yield* Fiber.join(collected)).length).toBe(900)
    })
  )
})

describe("over, told by each way to read", () => {
  it.effect("before the consumer is", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      const seen: Array<number> = []
      events.wait(() => seen.push(told.over))
      wire.come(bytes(done))
      expect(seen).toEqual([1])
    })
  )

  it.effect("by listen, once", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      const heard: Array<unknown> = []
      const fiber = yield* Effect.fork(events.each((event) => heard.push(event)))
      yield* Effect.yieldNow()
      wire.come(bytes(say("a")), bytes(say("b")))
      expect([heard.length, told.over]).toEqual([2, 0])
      wire.come(bytes(done))
      yield* Fiber.join(fiber)
      expect(told).toEqual({ over: 1, whole: 1 })
    })
  )

  for (const [name, reads, over] of [
    ["by a whole text, at its end", [bytes("{}"), end], 1],
    ["by a whole text that breaks", [bytes("{"), broken], 1],
    ["by a whole text that is too large", [bytes("x".repeat(101))], 1],
    ["not before", [bytes("{")], 0]
  ] as const) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const { source, told, wire } = yield* reading
        const fiber = yield* Effect.fork(Effect.exit(ResponseBody.text(source, 100)))
        yield* Effect.yieldNow()
        wire.come(...reads)
        expect(told.over).toBe(over)
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(fiber)
        expect(told.over).toBe(1)
        wire.come(end)
        expect(told.over).toBe(1)
      })
    )
  }

  it.effect("what it throws is a defect of this answer", () =>
    Effect.gen(function* () {
      const { source, wire } = yield* reading
      const over = () => {
        throw new Error("over's own")
      }
      const fiber = yield* Effect.fork(Effect.exit(ResponseBody.text({ ...source, over }, 100)))
      yield* Effect.yieldNow()
      wire.come(end)
      expect(yield* Fiber.join(fiber)).toMatchObject({ cause: { defect: { message: "over's own" } } })
    })
  )
})

describe("what the callback of wait throws", () => {
  for (const [name, happens] of [
    ["when something comes", (wire: Wire) => Effect.sync(() => wire.come(bytes(say("a"))))],
    ["when the clock runs out", () => TestClock.adjust("1 minute")]
  ] as const) {
    it.effect(`${name} is a defect of this answer, and the clocks of the others ring`, () =>
      Effect.gen(function* () {
        const { events, told, wire } = yield* reading
        const other = yield* reading
        const late = yield* Effect.fork(Effect.flip(other.events.take))
        events.wait(() => {
          throw new Error("the callback's own")
        })
        yield* happens(wire)
        expect(told.over).toBe(1)
        yield* Effect.exit(events.take)
        expect(yield* Effect.exit(events.take)).toMatchObject({ cause: { defect: { message: "the callback's own" } } })
        yield* TestClock.adjust("1 hour")
        expect(yield* Fiber.join(late)).toMatchObject({ _tag: "Stalled" })
      })
    )
  }
})

describe("Opened.wait, of a whole provider", () => {
  it.effect("a callback that throws leaves the clocks of the other calls alone", () =>
    Effect.gen(function* () {
      const provider = yield* Provider.Provider
      const scope = yield* Effect.scope
      const first = yield* provider.open(hello)(scope)
      first.wait(() => {
        throw new Error("the callback's own")
      })
      const error = yield* patiently(Effect.flip(Provider.listen(hello, () => undefined)))
      expect(error).toMatchObject({ _tag: "Transient", reason: "StreamStalled", clock: "idle" })
    }).pipe(
      Effect.scoped,
      Effect.provide(
        mimo(
          () => ({
            status: 200,
            headers: { "content-type": sse },
            body: [utf8(`data: ${JSON.stringify(chunk({ content: "Hi" }))}\n\n`), "stall"]
          }),
          { policy, timeouts }
        )
      )
    )
  )
})
