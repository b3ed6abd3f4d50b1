/** A provider that a program writes itself: all members follow from the few that only it can provide. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { HttpClient } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Redacted, Ref, Runtime, Schema, Stream } from "effect"
import { Chat, Fallback, MiMo, Opened, Provider, ProviderError, RetryPolicy } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { failed, hello, knownGood, mimo, plantedKey, streamed, whole } from "./Wire.js"

const says = (text: string): ReadonlyArray<Chat.Event> => [
  { _tag: "TextDelta", text },
  { _tag: "Finish", reason: "stop", rawReason: "stop", usage: Chat.unknownUsage, model: "fake", id: undefined }
]

/** A complete fake. */
const fake = Provider.make({
  id: "fake",
  model: "fake-1",
  open: () => Effect.succeed(Opened.fromEvents(says('{"sky":"blue"}')))
})

const Sky = Schema.Struct({ sky: Schema.String })

/** Follows one answer by `iterate`. */
const iterated = (service: Provider.Service) =>
  Effect.flatMap(Effect.runtime<never>(), (runtime) =>
    Effect.promise(async () => {
      const events: Array<Chat.Event> = []
      for await (const event of service.iterate(Runtime.runPromise(runtime), hello)) events.push(event)
      return events
    })
  )

describe("a fake of five lines", () => {
  it.effect("answers stream, listen, iterate and complete with the same", () =>
    Effect.gen(function* () {
      const events = says('{"sky":"blue"}')
      const told: Array<Chat.Event> = []
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(fake.stream(hello)))).toEqual(events)
      expect(yield* fake.listen(hello, (event) => told.push(event))).toEqual(Chat.reply(events))
      expect(told).toEqual(events)
      expect(yield* iterated(fake)).toEqual(events)
      expect(yield* fake.complete(hello)).toEqual(Chat.reply(events))
    })
  )

  it.effect("decodes objects, and verifies", () =>
    Effect.gen(function* () {
      expect((yield* fake.completeObject(Sky, hello)).value).toEqual({ sky: "blue" })
      expect(yield* fake.verify).toBeUndefined()
    })
  )

  it.effect("has no list of models, and says so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(fake.models)
      expect(error).toMatchObject({ _tag: "InvalidRequest", reason: "NotOffered", provider: "fake", attempts: 0 })
    })
  )

  it("has its id and model, and no key", () => {
    expect(fake).toMatchObject({ id: "fake", model: "fake-1", credential: undefined })
  })

  it.effect("serves a program that asks for a Provider", () =>
    Effect.gen(function* () {
      expect((yield* Provider.complete(hello)).text).toBe('{"sky":"blue"}')
      expect((yield* Provider.completeObject(Sky, hello)).value).toEqual({ sky: "blue" })
      expect(yield* Stream.runCollect(Chat.textOnly(Provider.stream(hello)))).toEqual(Chunk.of('{"sky":"blue"}'))
    }).pipe(Effect.provideService(Provider.Provider, fake))
  )

  it.effect("whose answer does not fit is an InvalidResponse like any other, but for what only a server can say", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(fake.completeObject(Schema.Struct({ sea: Schema.String }), hello))
      expect(error).toMatchObject({
        _tag: "InvalidResponse",
        provider: "fake",
        reason: "SchemaMismatch",
        mismatch: "sea: missing",
        finishReason: "stop",
        attempts: 0,
        history: [],
        emitted: false,
        partial: '{"sky":"blue"}',
        preview: '{"sky":"blue"}'
      })
      expect(error.status).toBeUndefined()
    })
  )

  it.effect("may be an instance of a class", () =>
    Effect.gen(function* () {
      class Parrot {
        readonly id = "parrot"
        readonly word = "Hello"
        open() {
          return Effect.succeed(Opened.fromEvents(says(this.word)))
        }
      }
      expect((yield* Provider.make(new Parrot()).complete(hello)).text).toBe("Hello")
    })
  )

  it.effect("is asked nothing before a call is run", () =>
    Effect.gen(function* () {
      let asked = 0
      const counting = Provider.make({
        ...fake,
        open: (request) => {
          asked += 1
          return fake.open(request)
        }
      })
      yield* Effect.sync(() => expect(asked).toBe(0))
      yield* counting.verify
      yield* counting.verify
      expect(asked).toBe(2)
    })
  )
})

