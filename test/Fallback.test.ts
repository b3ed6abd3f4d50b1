/** Several providers as one: when the next one is asked, and when not. */
import { describe, expect, it } from "@effect/vitest"
import {
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Redacted,
  Runtime,
  Schema,
  Scope,
  Stream,
  TestClock
} from "effect"
import * as Opened from "../src/answer/Opened.js"
import { Chat, Fallback, OpenAiCompatible, Provider, ProviderError, RetryPolicy } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { chunk, failed, hello, refused, streamed, times, whole } from "./Wire.js"

/** A provider with its own script, and how often it was asked. */
const provider = (id: string, script: Gateway.Script, options: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(Gateway.layer(script))
    const service = yield* OpenAiCompatible.make({
      id,
      baseUrl: "https://gateway.test/v1",
      model: "m",
      apiKey: Redacted.make(`sk-${id}-0123456789`),
      policy: () => RetryPolicy.none,
      ...options
    }).pipe(Effect.provide(context))
    const asked = Effect.map(Context.get(context, Gateway.Gateway).requests, ({ length }) => length)
    return { service, asked }
  })

const streams = (service: Provider.Provider["Type"]) => Chat.collect(service.stream(hello))

const calls = [
  ["complete", (service: Provider.Provider["Type"]) => service.complete(hello), whole],
  ["stream", streams, streamed]
] as const

/** What a provider answers, and whether another one is then asked. */
const answers: ReadonlyArray<readonly [tag: string, answer: Gateway.Answer, movesOn: boolean]> = [
  ["Transient", failed(503), true],
  ["Transient", Gateway.unreachable, true],
  ["QuotaExceeded", failed(402), true],
  ["AuthRejected", refused(), true],
  ["InvalidRequest", failed(400), false],
  ["InvalidRequest", failed(404), false],
  ["InvalidResponse", Gateway.text("<html>", { headers: { "content-type": "text/html" } }), false]
]

describe.each(calls)("%s", (_, ask, good) => {
  for (const [tag, answer, movesOn] of answers) {
    it.scoped(`${tag} (${answer.status}) ${movesOn ? "moves on" : "does not move on"}`, () =>
      Effect.gen(function* () {
        const first = yield* provider("first", [answer])
        const second = yield* provider("second", [good])
        const outcome = yield* Effect.either(ask(Provider.fallback([first.service, second.service])))
        expect(yield* first.asked).toBe(1)
        expect(yield* second.asked).toBe(movesOn ? 1 : 0)
        if (movesOn) expect(outcome).toMatchObject({ _tag: "Right", right: { text: "Hello, world" } })
        else expect(outcome).toMatchObject({ _tag: "Left", left: { _tag: tag, provider: "first" } })
      })
    )
  }

  it.scoped("AuthMissing moves on, and nothing was sent to the first", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [good], { apiKey: Redacted.make("  ") })
      const second = yield* provider("second", [good])
      expect((yield* ask(Provider.fallback([first.service, second.service]))).text).toBe("Hello, world")
      expect(yield* first.asked).toBe(0)
    })
  )

  it.scoped("nobody is asked after the first that answers", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [good])
      const second = yield* provider("second", [good])
      yield* ask(Provider.fallback([first.service, second.service]))
      expect([yield* first.asked, yield* second.asked]).toEqual([1, 0])
    })
  )

  it.scoped("if all fail, the error is the last one's", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(503)])
      const second = yield* provider("second", [failed(402)])
      const third = yield* provider("third", [refused()])
      const all = Provider.fallback([first.service, second.service, third.service])
      expect(yield* Effect.flip(ask(all))).toMatchObject({ _tag: "AuthRejected", provider: "third", attempts: 1 })
    })
  )

  it.scoped("an error that does not move on ends it, even in the middle", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(503)])
      const second = yield* provider("second", [failed(400)])
      const third = yield* provider("third", [good])
      const all = Provider.fallback([first.service, second.service, third.service])
      expect(yield* Effect.flip(ask(all))).toMatchObject({ _tag: "InvalidRequest", provider: "second" })
      expect(yield* third.asked).toBe(0)
    })
  )

  it.scoped("a fallback of one is that one", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(503)])
      expect(yield* Effect.flip(ask(Provider.fallback([first.service])))).toMatchObject({ provider: "first" })
    })
  )

  it.scoped("the observer is told of each step beforehand: why, and who is next", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(503)])
      const second = yield* provider("second", [failed(402)])
      const third = yield* provider("third", [good])
      const told: Array<readonly [string, string, number, number]> = []
      const all = Provider.fallback([first.service, second.service, third.service], {
        onFallback: ({ error, next }) =>
          Effect.map(
            next === 1 ? second.asked : third.asked,
            (asked) => void told.push([error.provider, error._tag, next, asked])
          )
      })
      yield* ask(all)
      expect(told).toEqual([
        ["first", "Transient", 1, 0],
        ["second", "QuotaExceeded", 2, 0]
      ])
    })
  )

  it.scoped("the observer is told nothing when there is nobody left, or the error does not move on", () =>
    Effect.gen(function* () {
      const told: Array<number> = []
      const onFallback = ({ next }: { readonly next: number }) => Effect.sync(() => void told.push(next))
      const first = yield* provider("first", [failed(400), failed(503)])
      const second = yield* provider("second", [failed(503)])
      const all = Provider.fallback([first.service, second.service], { onFallback })
      yield* Effect.flip(ask(all))
      expect(told).toEqual([])
      yield* Effect.flip(ask(all))
      expect(told).toEqual([1])
    })
  )

  it.scoped("`when` decides in place of the four tags", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(404), failed(503)])
      const second = yield* provider("second", [good])
      const when = (error: ProviderError.ProviderError) => error._tag === "InvalidRequest"
      const all = Provider.fallback([first.service, second.service], { when })
      expect((yield* ask(all)).text).toBe("Hello, world")
      expect(yield* Effect.flip(ask(all))).toMatchObject({ _tag: "Transient", provider: "first" })
    })
  )
})

