/** The clocks of a body, to the second. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Stream, TestClock } from "effect"
import * as ResponseBody from "../../src/answer/ResponseBody.js"
import { Provider, RetryPolicy } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { hello, mimo, patiently } from "../Wire.js"
import { broken, bytes, end, reading } from "./ByHand.js"

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

describe("onEnd, of a whole text, is called once", () => {
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
        expect(told.end).toBe(over)
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(fiber)
        expect(told.end).toBe(1)
        wire.come(end)
        expect(told.end).toBe(1)
      })
    )
  }

  it.effect("what it throws is a defect of this answer", () =>
    Effect.gen(function* () {
      const { source, wire } = yield* reading
      const onEnd = () => {
        throw new Error("onEnd's own")
      }
      const fiber = yield* Effect.fork(Effect.exit(ResponseBody.text({ ...source, onEnd }, 100)))
      yield* Effect.yieldNow()
      wire.come(end)
      expect(yield* Fiber.join(fiber)).toMatchObject({ cause: { defect: { message: "onEnd's own" } } })
    })
  )
})