describe("a cache", () => {
  /** Answers each request once, and from memory thereafter. */
  const cached = (inner: Provider.Service) =>
    Effect.map(Ref.make<ReadonlyMap<string, Chat.Reply>>(new Map()), (known) =>
      Provider.make({
        ...inner,
        complete: (request) =>
          Effect.flatMap(Ref.get(known), (replies) => {
            const key = JSON.stringify(request)
            const reply = replies.get(key)
            return reply === undefined
              ? Effect.tap(inner.complete(request), (reply) => Ref.update(known, (all) => new Map(all).set(key, reply)))
              : Effect.succeed(reply)
          })
      })
    )

  const object = Gateway.json({ choices: [{ message: { content: '{"sky":"blue"}' }, finish_reason: "stop" }] })

  it.effect("sends nothing for the second complete, completeObject or verify", () =>
    Effect.gen(function* () {
      const provider = yield* cached(yield* Provider.Provider)
      expect(yield* provider.complete(hello)).toBe(yield* provider.complete(hello))
      const first = yield* provider.completeObject(Sky, hello)
      expect(yield* provider.completeObject(Sky, hello)).toEqual(first)
      yield* provider.verify
      yield* provider.verify
      expect(yield* Gateway.requests).toHaveLength(3)
    }).pipe(Effect.provide(mimo([whole, object, whole])))
  )

  it.effect("leaves streams alone", () =>
    Effect.gen(function* () {
      const provider = yield* cached(yield* Provider.Provider)
      for (let round = 0; round < 2; round++) yield* Stream.runDrain(provider.stream(hello))
      expect(yield* Gateway.requests).toHaveLength(2)
    }).pipe(Effect.provide(mimo([streamed, streamed])))
  )
})

describe("a budget", () => {
  /** Refuses every call after this many. */
  const limited = (inner: Provider.Service, calls: number) =>
    Effect.map(Ref.make(calls), (left) => {
      const spend = Effect.flatMap(
        Ref.getAndUpdate(left, (n) => n - 1),
        (n) =>
          n > 0
            ? Effect.void
            : Effect.fail(
                new ProviderError.QuotaExceeded({ provider: inner.id, attempts: 0, history: [], emitted: false })
              )
      )
      return Provider.make({
        ...inner,
        open: (request) => Effect.zipRight(spend, inner.open(request)),
        complete: (request) => Effect.zipRight(spend, inner.complete(request))
      })
    })

  it.effect("refuses stream, listen, iterate, complete, completeObject and verify, and sends nothing", () =>
    Effect.gen(function* () {
      const provider = yield* limited(yield* Provider.Provider, 1)
      yield* provider.complete(hello)
      const refusals = yield* Effect.all([
        Effect.flip(Stream.runDrain(provider.stream(hello))),
        Effect.flip(provider.listen(hello, () => undefined)),
        Effect.promise(() =>
          provider
            .iterate(Effect.runPromise, hello)
            .next()
            .then(
              () => undefined,
              (error) => error
            )
        ),
        Effect.flip(provider.complete(hello)),
        Effect.flip(provider.completeObject(Sky, hello)),
        Effect.flip(provider.verify)
      ])
      expect(refusals.map((error) => error?._tag)).toEqual(Array.from({ length: 6 }, () => "QuotaExceeded"))
      expect(yield* Gateway.requests).toHaveLength(1)
    }).pipe(Effect.provide(mimo([whole])))
  )

  it.effect("moves a fallback on", () =>
    Effect.gen(function* () {
      const all = Provider.fallback([yield* limited(yield* Provider.Provider, 0), fake])
      expect((yield* all.complete(hello)).text).toBe('{"sky":"blue"}')
      expect(all).toMatchObject({ id: "mimo", model: "mimo-v2.5-pro" })
      expect(Fallback.movesOn(yield* Effect.flip((yield* limited(fake, 0)).verify))).toBe(true)
    }).pipe(Effect.provide(mimo([])))
  )
})

describe("a log", () => {
  /** Records each request and how it ended. */
  const logged = (inner: Provider.Service, book: Array<string>) => {
    const note = (line: string) => Effect.sync(() => void book.push(line))
    const around = <A, E, R>(name: string, call: Effect.Effect<A, E, R>) =>
      Effect.onExit(call, (exit) => note(`${inner.id} ${name}: ${exit._tag}`))
    return Provider.make({
      ...inner,
      open: (request) => around("open", inner.open(request)),
      complete: (request) => around("complete", inner.complete(request))
    })
  }

  it.effect("sees every call, of a fallback's too", () =>
    Effect.gen(function* () {
      const book: Array<string> = []
      const provider = logged(yield* Provider.Provider, book)
      const all = Provider.fallback([provider, logged(fake, book)])
      yield* Stream.runDrain(all.stream(hello))
      yield* all.completeObject(Sky, hello)
      expect(book).toEqual([
        "mimo open: Failure",
        "fake open: Success",
        "mimo complete: Failure",
        "fake complete: Success"
      ])
    }).pipe(Effect.provide(mimo([failed(402), failed(402)])))
  )
})

