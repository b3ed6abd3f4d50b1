/** The clocks of a body, to the second. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Provider, RetryPolicy } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { hello, mimo, patiently } from "./Wire.js"

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