describe("a stream", () => {
  it.scoped("that failed after output is not started again elsewhere", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [
        Gateway.sse([chunk({ content: "Hel" }), { error: { code: "server_busy" } }])
      ])
      const second = yield* provider("second", [streamed])
      const seen: Array<string> = []
      const error = yield* Provider.fallback([first.service, second.service])
        .stream(hello)
        .pipe(
          Chat.textOnly,
          Stream.runForEach((text) => Effect.sync(() => seen.push(text))),
          Effect.flip
        )
      expect(error).toMatchObject({ _tag: "Transient", provider: "first", emitted: true, partial: "Hel" })
      expect(seen).toEqual(["Hel"])
      expect(yield* second.asked).toBe(0)
    })
  )

  it.scoped("not even if `when` says so", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [Gateway.sse([chunk({ content: "Hel" })])])
      const second = yield* provider("second", [streamed])
      const all = Provider.fallback([first.service, second.service], { when: () => true })
      expect(yield* Effect.flip(Stream.runDrain(all.stream(hello)))).toMatchObject({ emitted: true })
      expect(yield* second.asked).toBe(0)
    })
  )

  it.scoped("that failed after output at the second is not started again at the third", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(503)])
      const second = yield* provider("second", [Gateway.sse([chunk({ content: "Hel" })])])
      const third = yield* provider("third", [streamed])
      const all = Provider.fallback([first.service, second.service, third.service])
      expect(yield* Effect.flip(Stream.runDrain(all.stream(hello)))).toMatchObject({
        provider: "second",
        emitted: true
      })
      expect(yield* third.asked).toBe(0)
    })
  )

  it.scoped("that failed inside a 200 before any output moves on", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [Gateway.sse([{ error: { code: "server_busy" } }])])
      const second = yield* provider("second", [streamed])
      const reply = yield* streams(Provider.fallback([first.service, second.service]))
      expect(reply.text).toBe("Hello, world")
    })
  )
})

