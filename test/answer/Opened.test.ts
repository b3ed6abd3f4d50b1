/** A streamed answer followed by a callback, and answers of one's own. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Chunk, Context, Effect, Exit, Fiber, Layer, Runtime, Stream, TestClock } from "effect"
import * as Iteration from "../../src/answer/Iteration.js"
import * as Opened from "../../src/answer/Opened.js"
import { Chat, Provider, ProviderError } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { chunk, failed, hello, knownGood, mimo, patiently, refused, streamed, times } from "../Wire.js"

const requests = Effect.map(Gateway.requests, (requests) => requests.length)
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

  it.effect("what fails after the first event is not retried; the error has what arrived", () =>
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

  it.scoped("never after it", () =>
    Effect.gen(function* () {
      const provider = yield* spare([[cut], [streamed]])
      expect(yield* Effect.flip(provider.listen(hello, () => undefined))).toMatchObject({ emitted: true })
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Answers of one's own
// ---------------------------------------------------------------------------------------------------------------------

const text = (text: string): Chat.Event => ({ _tag: "TextDelta", text })
const finish: Chat.Event = {
  _tag: "Finish",
  reason: "stop",
  rawReason: "stop",
  usage: Chat.unknownUsage,
  model: "fake",
  id: undefined
}
const said: ReadonlyArray<Chat.Event> = [text("Hello, "), text("world"), finish]
const busy = new ProviderError.Transient({ ...ProviderError.nothingSent("fake"), reason: "Overloaded" })

/** Each way to follow an answer: what it tells, and how it ends. */
const ways: ReadonlyArray<
  readonly [
    string,
    (open: Opened.Open) => Effect.Effect<readonly [ReadonlyArray<Chat.Event>, Exit.Exit<void, unknown>]>
  ]
> = [
  [
    "stream",
    (open) => followed((tell) => Stream.runForEach(Opened.toStream(open), (event) => Effect.sync(() => tell(event))))
  ],
  ["listen", (open) => followed((tell) => Effect.asVoid(Opened.listen(open, tell)))],
  [
    "iterate",
    (open) =>
      followed((tell) =>
        Effect.flatMap(Effect.runtime<never>(), (runtime) =>
          Effect.tryPromise({
            try: async () => {
              for await (const event of Iteration.make(Runtime.runPromise(runtime), open)) tell(event)
            },
            catch: (error) => error
          })
        )
      )
  ]
]

const followed = (follow: (tell: (event: Chat.Event) => void) => Effect.Effect<void, unknown>) =>
  Effect.suspend(() => {
    const events: Array<Chat.Event> = []
    return Effect.map(
      Effect.exit(follow((event) => void events.push(event))),
      (exit): readonly [ReadonlyArray<Chat.Event>, Exit.Exit<void, unknown>] => [events, exit]
    )
  })

/** A stream that breaks after these events. */
const breaking = (events: ReadonlyArray<Chat.Event>) =>
  Stream.concat(Stream.rechunk(Stream.fromIterable(events), 1), Stream.fail(busy))

for (const [way, follow] of ways) {
  describe(`an answer of one's own, by ${way}`, () => {
    for (const [name, open] of [
      ["events that are all there", Effect.sync(() => Opened.fromEvents(said))],
      ["a stream in one chunk", Opened.fromStream(Stream.fromIterable(said))],
      ["a stream of single events", Opened.fromStream(Stream.rechunk(Stream.fromIterable(said), 1))],
      [
        "a stream with empty chunks in between",
        Opened.fromStream(
          Stream.fromChunks(
            Chunk.empty(),
            Chunk.unsafeFromArray(said.slice(0, 1)),
            Chunk.empty(),
            Chunk.unsafeFromArray(said.slice(1))
          )
        )
      ],
      [
        "a stream that takes its time",
        Opened.fromStream(Stream.tap(Stream.rechunk(Stream.fromIterable(said), 1), () => Effect.yieldNow()))
      ]
    ] as const) {
      it.effect(`tells ${name}`, () =>
        Effect.gen(function* () {
          expect(yield* follow(open)).toEqual([said, Exit.void])
        })
      )
    }

    for (const so of [[], said.slice(0, 1), said.slice(0, 2)]) {
      it.effect(`fails as its stream does after ${so.length} events`, () =>
        Effect.gen(function* () {
          const [events, exit] = yield* follow(Opened.fromStream(breaking(so)))
          expect(events).toEqual(so)
          expect(exit).toEqual(Exit.fail(busy))
        })
      )
    }

    it.effect("tells 10,000 events that come one by one", () =>
      Effect.gen(function* () {
        const many = [...times(10_000, text("x")), finish]
        const [events, exit] = yield* follow(Opened.fromStream(Stream.rechunk(Stream.fromIterable(many), 1)))
        expect([events.length, exit]).toEqual([10_001, Exit.void])
      })
    )

    it.effect("releases what its stream holds before it ends", () =>
      Effect.gen(function* () {
        for (const stream of [Stream.fromIterable(said), breaking([]), breaking(said.slice(0, 1))]) {
          let held = 0
          const holding = Stream.acquireRelease(
            Effect.sync(() => void held++),
            () => Effect.sync(() => void held--)
          )
          yield* follow(Opened.fromStream(Stream.flatMap(holding, () => stream)))
          expect(held).toBe(0)
        }
      })
    )
  })
}

