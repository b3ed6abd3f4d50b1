/** The ways to follow a streamed answer that are no `Stream`: by a callback, and outside of Effect. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, ManagedRuntime, Ref, TestClock } from "effect"
import { Chat, Provider, type ProviderError } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { chunk, failed, hello, mimo, patiently, refused, streamed } from "./Wire.js"

const requests = Effect.map(Gateway.requests, (requests) => requests.length)
const knownGood = Effect.flatMap(Provider.Provider, (provider) => Ref.get(provider.credential.knownGood))

/** "Hello, " and no end: the connection breaks. */
const cut: Gateway.Answer = { ...streamed, body: [...Gateway.sse([chunk({ content: "Hello, " })]).body, "drop"] }

/** "Hello, " and then nothing for ever. */
const stalled: Gateway.Answer = { ...cut, body: [...cut.body.slice(0, -1), "stall"] }

const listened = (request = hello) => {
  const events: Array<Chat.Event> = []
  const reply = Provider.listen(request, (event) => {
    events.push(event)
  })
  return { events, reply }
}

describe("listen", () => {
  it.effect("tells each event once, in order, and gives the reply that they add up to", () =>
    Effect.gen(function* () {
      const { events, reply } = listened()
      const whole = yield* reply
      expect(events.map(({ _tag }) => _tag)).toEqual(["TextDelta", "TextDelta", "Finish"])
      expect(whole).toEqual(Chat.reply(events))
      expect(whole).toEqual(yield* Chat.collect(Provider.stream(hello)))
    }).pipe(Effect.provide(mimo([streamed, streamed])))
  )

  it.effect("what fails before the first event is retried, and nobody is told of it", () =>
    Effect.gen(function* () {
      const { events, reply } = listened()
      expect((yield* patiently(reply)).text).toBe("Hello, world")
      expect(events.length).toBe(3)
      expect(yield* requests).toBe(3)
    }).pipe(Effect.provide(mimo([failed(503), { ...cut, body: ["drop"] }, streamed])))
  )

  it.effect("what fails behind the first event is not retried; the error has what came", () =>
    Effect.gen(function* () {
      const { events, reply } = listened()
      expect(yield* Effect.flip(reply)).toMatchObject({
        _tag: "Transient",
        reason: "StreamInterrupted",
        emitted: true,
        partial: "Hello, ",
        attempts: 1
      })
      expect(events.length).toBe(1)
      expect(yield* requests).toBe(1)
    }).pipe(Effect.provide(mimo([cut, streamed])))
  )

  it.effect("the first event proves the key, long before the last", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(listened().reply)
      yield* TestClock.adjust("1 second")
      expect(yield* knownGood).toBe(true)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(mimo([stalled])))
  )

  it.effect("a stream that stalls fails when its clock says so", () =>
    Effect.gen(function* () {
      const error = yield* patiently(Effect.flip(listened().reply))
      expect(error).toMatchObject({ _tag: "Transient", reason: "StreamStalled", emitted: true, partial: "Hello, " })
    }).pipe(Effect.provide(mimo([stalled], { timeouts: { idle: "30 seconds" } })))
  )

  it.effect("interruption breaks the request off", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(listened().reply)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      expect((yield* Gateway.requests).map(({ aborted }) => aborted)).toEqual([true])
    }).pipe(Effect.provide(mimo([stalled])))
  )

  for (const after of [0, 1, 2]) {
    it.effect(`what the callback throws at event ${after} is a defect, and breaks the request off`, () =>
      Effect.gen(function* () {
        let left = after
        const exit = yield* Effect.exit(
          Provider.listen(hello, () => {
            if (left-- === 0) throw new Error("the callback's own")
          })
        )
        expect(Exit.isFailure(exit) && Array.from(Cause.defects(exit.cause))).toMatchObject([
          { message: "the callback's own" }
        ])
      }).pipe(Effect.provide(mimo([streamed])))
    )
  }

  it.effect("an answer that comes whole though a stream was asked for is told all the same", () =>
    Effect.gen(function* () {
      const { events, reply } = listened()
      expect((yield* reply).text).toBe("Hello")
      expect(events.map(({ _tag }) => _tag)).toEqual(["TextDelta", "Finish"])
    }).pipe(
      Effect.provide(
        mimo([Gateway.json({ choices: [{ index: 0, message: { content: "Hello" }, finish_reason: "stop" }] })])
      )
    )
  )
})

describe("iterate", () => {
  const runtimeOf = (script: Gateway.Script) => ManagedRuntime.make(Layer.orDie(mimo(script)))

  const iterated = async (runtime: ManagedRuntime.ManagedRuntime<Provider.Provider | Gateway.Gateway, never>) => {
    const events: Array<Chat.Event> = []
    let error: unknown
    try {
      for await (const event of Provider.iterate(runtime.runPromise, hello)) events.push(event)
    } catch (thrown) {
      error = thrown
    }
    return { events, error }
  }

  it("gives the same events as the stream", async () => {
    const runtime = runtimeOf([streamed, streamed])
    const { error, events } = await iterated(runtime)
    expect(error).toBeUndefined()
    expect(Chat.reply(events)).toEqual(await runtime.runPromise(Chat.collect(Provider.stream(hello))))
  })

  it("throws the ProviderError itself: before any event", async () => {
    const { error, events } = await iterated(runtimeOf([refused()]))
    expect(error).toMatchObject({ _tag: "AuthRejected", attempts: 1 })
    expect(events).toEqual([])
  })

  it("and behind the first, with what came", async () => {
    const { error, events } = await iterated(runtimeOf([cut]))
    expect(error).toMatchObject({ _tag: "Transient", emitted: true, partial: "Hello, " })
    expect((error as ProviderError.ProviderError).attempts).toBe(1)
    expect(events).toEqual([{ _tag: "TextDelta", text: "Hello, " }])
  })

  it("whoever leaves the loop breaks the request off", async () => {
    const runtime = runtimeOf([stalled])
    for await (const event of Provider.iterate(runtime.runPromise, hello)) {
      expect(event).toEqual({ _tag: "TextDelta", text: "Hello, " })
      break
    }
    const seen = await runtime.runPromise(Gateway.requests)
    expect(seen.map(({ aborted }) => aborted)).toEqual([true])
  })

  it("sends nothing before the loop begins", async () => {
    const runtime = runtimeOf([streamed])
    const loop = Provider.iterate(runtime.runPromise, hello)
    await loop.return()
    expect(await runtime.runPromise(requests)).toBe(0)
  })
})

describe("a fallback", () => {
  const spare = (scripts: readonly [Gateway.Script, Gateway.Script]) =>
    Effect.gen(function* () {
      const both = yield* Effect.forEach(scripts, (script) =>
        Effect.map(Layer.build(mimo(script)), (context) => context)
      )
      const [first, second] = both.map((context) => Effect.provide(Provider.Provider, context))
      if (first === undefined || second === undefined) return yield* Effect.die("two scripts")
      return Provider.fallback([yield* first, yield* second])
    })

  it.scoped("moves on before the first event, and nobody is told of it", () =>
    Effect.gen(function* () {
      const events: Array<Chat.Event> = []
      const provider = yield* spare([[refused()], [streamed]])
      const reply = yield* provider.listen(hello, (event) => {
        events.push(event)
      })
      expect([reply.text, events.length]).toEqual(["Hello, world", 3])
    })
  )

  it.scoped("never behind it", () =>
    Effect.gen(function* () {
      const provider = yield* spare([[cut], [streamed]])
      expect(yield* Effect.flip(provider.listen(hello, () => undefined))).toMatchObject({ emitted: true })
    })
  )
})