describe("what a failed provider holds", () => {
  /** A stream of four minutes. */
  const long = Gateway.paced("1 minute", streamed)

  it.scoped("its turn is given back before the next is asked, not at the end of the next one's stream", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(503), whole], { concurrency: 1 })
      const second = yield* provider("second", [long])
      const reading = yield* Effect.fork(streams(Provider.fallback([first.service, second.service])))
      yield* TestClock.adjust("150 seconds")
      const direct = yield* Effect.fork(first.service.complete(hello))
      yield* TestClock.adjust(0)
      expect(yield* first.asked).toBe(2)
      expect((yield* Fiber.join(direct)).text).toBe("Hello, world")
      expect((yield* Fiber.poll(reading))._tag).toBe("None")
      yield* TestClock.adjust("10 minutes")
      expect((yield* Fiber.join(reading)).text).toBe("Hello, world")
    })
  )

  /** A provider that records when it is asked and when its resources are released, and then does as told. */
  const recorded = (
    book: Array<string>,
    id: string,
    service: Provider.Provider["Type"]
  ): Provider.Provider["Type"] => ({
    ...service,
    open: (request) =>
      Effect.gen(function* () {
        book.push(`${id} asked`)
        yield* Effect.addFinalizer(() => Effect.sync(() => void book.push(`${id} released`)))
        return yield* service.open(request)
      })
  })

  it.scoped("all of it is released before the observer is told and the next is asked", () =>
    Effect.gen(function* () {
      const book: Array<string> = []
      const first = yield* provider("first", [failed(503)])
      const second = yield* provider("second", [failed(402)])
      const third = yield* provider("third", [streamed])
      const all = Provider.fallback(
        [
          recorded(book, "first", first.service),
          recorded(book, "second", second.service),
          recorded(book, "third", third.service)
        ],
        { onFallback: ({ next }) => Effect.sync(() => void book.push(`next is ${next}`)) }
      )
      yield* Effect.scoped(
        Effect.zipRight(
          all.open(hello),
          Effect.sync(() => book.push("open"))
        )
      )
      expect(book).toEqual([
        "first asked",
        "first released",
        "next is 1",
        "second asked",
        "second released",
        "next is 2",
        "third asked",
        "open",
        "third released"
      ])
    })
  )

  for (const [when, seconds, book] of [
    ["while the first is asked", 30, ["first asked", "first released"]],
    ["while the observer is told", 90, ["first asked", "first released", "told", "told no more"]],
    [
      "while the next is asked",
      150,
      ["first asked", "first released", "told", "told no more", "second asked", "second released"]
    ],
    [
      "while the next one's stream is read",
      330,
      ["first asked", "first released", "told", "told no more", "second asked", "second released"]
    ]
  ] as const) {
    it.scoped(`interrupted ${when}, everything is released once, and nobody else is asked`, () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const first = yield* provider("first", [Gateway.delay("1 minute", failed(503))])
        const second = yield* provider("second", [Gateway.delay("1 minute", long)])
        const third = yield* provider("third", [streamed])
        const all = Provider.fallback(
          [recorded(seen, "first", first.service), recorded(seen, "second", second.service), third.service],
          {
            onFallback: () =>
              Effect.sync(() => void seen.push("told")).pipe(
                Effect.zipRight(Effect.sleep("1 minute")),
                Effect.ensuring(Effect.sync(() => void seen.push("told no more")))
              )
          }
        )
        const begun = yield* Deferred.make<void>()
        const holding = yield* Effect.flatMap(all.open(hello), (opened) =>
          Effect.zipRight(Deferred.succeed(begun, undefined), Effect.forever(Opened.next(opened)))
        ).pipe(Effect.scoped, Effect.fork)
        yield* TestClock.adjust(seconds * 1000)
        yield* Fiber.interrupt(holding)
        expect(seen).toEqual(book)
        yield* TestClock.adjust("1 hour")
        expect(seen).toEqual(book)
        expect(yield* third.asked).toBe(0)
      })
    )
  }

  it.scoped("a provider whose open dies releases what it holds, and nobody else is asked", () =>
    Effect.gen(function* () {
      const book: Array<string> = []
      const first = yield* provider("first", [streamed])
      const second = yield* provider("second", [streamed])
      const broken = { ...first.service, open: () => Effect.die("broken") }
      const all = Provider.fallback([recorded(book, "first", broken), second.service])
      expect((yield* Effect.exit(all.open(hello)))._tag).toBe("Failure")
      expect(book).toEqual(["first asked", "first released"])
      expect(yield* second.asked).toBe(0)
    })
  )
})

describe("the other members", () => {
  it.scoped("models and verify move on, too", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", [failed(503), failed(503)])
      const second = yield* provider("second", [Gateway.json({ data: [{ id: "b" }, { id: "a" }] }), whole])
      const all = Provider.fallback([first.service, second.service])
      expect((yield* all.models).map(({ id }) => id)).toEqual(["a", "b"])
      yield* all.verify
      expect([yield* first.asked, yield* second.asked]).toEqual([2, 2])
    })
  )

  it.scoped("completeObject moves on, and decodes what the second said", () =>
    Effect.gen(function* () {
      const answer = Gateway.json({
        choices: [{ index: 0, message: { role: "assistant", content: '{"colour":"blue"}' }, finish_reason: "stop" }]
      })
      const first = yield* provider("first", [failed(503)])
      const second = yield* provider("second", [answer])
      const colour = yield* Provider.completeObject(Schema.Struct({ colour: Schema.String }), hello).pipe(
        Effect.provideService(Provider.Provider, Provider.fallback([first.service, second.service]))
      )
      expect(colour.value).toEqual({ colour: "blue" })
    })
  )

  it.scoped("each keeps its own policy: the first uses up its retries before the second is asked", () =>
    Effect.gen(function* () {
      const first = yield* provider("first", times(9, failed(503)), {
        policy: () => RetryPolicy.transient({ base: 0, jitter: 0, transientRetries: 2 })
      })
      const second = yield* provider("second", [whole])
      const all = Provider.fallback([first.service, second.service])
      yield* all.complete(hello)
      expect([yield* first.asked, yield* second.asked]).toEqual([3, 1])
      expect(all.credential).toBe(first.service.credential)
    })
  )
})

