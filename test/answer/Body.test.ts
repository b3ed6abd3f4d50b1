/** Bodies that cannot be given up, and what is known of one that broke. */
import { HttpClient, HttpClientResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Stream, TestClock } from "effect"
import { codeOf } from "../../src/answer/Body.js"
import { Chat, MiMo, Provider } from "../../src/index.js"
import { quick } from "../Loopback.js"
import { chunk, hello, plantedKey } from "../Wire.js"
import { utf8 } from "./ByHand.js"

describe("a body that takes for ever to be given up", () => {
  const event = (delta: unknown) => utf8(`data: ${JSON.stringify(chunk(delta))}\n\n`)
  const headers = { "content-type": "text/event-stream" }
  /**
   * Its stream's finalizer never ends, and neither does the request, where it is interrupted before there is an answer.
   */
  const stubborn = (answers: boolean, bytes: ReadonlyArray<Uint8Array>) =>
    HttpClient.make((request) =>
      answers
        ? Effect.succeed(
            Object.create(HttpClientResponse.fromWeb(request, new Response()), {
              status: { value: 200 },
              headers: { value: headers },
              stream: {
                value: Stream.ensuring(
                  Stream.concat(Stream.fromIterable(bytes), Stream.never),
                  Effect.uninterruptible(Effect.never)
                )
              }
            })
          )
        : Effect.uninterruptible(Effect.never)
    )
  const at = (answers: boolean, bytes: ReadonlyArray<Uint8Array> = [event({ content: "Hello" })]) =>
    Layer.provide(
      MiMo.layer({ apiKey: Redacted.make(plantedKey), policy: quick, timeouts: { headers: "1 second" } }),
      Layer.succeed(HttpClient.HttpClient, stubborn(answers, bytes))
    )

  it.effect("does not hold a stream whose consumer has enough", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runHead(Chat.textOnly(Provider.stream(hello))))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.poll(fiber)).toMatchObject({ value: Exit.succeed({ value: "Hello" }) })
    }).pipe(Effect.provide(at(true)))
  )

  it.effect("does not hold a call that is interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Provider.listen(hello, () => undefined))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.poll(fiber))._tag).toBe("Some")
    }).pipe(Effect.provide(at(true)))
  )

  it.effect("nor one that is over", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Provider.listen(hello, () => undefined))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.poll(fiber)).toMatchObject({ value: { value: { text: "Hello" } } })
    }).pipe(
      Effect.provide(
        at(true, [
          event({ content: "Hello" }),
          utf8(`data: ${JSON.stringify(chunk({}, { finish_reason: "stop" }))}\n\ndata: [DONE]\n\n`)
        ])
      )
    )
  )

  it.effect("a request that cannot be given up does not hold the call beyond its clock", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.flip(Provider.complete(hello)))
      yield* Effect.repeatN(TestClock.adjust("1 second"), 60)
      expect(yield* Fiber.poll(fiber)).toMatchObject({ value: { value: { reason: "TimedOut", attempts: 11 } } })
    }).pipe(Effect.provide(at(false)))
  )
})

describe("the system's word for what broke", () => {
  it("is found in the causes of an error, and not looked for without end", () => {
    expect(codeOf(new Error("a", { cause: Object.assign(new Error("b"), { code: "ECONNRESET" }) }))).toBe("ECONNRESET")
    const itself = new Error("its own cause")
    itself.cause = itself
    expect(codeOf(itself)).toBeUndefined()
  })
})