describe("middleware around open", () => {
  it.effect("sees stream, listen and iterate, and complete where that is made of open", () =>
    Effect.gen(function* () {
      const seen: Array<Chat.Request> = []
      const watched = Provider.make({
        ...fake,
        open: (request) =>
          Effect.zipRight(
            Effect.sync(() => seen.push(request)),
            fake.open(request)
          )
      })
      yield* Stream.runDrain(watched.stream(hello))
      yield* watched.listen(hello, () => undefined)
      yield* iterated(watched)
      yield* watched.complete(hello)
      yield* watched.completeObject(Sky, hello)
      yield* watched.verify
      expect(seen).toHaveLength(6)
    })
  )

  it.effect("may change what is asked", () =>
    Effect.gen(function* () {
      const inner = yield* Provider.Provider
      const provider = Provider.make({
        ...inner,
        open: (request) => inner.open({ ...request, messages: [Chat.system("Be brief."), ...request.messages] })
      })
      yield* Stream.runDrain(provider.stream(hello))
      const [request] = yield* Gateway.requests
      expect(request?.body).toMatchObject({ messages: [{ role: "system", content: "Be brief." }, { role: "user" }] })
    }).pipe(Effect.provide(mimo([streamed])))
  )
})

describe("an object that a real answer does not give", () => {
  const mismatch = (text: string) =>
    Gateway.json(
      {
        choices: [{ message: { content: text }, finish_reason: "stop" }],
        usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }
      },
      { headers: { "x-request-id": "request-2" } }
    )

  const facts = {
    _tag: "InvalidResponse",
    provider: "mimo",
    reason: "SchemaMismatch",
    mismatch: "sky: missing",
    attempts: 2,
    history: [
      { status: 503, reason: "Overloaded" },
      { status: 200, reason: "InvalidResponse", requestId: "request-2" }
    ],
    requestId: "request-2",
    status: 200,
    finishReason: "stop",
    usage: { inputTokens: 5, outputTokens: 3, totalTokens: 8 },
    emitted: false
  }

  const policy = () => RetryPolicy.transient({ base: 0, jitter: 0 })

  it.effect("fails with the facts of the whole call, its retries included", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Provider.completeObject(Sky, hello))
      expect(error).toMatchObject({ ...facts, partial: '{"sea":1}', preview: '{"sea":1}' })
    }).pipe(Effect.provide(mimo([failed(503), mismatch('{"sea":1}')], { policy })))
  )

  it.effect("with the same through a cache, and through a fallback", () =>
    Effect.gen(function* () {
      const inner = yield* Provider.Provider
      const reply = yield* inner.complete(hello)
      const cache = Provider.make({ ...inner, complete: () => Effect.succeed(reply) })
      const all = Provider.fallback([cache, fake])
      expect(yield* Effect.flip(cache.completeObject(Sky, hello))).toMatchObject(facts)
      expect(yield* Effect.flip(cache.completeObject(Sky, hello))).toMatchObject(facts)
      expect(yield* Effect.flip(all.completeObject(Sky, hello))).toMatchObject(facts)
    }).pipe(Effect.provide(mimo([failed(503), mismatch('{"sea":1}')], { policy })))
  )

  it.effect("shows no key that the answer repeats, not even if the reply was copied on its way", () =>
    Effect.gen(function* () {
      const inner = yield* Provider.Provider
      const copying = Provider.make({
        ...inner,
        complete: (request) => Effect.map(inner.complete(request), (reply) => ({ ...reply }))
      })
      for (const provider of [inner, copying]) {
        const error = yield* Effect.flip(provider.completeObject(Sky, hello))
        expect(error).toMatchObject({ _tag: "InvalidResponse", provider: "mimo", reason: "SchemaMismatch" })
        expect(JSON.stringify(error)).not.toContain(plantedKey)
      }
    }).pipe(Effect.provide(mimo(Array.from({ length: 2 }, () => mismatch(JSON.stringify({ key: plantedKey }))))))
  )

  it.effect("proves the key all the same: the server answered", () =>
    Effect.gen(function* () {
      yield* Effect.flip(Provider.completeObject(Sky, hello))
      expect(yield* knownGood).toBe(true)
    }).pipe(Effect.provide(mimo([mismatch("{}")])))
  )
})

describe("a reply that is kept", () => {
  it.live("keeps nothing of its request", () =>
    Effect.gen(function* () {
      setFlagsFromString("--expose-gc")
      const gc: () => void = runInNewContext("gc")
      const requests: Array<WeakRef<object>> = []
      const client = HttpClient.mapRequest(yield* HttpClient.HttpClient, (request) => {
        requests.push(new WeakRef(request), new WeakRef(request.body))
        return request
      })
      const provider = yield* Effect.provideService(
        MiMo.make({ apiKey: Redacted.make(plantedKey) }),
        HttpClient.HttpClient,
        client
      )
      const kept = yield* Effect.replicateEffect(provider.complete(hello), 8)
      yield* Effect.sleep(1)
      gc()
      expect(kept).toHaveLength(8)
      expect(requests).toHaveLength(16)
      // Those of the last call may still be in a register.
      expect(requests.filter((request) => request.deref() !== undefined).length).toBeLessThanOrEqual(2)
      for (const reply of kept) expect(reply.text).toBe("Hello, world")
    }).pipe(Effect.provide(Gateway.layer(() => whole)))
  )
})
