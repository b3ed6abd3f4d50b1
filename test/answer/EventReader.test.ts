/** What is read when, and what whoever waits is told. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import type * as Body from "../../src/answer/Body.js"
import * as Opened from "../../src/answer/Opened.js"
import { Provider, RetryPolicy } from "../../src/index.js"
import { chunk, hello, mimo, patiently } from "../Wire.js"
import { broken, bytes, done, end, reading, say, texts, utf8, type Wire } from "./ByHand.js"

describe("what is read while nobody waits", () => {
  it.effect("at most 64 KiB and what comes with them, until something is taken", () =>
    Effect.gen(function* () {
      const { events, wire } = yield* reading
      wire.come(bytes(say("first")))
      expect(texts(yield* Opened.next(events))).toBe("first")
      const kibibyte = say("x".repeat(1024 - 8))
      for (let i = 0; i < 63; i++) wire.come(bytes(kibibyte))
      expect(wire.isAsked).toBe(true)
      wire.come(bytes(kibibyte))
      expect(wire.isAsked).toBe(false)
      expect(texts(yield* Opened.next(events)).length).toBe(64 * (1024 - 8))
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
      yield* Opened.next(events)
      wire.come(bytes(say("b") + say("c")), bytes(done))
      expect(told).toEqual({ end: 1, complete: 1 })
      yield* TestClock.adjust("1 day")
      const last = yield* Opened.next(events)
      expect([texts(last), last.done]).toEqual(["bc", true])
      expect(told).toEqual({ end: 1, complete: 1 })
    })
  )

  for (const [name, read, expected] of [
    ["a fault", bytes(say("fault")), { _tag: "Failure", cause: { error: { _tag: "Malformed" } } }],
    ["a connection that broke", broken, { _tag: "Failure", cause: { error: { _tag: "Cut", code: "ECONNRESET" } } }],
    ["an early end", end, { _tag: "Failure", cause: { error: { _tag: "Cut" } } }],
    ["a defect", bytes(say("throw")), { _tag: "Failure", cause: { defect: { message: "the decoder's own" } } }]
  ] as const) {
    it.effect(`${name} is reported after every event before it`, () =>
      Effect.gen(function* () {
        const { events, told, wire } = yield* reading
        wire.come(bytes(say("a")))
        yield* Opened.next(events)
        wire.come(bytes(say("b")), bytes(say("c")), read)
        expect(told).toEqual({ end: 1, complete: 0 })
        const before = yield* Opened.next(events)
        expect([texts(before), before.done]).toEqual(["bc", false])
        for (const _ of [1, 2]) expect(yield* Effect.exit(Opened.next(events))).toMatchObject(expected)
        expect(told.end).toBe(1)
      })
    )
  }

  it.effect("no clock runs against a consumer that pauses, and its full length is left when it waits again", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      wire.come(bytes(say("a")))
      yield* Opened.next(events)
      yield* TestClock.adjust("1 day")
      expect(told.end).toBe(0)
      const fiber = yield* Effect.fork(Effect.flip(Opened.next(events)))
      yield* TestClock.adjust("29999 millis")
      expect(yield* Fiber.poll(fiber)).toEqual(Option.none())
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Stalled", clock: "idle" })
      expect(told).toEqual({ end: 1, complete: 0 })
    })
  )

  it.effect("what comes after the clock ran out comes too late", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      const fiber = yield* Effect.fork(Effect.flip(Opened.next(events)))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Stalled" })
      wire.come(bytes(say("late") + done))
      expect(yield* Effect.flip(Opened.next(events))).toMatchObject({ _tag: "Stalled" })
      expect(told).toEqual({ end: 1, complete: 0 })
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
            const batch = yield* Opened.next(events)
            text += texts(batch)
            if (batch.done) return text
          }
        })
      )
      wire.come(...Array.from(all, (byte): Body.Next => ({ _tag: "Bytes", bytes: Uint8Array.of(byte) })))
      expect((yield* Fiber.join(collected)).length).toBe(900)
    })
  )
})

describe("onEnd, called by each way to read", () => {
  it.effect("before the consumer is", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      const seen: Array<number> = []
      events.wait(() => seen.push(told.end))
      wire.come(bytes(done))
      expect(seen).toEqual([1])
    })
  )

  it.effect("by listen, once", () =>
    Effect.gen(function* () {
      const { events, told, wire } = yield* reading
      const heard: Array<unknown> = []
      const take = () => {
        const more = events.take()
        return more._tag === "Failed" ? Opened.failed(Effect.orDie(more.failure)) : more
      }
      const opened = Effect.succeed({ first: Opened.batch([], false), wait: events.wait, take })
      const fiber = yield* Effect.fork(Effect.exit(Opened.listen(opened, (event) => heard.push(event))))
      yield* Effect.yieldNow()
      wire.come(bytes(say("a")), bytes(say("b")))
      expect([heard.length, told.end]).toEqual([2, 0])
      wire.come(bytes(done))
      yield* Fiber.join(fiber)
      expect(told).toEqual({ end: 1, complete: 1 })
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
        const late = yield* Effect.fork(Effect.flip(Opened.next(other.events)))
        events.wait(() => {
          throw new Error("the callback's own")
        })
        yield* happens(wire)
        expect(told.end).toBe(1)
        yield* Effect.exit(Opened.next(events))
        expect(yield* Effect.exit(Opened.next(events))).toMatchObject({
          cause: { defect: { message: "the callback's own" } }
        })
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
      const first = yield* provider.open(hello)
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
            headers: { "content-type": "text/event-stream" },
            body: [utf8(`data: ${JSON.stringify(chunk({ content: "Hi" }))}\n\n`), "stall"]
          }),
          { policy: () => RetryPolicy.none, timeouts: { idle: "30 seconds", stall: "90 seconds" } }
        )
      )
    )
  )
})