describe("a fallback of layers", () => {
  /** A layer of a provider that answers by its own script, and records when it is built and released. */
  const at = (book: Array<string>, id: string, script: Gateway.Script) =>
    Layer.scoped(
      Provider.Provider,
      Effect.gen(function* () {
        book.push(`${id} built`)
        yield* Effect.addFinalizer(() => Effect.sync(() => book.push(`${id} given up`)))
        return (yield* provider(id, script)).service
      })
    )

  it.scoped("moves on, and notifies as its options say", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const layer = Provider.fallbackLayer([at([], "first", [failed(503)]), at([], "second", [whole])], {
        onFallback: ({ error }) => Effect.sync(() => told.push(error.provider))
      })
      const context = yield* Layer.build(layer)
      const all = Context.get(context, Provider.Provider)
      expect((yield* all.complete(hello)).text).toBe("Hello, world")
      expect([all.id, told]).toEqual(["first", ["first"]])
    })
  )

  it.scoped("builds each on its own, even a layer that is named twice", () =>
    Effect.gen(function* () {
      const book: Array<string> = []
      const one = at(book, "one", [failed(503)])
      const two = at(book, "two", [whole])
      const all = Context.get(yield* Layer.build(Provider.fallbackLayer([one, one, two])), Provider.Provider)
      expect(book).toEqual(["one built", "one built", "two built"])
      expect((yield* all.complete(hello)).text).toBe("Hello, world")
    })
  )

  it.effect("releases all of them with its scope", () =>
    Effect.gen(function* () {
      const book: Array<string> = []
      const layer = Provider.fallbackLayer([at(book, "first", [whole]), at(book, "second", [whole])])
      yield* Effect.asVoid(Provider.verify).pipe(Effect.provide(layer))
      expect(book).toEqual(["first built", "second built", "second given up", "first given up"])
    })
  )

  it.effect("fails as one of them does, and releases those that were built", () =>
    Effect.gen(function* () {
      const book: Array<string> = []
      const broken = Layer.fail("broken")
      const layers = Provider.fallbackLayer([at(book, "first", [whole]), broken, at(book, "third", [whole])])
      expect(yield* Effect.flip(Effect.scoped(Layer.build(layers)))).toBe("broken")
      expect(book).toEqual(["first built", "first given up"])
    })
  )

  it.effect("if interrupted while one is built, releases those that were", () =>
    Effect.gen(function* () {
      const book: Array<string> = []
      const never = Layer.effect(Provider.Provider, Effect.never)
      const building = yield* Effect.fork(
        Effect.scoped(Layer.build(Provider.fallbackLayer([at(book, "first", [whole]), never])))
      )
      yield* TestClock.adjust("1 second")
      expect(book).toEqual(["first built"])
      yield* Fiber.interrupt(building)
      expect(book).toEqual(["first built", "first given up"])
    })
  )

  it.effect("ends a loop outside of Effect when it is released", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const layer = Provider.fallbackLayer([at([], "first", [failed(503)]), at([], "second", [endless])])
      const context = yield* Layer.buildWithScope(layer, scope)
      const runtime = yield* Effect.provide(Effect.runtime<Provider.Provider>(), context)
      const loop = Provider.iterate(Runtime.runPromise(runtime), hello)
      const first = yield* Effect.promise(() => loop.next())
      expect(first).toEqual({ done: false, value: { _tag: "TextDelta", text: "Hello, " } })
      const next = yield* Effect.fork(
        Effect.promise(() =>
          loop.next().then(
            () => "event",
            () => "ended"
          )
        )
      )
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      expect(yield* Fiber.join(next)).toBe("ended")
    })
  )
})

/** "Hello, ", and nothing more. */
const endless = { ...streamed, body: [...Gateway.sse([chunk({ content: "Hello, " })]).body, "stall" as const] }

describe("the tags that move on", () => {
  const facts = { provider: "p", attempts: 1, history: [], emitted: false }
  for (const [error, moves] of [
    [new ProviderError.Transient({ ...facts, reason: "Overloaded" }), true],
    [new ProviderError.QuotaExceeded(facts), true],
    [new ProviderError.AuthMissing({ ...facts, source: "KEY", problem: "Absent" }), true],
    [new ProviderError.AuthRejected({ ...facts, source: "KEY", fingerprint: "01234567", knownGood: true }), true],
    [new ProviderError.InvalidRequest({ ...facts, reason: "BadRequest" }), false],
    [new ProviderError.InvalidResponse({ ...facts, reason: "Empty", preview: "" }), false]
  ] as const) {
    it(`${error._tag}: ${moves}`, () => {
      expect(Fallback.movesOn(error)).toBe(moves)
    })
  }
})
