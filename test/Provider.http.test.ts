/** The laws of retries and streams once more, through sockets, by the real clock, with each client. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Context, Deferred, Effect, Exit, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { Chat, OpenAiCompatible, Provider, RetryObserver, RetryPolicy } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { clients, connections, eventually, mimo, quickly, serve } from "./Loopback.js"
import {
  accept,
  chunk,
  failed,
  gaps,
  hello,
  knownGood,
  millis,
  refused,
  type Setup,
  streamed,
  times,
  whole
} from "./Wire.js"

const countRequests = Effect.map(Gateway.requests, (requests) => requests.length)
const failure = Effect.flip(Provider.complete(hello))
/** The number, once it has not grown for half a second. */
const unchanging = <R>(number: Effect.Effect<number, never, R>) =>
  Effect.gen(function* () {
    for (;;) {
      const before = yield* number
      yield* Effect.sleep("500 millis")
      if ((yield* number) === before) return before
    }
  })

/** A real clock may be late, but never early, except for the rounding of timers to whole milliseconds. */
const expectWaits = (waits: ReadonlyArray<number>, atLeast: ReadonlyArray<number>) => {
  expect(waits.length).toBe(atLeast.length)
  for (const [i, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual((atLeast[i] ?? 0) - 2)
}

const tags = (events: Iterable<Chat.Event>) => Array.from(events, (event) => event._tag)

/** Reads a stream to its failure, and keeps what came before. */
const readToFailure = Effect.gen(function* () {
  const seen: Array<string> = []
  const error = yield* Provider.stream(hello).pipe(
    Stream.runForEach((event) => Effect.sync(() => seen.push(event._tag))),
    Effect.flip
  )
  return { seen, error }
})

/** The answer, then after a moment the end of the connection. What was sent arrives. */
const thenCut = (answer: Gateway.Answer): Gateway.Answer => ({
  ...answer,
  body: [...answer.body, { wait: "20 millis" }, "drop"]
})

/** The answer, then silence on an open connection. */
const thenSilence = (answer: Gateway.Answer): Gateway.Answer => ({ ...answer, body: [...answer.body, "stall"] })

const role = chunk({ role: "assistant", content: "" })
const done = [chunk({}, { finish_reason: "stop" }), "[DONE]"]

describe.each(clients)("over HTTP with %s", (_, client) => {
  const at = (script: Gateway.Script, setup?: Setup) =>
    mimo(setup).pipe(Layer.provideMerge(Layer.merge(client, serve(script))))

  describe("the auth budget", () => {
    it.live("a known-good key that meets 401, 401, 200 succeeds with 3 requests", () =>
      Effect.gen(function* () {
        yield* accept
        expect((yield* Provider.complete(hello)).text).toBe("Hello, world")
        expect(yield* countRequests).toBe(1 + 3)
        expectWaits((yield* gaps).slice(1), [quickly(1), quickly(2)])
      }).pipe(Effect.provide(at([whole, refused(), refused(), whole])))
    )

    it.live("so does a stream", () =>
      Effect.gen(function* () {
        yield* Stream.runDrain(Provider.stream(hello))
        const reply = yield* Chat.collect(Provider.stream(hello))
        expect(reply.text).toBe("Hello, world")
        expect(yield* countRequests).toBe(1 + 3)
      }).pipe(Effect.provide(at([streamed, refused(), refused(), streamed])))
    )

    for (const status of [401, 403]) {
      it.live(`a known-good key that is refused with ${status} for ever fails after 3 requests`, () =>
        Effect.gen(function* () {
          yield* accept
          const error = yield* failure
          expect(error).toMatchObject({ _tag: "AuthRejected", knownGood: true, attempts: 3, status })
          expect(error.history.map((entry) => [entry.status, millis(entry.wait)])).toEqual([
            [status, quickly(1)],
            [status, quickly(2)],
            [status, undefined]
          ])
          expect(yield* countRequests).toBe(1 + 3)
        }).pipe(Effect.provide(at([whole, ...times(9, refused(status))])))
      )
    }

    it.live("a key that was never accepted fails after 1 request", () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "AuthRejected", knownGood: false, attempts: 1, status: 401 })
        expect(yield* countRequests).toBe(1)
      }).pipe(Effect.provide(at(times(9, refused()))))
    )

    it.live("no key sends nothing, and opens no connection", () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "AuthMissing", problem: "Absent", attempts: 0 })
        expect(yield* countRequests).toBe(0)
        expect(yield* connections.made).toBe(0)
      }).pipe(Effect.provide(at([whole], { key: undefined })))
    )

    it.live("the flag is set by the first event, not by the 200", () =>
      Effect.gen(function* () {
        yield* Effect.flip(Stream.runDrain(Provider.stream(hello)))
        expect(yield* knownGood).toBe(false)
        yield* Stream.runDrain(Provider.stream(hello))
        expect(yield* knownGood).toBe(true)
      }).pipe(Effect.provide(at([Gateway.sse([{ error: { message: "no", code: "invalid_api_key" } }]), streamed])))
    )
  })

  describe("the budgets", () => {
    it.live("503, 503, 401, 401, 200 on a known-good key succeeds", () =>
      Effect.gen(function* () {
        yield* accept
        yield* Provider.complete(hello)
        expect(yield* countRequests).toBe(1 + 5)
        expectWaits((yield* gaps).slice(1), [quickly(1), quickly(2), quickly(1), quickly(2)])
      }).pipe(Effect.provide(at([whole, failed(503), failed(503), refused(), refused(), whole])))
    )

    it.live("the same on a key that was never accepted is 3 requests and AuthRejected", () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "AuthRejected", knownGood: false, attempts: 3 })
        expect(yield* countRequests).toBe(3)
      }).pipe(Effect.provide(at([failed(503), failed(503), refused(), refused(), whole])))
    )

    it.live("10 transient retries, then Transient with 11 attempts", () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "Transient", reason: "Overloaded", attempts: 11, status: 503 })
        expect(yield* countRequests).toBe(11)
        expectWaits(yield* gaps, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(quickly))
      }).pipe(Effect.provide(at(times(20, failed(503)))))
    )

    it.live("a connection that breaks before the headers is tried again", () =>
      Effect.gen(function* () {
        yield* Provider.complete(hello)
        expect(yield* countRequests).toBe(3)
      }).pipe(Effect.provide(at([Gateway.unreachable, Gateway.unreachable, whole])))
    )

    for (const status of [400, 402, 404, 413, 422]) {
      it.live(`${status} is 1 request`, () =>
        Effect.gen(function* () {
          yield* accept
          expect(yield* failure).toMatchObject({ attempts: 1, status })
          expect(yield* countRequests).toBe(2)
        }).pipe(Effect.provide(at([whole, failed(status), whole])))
      )
    }

    it.live("the observer is told of each retry", () =>
      Effect.gen(function* () {
        yield* accept
        const notices: Array<unknown> = []
        const observer = {
          onRetry: ({ attempt, budget, delay, error }: RetryObserver.RetryNotice) =>
            Effect.sync(() => notices.push([error._tag, attempt, budget, millis(delay)]))
        }
        yield* Effect.provideService(Provider.complete(hello), RetryObserver.RetryObserver, observer)
        expect(notices).toEqual([
          ["Transient", 1, 10, 5],
          ["AuthRejected", 1, 2, 5]
        ])
      }).pipe(Effect.provide(at([whole, failed(503), refused(), whole])))
    )
  })

  describe("the wait that the server asks for", () => {
    for (const [headers, wait] of [
      [{ "retry-after-ms": "120" }, 120],
      [{ "retry-after": "0.15" }, 150]
    ] as const) {
      it.live(`${JSON.stringify(headers)}: not before ${wait} ms`, () =>
        Effect.gen(function* () {
          yield* Provider.complete(hello)
          expectWaits(yield* gaps, [wait])
        }).pipe(Effect.provide(at([failed(429, headers), whole])))
      )
    }

    it.live("an hour fails at once, and says how long", () =>
      Effect.gen(function* () {
        const error = yield* failure
        expect(error).toMatchObject({ _tag: "Transient", reason: "RateLimited", attempts: 1 })
        expect(error._tag === "Transient" && millis(error.retryAfter)).toBe(3_600_000)
      }).pipe(Effect.provide(at([failed(429, { "retry-after": "3600" }), whole])))
    )
  })

  describe("a stream", () => {
    const ends: ReadonlyArray<readonly [string, Gateway.Answer]> = [
      ["before its first byte", thenCut(Gateway.sse([]))],
      ["after a keep-alive", thenCut(Gateway.sse([Gateway.comment("working")]))],
      ["before any output", thenCut(Gateway.sse([role]))],
      ["by an error that passes", Gateway.sse([role, { error: { message: "busy", type: "overloaded_error" } }])]
    ]
    for (const [name, cut] of ends) {
      it.live(`that is cut ${name} is opened again, and the caller does not see it`, () =>
        Effect.gen(function* () {
          const events = yield* Stream.runCollect(Provider.stream(hello))
          expect(tags(events)).toEqual(["TextDelta", "TextDelta", "Finish"])
          expect(yield* countRequests).toBe(2)
        }).pipe(Effect.provide(at([cut, streamed])))
      )
    }

    it.live("that is cut after output is never repeated, and fails with the text so far", () =>
      Effect.gen(function* () {
        const { error, seen } = yield* readToFailure
        expect(seen).toEqual(["TextDelta"])
        expect(error).toMatchObject({
          _tag: "Transient",
          reason: "StreamInterrupted",
          emitted: true,
          partial: "Hello, ",
          attempts: 1
        })
        expect(yield* countRequests).toBe(1)
      }).pipe(Effect.provide(at([thenCut(Gateway.sse([role, chunk({ content: "Hello, " })])), streamed])))
    )

    it.live("ends with [DONE] even if the server keeps the connection open, and closes the connection", () =>
      Effect.gen(function* () {
        const reply = yield* Chat.collect(Provider.stream(hello))
        expect(reply.text).toBe("Hello, world")
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
      }).pipe(Effect.provide(at([thenSilence(streamed)])))
    )

    it.live("whose consumer stops early closes the connection", () =>
      Effect.gen(function* () {
        const first = yield* Stream.runCollect(Stream.take(Provider.stream(hello), 1))
        expect(tags(first)).toEqual(["TextDelta"])
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
      }).pipe(Effect.provide(at([Gateway.stall(300, streamed)])))
    )

    it.live("that arrives byte by byte, with characters cut anywhere, says the same", () =>
      Effect.gen(function* () {
        const reply = yield* Chat.collect(Provider.stream(hello))
        expect(reply.text).toBe(manyBytes)
      }).pipe(Effect.provide(at([byteByByte(Gateway.sse([chunk({ content: manyBytes }), ...done]))])))
    )
  })

  describe.concurrent("the clocks", () => {
    /**
     * Answers like this every time except the first: on a busy machine, a timeout of a second may end a good answer,
     * too.
     */
    const firstThen =
      (first: Gateway.Answer, then: Gateway.Answer): Gateway.Script =>
      (_, index) =>
        index === 0 ? first : then

    it.live("keep-alives alone, for longer than the idle clock: the answer is awaited", () =>
      Effect.gen(function* () {
        const reply = yield* Chat.collect(Provider.stream(hello))
        expect(reply.text).toBe("Hello, world")
        expect(yield* countRequests).toBe(1)
      }).pipe(
        Effect.provide(
          at([{ ...streamed, body: [...comments(130).body, ...streamed.body] }], { timeouts: { idle: "3 seconds" } })
        )
      )
    )

    it.live("no byte after output: StreamStalled, with the text so far", () =>
      Effect.gen(function* () {
        const { error, seen } = yield* readToFailure
        expect(seen).toEqual(["TextDelta"])
        expect(error).toMatchObject({
          _tag: "Transient",
          reason: "StreamStalled",
          emitted: true,
          partial: "Hello, ",
          clock: "idle"
        })
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
      }).pipe(
        Effect.provide(
          at(() => thenSilence(Gateway.sse([chunk({ content: "Hello, " })])), { timeouts: { idle: "1 second" } })
        )
      )
    )

    it.live("no byte before output: opened again", () =>
      Effect.gen(function* () {
        const reply = yield* Chat.collect(Provider.stream(hello))
        expect(reply.text).toBe("Hello, world")
        expect(yield* countRequests).toBeGreaterThanOrEqual(2)
      }).pipe(
        Effect.provide(at(firstThen(thenSilence(Gateway.sse([role])), streamed), { timeouts: { idle: "1 second" } }))
      )
    )

    it.live("keep-alives but no output: StreamStalled", () =>
      Effect.gen(function* () {
        const { error } = yield* readToFailure
        expect(error).toMatchObject({ reason: "StreamStalled", emitted: true, clock: "stall" })
      }).pipe(
        Effect.provide(
          at([{ ...streamed, body: [...streamed.body.slice(0, 2), ...comments(200).body] }], {
            timeouts: { idle: "5 seconds", stall: "1 second" }
          })
        )
      )
    )

    it.live("no headers: TimedOut, tried again, and the connection is closed", () =>
      Effect.gen(function* () {
        const told: Array<unknown> = []
        const observer = { onRetry: ({ error }: RetryObserver.RetryNotice) => Effect.sync(() => told.push(error)) }
        yield* Effect.provideService(Provider.complete(hello), RetryObserver.RetryObserver, observer)
        const headers = { _tag: "Transient", reason: "TimedOut", clock: "headers" }
        expect(told).toMatchObject([headers, ...times(told.length - 1, headers)])
        expect(yield* countRequests).toBe(1 + told.length)
        expect(yield* eventually(Effect.map(connections.open, (open) => open <= 1))).toBe(true)
      }).pipe(
        Effect.provide(at(firstThen(Gateway.delay("10 minutes", whole), whole), { timeouts: { headers: "1 second" } }))
      )
    )

    it.live("a body of complete that stops: StreamStalled, and tried again", () =>
      Effect.gen(function* () {
        yield* Provider.complete(hello)
        expect(yield* countRequests).toBeGreaterThanOrEqual(2)
      }).pipe(Effect.provide(at(firstThen(Gateway.stall(10, whole), whole), { timeouts: { idle: "1 second" } })))
    )
  })

  describe("the body of an error", () => {
    it.live("that never ends is read no longer than its time", () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "InvalidRequest", status: 400, detail: "the tool is broken" })
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
      }).pipe(
        Effect.provide(
          at([thenSilence(Gateway.status(400, "the tool is broken"))], {
            timeouts: { errorBody: "1 second" }
          })
        )
      )
    )

    it.live("of many megabytes is read no further than its beginning", () =>
      Effect.gen(function* () {
        const error = yield* failure
        expect(error).toMatchObject({ _tag: "InvalidRequest", status: 400 })
        expect(error.detail?.length).toBeLessThanOrEqual(800)
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
        expect(yield* connections.written).toBeLessThan(32 * mebibyte)
      }).pipe(
        Effect.provide(
          at([{ ...Gateway.status(400, "x"), body: times(1024, new Uint8Array(mebibyte / 16).fill(120)) }])
        )
      )
    )

    it.live("that breaks off counts as far as it arrived", () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "InvalidRequest", status: 422, detail: "not this" })
      }).pipe(Effect.provide(at([thenCut(Gateway.status(422, "not this"))])))
    )
  })

  describe("interruption", () => {
    const interrupted = (call: Effect.Effect<unknown, unknown, Provider.Provider>, after: string) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(call)
        expect(yield* eventually(Effect.map(countRequests, (count) => count === 1))).toBe(true)
        yield* Effect.sleep("50 millis")
        expect(yield* connections.open, after).toBe(1)
        expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
        expect(yield* countRequests).toBe(1)
      })

    it.live("while the headers are awaited closes the connection", () =>
      interrupted(Provider.complete(hello), "the request").pipe(
        Effect.provide(at([Gateway.delay("10 minutes", whole), whole]))
      )
    )

    it.live("in the middle of an answer that is not streamed closes the connection", () =>
      interrupted(Provider.complete(hello), "half a body").pipe(Effect.provide(at([Gateway.stall(50, whole), whole])))
    )

    it.live("before a stream's first output closes the connection", () =>
      interrupted(Stream.runDrain(Provider.stream(hello)), "the role").pipe(
        Effect.provide(at([thenSilence(Gateway.sse([role])), streamed]))
      )
    )

    it.live("in the middle of a stream closes the connection", () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<Chat.Event>()
        const fiber = yield* Provider.stream(hello).pipe(
          Stream.runForEach((event) => Deferred.succeed(begun, event)),
          Effect.fork
        )
        expect(yield* Deferred.await(begun)).toEqual({ _tag: "TextDelta", text: "Hello, " })
        expect(yield* connections.open).toBe(1)
        yield* Fiber.interrupt(fiber)
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
      }).pipe(Effect.provide(at([Gateway.stall(300, streamed), streamed])))
    )

    it.live("during the backoff sends nothing more", () =>
      Effect.gen(function* () {
        const waiting = yield* Deferred.make<void>()
        const observer = { onRetry: () => Effect.asVoid(Deferred.succeed(waiting, undefined)) }
        const fiber = yield* Provider.complete(hello).pipe(
          Effect.provideService(RetryObserver.RetryObserver, observer),
          Effect.fork
        )
        yield* Deferred.await(waiting)
        expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
        yield* Effect.sleep("300 millis")
        expect(yield* countRequests).toBe(1)
      }).pipe(
        Effect.provide(
          at(times(9, failed(503)), {
            policy: (knownGood) => RetryPolicy.standard(knownGood, { base: "100 millis", jitter: 0 })
          })
        )
      )
    )
  })

  describe("a redirect", () => {
    /** Another server, which must not be asked. */
    const elsewhere = Effect.map(Layer.build(serve(() => whole)), (context) => Context.get(context, Gateway.Gateway))

    const calls: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown, Provider.Provider>]> = [
      ["complete", Provider.complete(hello)],
      ["stream", Stream.runDrain(Provider.stream(hello))],
      ["models", Provider.models],
      ["verify", Provider.verify]
    ]
    for (const status of [301, 302, 303, 307, 308]) {
      for (const [name, call] of calls) {
        it.scopedLive(`${status} of ${name} is not followed, and the error names the target`, () =>
          Effect.gen(function* () {
            const other = yield* elsewhere
            const location = `${other.url}/v1/elsewhere`
            const error = yield* Effect.flip(call).pipe(
              Effect.provide(at([Gateway.status(status, "moved", { location })]))
            )
            expect(error).toMatchObject({ _tag: "InvalidResponse", status, attempts: 1, reason: "Redirect", location })
            expect(yield* other.requests).toEqual([])
          })
        )
      }
    }

    it.scopedLive("is not followed by a bearer token either", () =>
      Effect.gen(function* () {
        const other = yield* elsewhere
        const error = yield* Effect.gen(function* () {
          const { url } = yield* Gateway.Gateway
          const provider = yield* OpenAiCompatible.make({ id: "any", baseUrl: url, model: "m", apiKey: key })
          return yield* Effect.flip(provider.complete(hello))
        }).pipe(Effect.provide(Layer.merge(client, serve([Gateway.status(307, "", { location: `${other.url}/x` })]))))
        expect(error).toMatchObject({ _tag: "InvalidResponse", status: 307 })
        expect(yield* other.requests).toEqual([])
      })
    )

    it.live("to the same server is not followed either", () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "InvalidResponse", status: 308 })
        expect(yield* countRequests).toBe(1)
      }).pipe(Effect.provide(at([Gateway.status(308, "", { location: "/v2/chat/completions" }), whole])))
    )
  })

  describe("many at once", () => {
    it.live("64 streams each get exactly their own text", () =>
      Effect.gen(function* () {
        const texts = Array.from({ length: 64 }, (_, i) => sentence(i))
        const answers = yield* Effect.forEach(
          texts,
          (text) => Stream.runCollect(Chat.textOnly(Provider.stream({ messages: [Chat.user(text)] }))),
          { concurrency: "unbounded" }
        )
        expect(answers.map((answer) => Chunk.toReadonlyArray(answer))).toEqual(texts.map(tokens))
        expect(yield* countRequests).toBe(64)
      }).pipe(Effect.provide(at(together(64))))
    )

    it.live("64 answers that are not streamed, every other one refused at first, on a known-good key", () =>
      Effect.gen(function* () {
        yield* accept
        const replies = yield* Effect.forEach(
          Array.from({ length: 64 }, (_, i) => `question ${i}`),
          (text) => Effect.map(Provider.complete({ messages: [Chat.user(text)] }), (reply) => [text, reply.text]),
          { concurrency: "unbounded" }
        )
        for (const [asked, answered] of replies) expect(answered).toBe(asked)
        expect(yield* countRequests).toBe(1 + 64 + 32)
      }).pipe(Effect.provide(at(refuseEveryOther())))
    )
  })

  it.live("a slow consumer holds the socket back: the server can write only so much", () =>
    Effect.gen(function* () {
      const events = 8192
      const gate = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      let characters = 0
      const fiber = yield* Provider.stream(hello).pipe(
        Chat.textOnly,
        Stream.runForEach((text) => {
          characters += text.length
          return Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate))
        }),
        Effect.fork
      )
      yield* Deferred.await(begun)
      expect(yield* unchanging(connections.written)).toBeLessThan(24 * mebibyte)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      expect(characters).toBe(events * 8192)
      expect(yield* connections.written).toBeGreaterThan(64 * mebibyte)
    }).pipe(Effect.provide(at([large(8192, 8192)])))
  )

  it.live("consecutive calls reuse their connections", () =>
    Effect.gen(function* () {
      for (let call = 0; call < 30; call++) yield* Provider.complete(hello)
      expect(yield* countRequests).toBe(30)
      // More than one, because a pool counts a connection as busy for a moment after its answer has ended.
      expect(yield* connections.made).toBeLessThanOrEqual(10)
    }).pipe(Effect.provide(at(times(30, whole))))
  )
})