describe("Opened.fromStream", () => {
  /** Counts what is pulled of it. */
  const counted = () => {
    const pulled = { count: 0 }
    const stream = Stream.rechunk(Stream.fromIterable(said), 1).pipe(
      Stream.tap(() => Effect.sync(() => void pulled.count++))
    )
    return { pulled, open: Opened.fromStream(stream) }
  }

  it.scoped("pulls nothing while nobody waits", () =>
    Effect.gen(function* () {
      const { open, pulled } = counted()
      const opened = yield* open
      yield* TestClock.adjust("1 hour")
      expect([opened.first.events.length, pulled.count]).toEqual([1, 1])
      expect(opened.take()).toMatchObject({ events: [], done: false })
      yield* TestClock.adjust("1 hour")
      expect(pulled.count).toBe(1)
      expect(yield* Opened.next(opened)).toMatchObject({ events: [said[1]], done: false })
      yield* TestClock.adjust("1 hour")
      expect(pulled.count).toBe(2)
    })
  )

  it.scoped("keeps what came for a wait that was stopped", () =>
    Effect.gen(function* () {
      const { open } = counted()
      const opened = yield* open
      let calls = 0
      opened.wait(() => calls++)()
      yield* TestClock.adjust("1 hour")
      expect(calls).toBe(0)
      expect(yield* Opened.next(opened)).toMatchObject({ events: [said[1]] })
    })
  )

  it.scoped("fails again, however often it is asked", () =>
    Effect.gen(function* () {
      const opened = yield* Opened.fromStream(breaking(said.slice(0, 1)))
      for (const _ of [1, 2, 3]) expect(yield* Effect.flip(Opened.next(opened))).toBe(busy)
    })
  )

  it.scoped("dies of what its stream dies of, and of what its waiter throws", () =>
    Effect.gen(function* () {
      const one = Stream.fromIterable(said.slice(0, 1))
      const dying = yield* Opened.fromStream(Stream.concat(one, Stream.die("the stream's own")))
      expect(yield* Effect.exit(Opened.next(dying))).toEqual(Exit.die("the stream's own"))
      const { open } = counted()
      const opened = yield* open
      opened.wait(() => {
        throw new Error("the waiter's own")
      })
      yield* TestClock.adjust("1 second")
      expect(yield* Effect.exit(Opened.next(opened))).toMatchObject({
        cause: { defect: { message: "the waiter's own" } }
      })
    })
  )

  it.effect("uses the context of whoever opens it", () =>
    Effect.gen(function* () {
      class Name extends Context.Tag("test/Name")<Name, string>() {}
      const stream = Stream.concat(
        Stream.mapEffect(Stream.fromIterable([1, 2]), () => Effect.map(Name, text)),
        Stream.make(finish)
      )
      const reply = Opened.listen(Opened.fromStream(Stream.rechunk(stream, 1)), () => undefined)
      expect((yield* Effect.provideService(reply, Name, "me")).text).toBe("meme")
    })
  )

  // A loop outside of Effect is nobody's fiber, and has laws of its own.
  for (const [way, follow] of ways.slice(0, 2)) {
    it.effect(`interrupted after any number of steps, by ${way}, holds nothing`, () =>
      Effect.gen(function* () {
        for (let steps = 0; steps < 80; steps++) {
          let held = 0
          const stream = Stream.flatMap(
            Stream.acquireRelease(
              Effect.sync(() => void held++),
              () => Effect.sync(() => void held--)
            ),
            () => Stream.concat(Stream.rechunk(Stream.fromIterable(said.slice(0, 2)), 1), Stream.never)
          )
          const fiber = yield* Effect.fork(follow(Opened.fromStream(stream)))
          yield* Effect.repeatN(Effect.yieldNow(), steps)
          yield* Fiber.interrupt(fiber)
          expect(held, `after ${steps} steps`).toBe(0)
        }
      })
    )
  }
})

describe("an effect that opens an answer", () => {
  it.effect("may be changed by effects of one's own: it takes its scope from the context then", () =>
    Effect.gen(function* () {
      const provider = yield* Provider.Provider
      const seen: Array<string> = []
      const open = Effect.tap(provider.open(hello), ({ first }) =>
        Effect.sync(() => seen.push(`${first.events.length}`))
      )
      expect((yield* Opened.listen(open, () => undefined)).text).toBe("Hello, world")
      const opened = yield* Effect.scoped(Effect.map(provider.open(hello), ({ first }) => first.events.length))
      expect([seen.length, opened > 0]).toEqual([1, true])
      expect((yield* Gateway.requests).length).toBe(2)
    }).pipe(Effect.provide(mimo([streamed, streamed])))
  )

  it.effect("an answer without Finish is a defect of whoever made it", () =>
    Effect.gen(function* () {
      const open = Effect.succeed(Opened.fromEvents([text("Hello")]))
      const exit = yield* Effect.exit(Opened.listen(open, () => undefined))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toMatch(/without a Finish/)
    })
  )
})