const key = Redacted.make("sk-a-key-that-must-stay-here")

const mebibyte = 1024 * 1024

const manyBytes = "Grüße, 世界! 👩‍👩‍👧 ¿Qué?"

const byteByByte = (answer: Gateway.Answer): Gateway.Answer => ({
  ...answer,
  body: answer.body.flatMap(
    (piece): ReadonlyArray<Gateway.Piece> =>
      piece instanceof Uint8Array ? Array.from(piece, (byte) => Uint8Array.of(byte)) : [piece]
  )
})

/** Keep-alive comments, one every 25 ms. */
const comments = (count: number) => Gateway.paced("25 millis", Gateway.sse(times(count, Gateway.comment("working"))))

const sentence = (i: number) => Array.from({ length: 40 }, (_, n) => `stream ${i}, word ${n}; `).join("")

const tokens = (text: string) => text.split(/(?<= )/)

const asked = Schema.decodeUnknownSync(
  Schema.Struct({ messages: Schema.NonEmptyArray(Schema.Struct({ content: Schema.String })) })
)

/** The user's message, token by token. */
const echo = (request: Gateway.Recorded): Gateway.Answer => {
  const text = asked(request.body).messages[0].content
  return Gateway.paced("1 millis", Gateway.sse([role, ...tokens(text).map((content) => chunk({ content })), ...done]))
}

/**
 * The same, but nobody gets an answer before this many have asked: a request that is not sent together with the rest
 * waits for ever.
 */
const together = (count: number): Gateway.Script => {
  const all = Effect.runSync(Deferred.make<void>())
  return (request, index) => {
    if (index === count - 1) Deferred.unsafeDone(all, Effect.void)
    return Gateway.delay(Deferred.await(all), echo(request))
  }
}

/** The user's message, not streamed; every other question is refused when it is first asked. */
const refuseEveryOther = (): Gateway.Script => {
  const refusedOnce = new Set<string>()
  return (request) => {
    const content = asked(request.body).messages[0].content
    if (/[13579]$/.test(content) && !refusedOnce.has(content)) {
      refusedOnce.add(content)
      return refused()
    }
    return Gateway.json({ choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }] })
  }
}

/** This many events of this many characters. They share their bytes, so that the script takes no memory. */
const large = (events: number, characters: number): Gateway.Answer => {
  const [one] = Gateway.sse([chunk({ content: "x".repeat(characters) })]).body
  return { ...streamed, body: [...times(events, one ?? "drop"), ...Gateway.sse(done).body] }
}
