/** The laws of retries, through the scripted gateway under `TestClock`: every wait to the millisecond. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { Provider, RetryObserver, RetryPolicy } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import {
  accept,
  backoff,
  failed,
  gaps,
  hello,
  knownGood,
  millis,
  mimo,
  patiently,
  refused,
  streamed,
  times,
  whole
} from "./Wire.js"

const countRequests = Effect.map(Gateway.requests, (requests) => requests.length)
const failure = Effect.flip(Provider.complete(hello))
describe("the auth budget", () => {
  it.effect("a known-good key that meets 401, 401, 200 succeeds with 3 requests", () =>
    Effect.gen(function* () {
      yield* accept
      const reply = yield* patiently(Provider.complete(hello))
      expect(reply.text).toBe("Hello, world")
      expect(yield* countRequests).toBe(1 + 3)
      expect((yield* gaps).slice(1)).toEqual([backoff(1), backoff(2)])
    }).pipe(Effect.provide(mimo([whole, refused(), refused(), whole])))
  )

  it.effect("a known-good key that is refused for ever fails after 3 requests", () =>
    Effect.gen(function* () {
      yield* accept
      const error = yield* patiently(failure)
      expect(error).toMatchObject({ _tag: "AuthRejected", knownGood: true, attempts: 3, status: 401 })
      expect(error.history.map((entry) => [entry.status, millis(entry.wait)])).toEqual([
        [401, backoff(1)],
        [401, backoff(2)],
        [401, undefined]
      ])
      expect(yield* countRequests).toBe(1 + 3)
    }).pipe(Effect.provide(mimo([whole, ...times(9, refused())])))
  )

  it.effect("a key that was never accepted fails after 1 request, at once", () =>
    Effect.gen(function* () {
      const error = yield* failure
      expect(error).toMatchObject({ _tag: "AuthRejected", knownGood: false, attempts: 1, source: "MIMO_API_KEY" })
      expect(yield* countRequests).toBe(1)
    }).pipe(Effect.provide(mimo(times(9, refused()))))
  )

  it.effect("403 is treated like 401", () =>
    Effect.gen(function* () {
      yield* accept
      const error = yield* patiently(failure)
      expect(error).toMatchObject({ _tag: "AuthRejected", knownGood: true, attempts: 3, status: 403 })
    }).pipe(Effect.provide(mimo([whole, ...times(9, refused(403))])))
  )

  it.effect("no key sends nothing", () =>
    Effect.gen(function* () {
      const error = yield* failure
      expect(error).toMatchObject({ _tag: "AuthMissing", problem: "Absent", source: "MIMO_API_KEY", attempts: 0 })
      expect(yield* countRequests).toBe(0)
    }).pipe(Effect.provide(mimo([whole], { key: undefined })))
  )

  for (const key of ["", "   ", "\n\t"]) {
    it.effect(`a key of ${JSON.stringify(key)} counts as missing`, () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "AuthMissing", problem: "Blank", attempts: 0 })
        expect(yield* countRequests).toBe(0)
      }).pipe(Effect.provide(mimo([whole], { key })))
    )
  }

  it.effect("x-should-retry: false stops the retry of a known-good key", () =>
    Effect.gen(function* () {
      yield* accept
      expect(yield* failure).toMatchObject({ _tag: "AuthRejected", attempts: 1, shouldRetry: false })
    }).pipe(Effect.provide(mimo([whole, refused(401, { "x-should-retry": "false" })])))
  )
})

describe("the budgets are independent", () => {
  it.effect("503, 503, 401, 401, 200 on a known-good key succeeds", () =>
    Effect.gen(function* () {
      yield* accept
      yield* patiently(Provider.complete(hello))
      expect(yield* countRequests).toBe(1 + 5)
      expect((yield* gaps).slice(1)).toEqual([backoff(1), backoff(2), backoff(1), backoff(2)])
    }).pipe(Effect.provide(mimo([whole, failed(503), failed(503), refused(), refused(), whole])))
  )

  it.effect("the same on a key that was never accepted is 3 requests and AuthRejected", () =>
    Effect.gen(function* () {
      const error = yield* patiently(failure)
      expect(error).toMatchObject({ _tag: "AuthRejected", knownGood: false, attempts: 3 })
      expect(error.history.map((entry) => entry.reason)).toEqual(["Overloaded", "Overloaded", "AuthRejected"])
      expect(yield* countRequests).toBe(3)
    }).pipe(Effect.provide(mimo([failed(503), failed(503), refused(), refused(), whole])))
  )

  it.effect("a 401 does not spend the transient budget", () =>
    Effect.gen(function* () {
      yield* accept
      yield* patiently(Provider.complete(hello))
      expect(yield* countRequests).toBe(1 + 13)
    }).pipe(Effect.provide(mimo([whole, refused(), ...times(10, failed(500)), refused(), whole])))
  )
})

describe("the transient budget", () => {
  it.effect("10 retries, then Transient with 11 attempts", () =>
    Effect.gen(function* () {
      const error = yield* patiently(failure)
      expect(error).toMatchObject({ _tag: "Transient", reason: "Overloaded", attempts: 11 })
      expect(yield* gaps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(backoff))
      expect(backoff(10)).toBe(15_000 + 125)
    }).pipe(Effect.provide(mimo(times(20, failed(503)))))
  )

  for (const status of [408, 409, 425, 429, 500, 502, 503, 504, 520, 524, 529]) {
    it.effect(`${status} is retried`, () =>
      Effect.gen(function* () {
        yield* patiently(Provider.complete(hello))
        expect(yield* countRequests).toBe(2)
      }).pipe(Effect.provide(mimo([failed(status), whole])))
    )
  }

  it.effect("a gateway that cannot be reached is tried again", () =>
    Effect.gen(function* () {
      yield* patiently(Provider.complete(hello))
      expect(yield* gaps).toEqual([backoff(1)])
    }).pipe(Effect.provide(mimo([Gateway.unreachable, whole])))
  )

  it.effect("headers that do not arrive are TimedOut, and tried again", () =>
    Effect.gen(function* () {
      yield* patiently(Provider.complete(hello))
      expect(yield* gaps).toEqual([20_000 + backoff(1)])
    }).pipe(Effect.provide(mimo([Gateway.delay("10 minutes", whole), whole], { timeouts: { headers: "20 seconds" } })))
  )

  for (const [status, headers] of [
    [400, {}],
    [402, {}],
    [404, {}],
    [413, {}],
    [422, {}],
    [500, { "x-should-retry": "false" }]
  ] as const) {
    it.effect(`${status} ${JSON.stringify(headers)} is 1 request`, () =>
      Effect.gen(function* () {
        yield* accept
        expect(yield* failure).toMatchObject({ attempts: 1, status })
        expect(yield* countRequests).toBe(2)
      }).pipe(Effect.provide(mimo([whole, failed(status, headers), whole])))
    )
  }

  it.effect("x-should-retry: true makes a 400 worth another try", () =>
    Effect.gen(function* () {
      yield* patiently(Provider.complete(hello))
      expect(yield* countRequests).toBe(2)
    }).pipe(Effect.provide(mimo([failed(400, { "x-should-retry": "true" }), whole])))
  )
})

describe("the wait that the server asks for", () => {
  for (const [name, headers, wait] of [
    ["seconds", { "retry-after": "7" }, 7000],
    ["a part of a second", { "retry-after": "0.1" }, 100],
    ["milliseconds", { "retry-after-ms": "1234" }, 1234],
    ["milliseconds before seconds", { "retry-after-ms": "1234", "retry-after": "7" }, 1234],
    ["a date", { "retry-after": "Thu, 01 Jan 1970 00:00:42 GMT" }, 42_000],
    ["a minute", { "retry-after": "60" }, 60_000],
    ["a date that is over: nothing", { "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }, backoff(1)],
    ["zero: nothing", { "retry-after": "0" }, backoff(1)],
    ["zero milliseconds beside a second, as Azure does", { "retry-after-ms": "0", "retry-after": "1" }, 1000],
    ["a negative number: nothing", { "retry-after": "-5" }, backoff(1)],
    ["nonsense: nothing", { "retry-after": "soon" }, backoff(1)]
  ] as const) {
    it.effect(`${name}: the next request comes after ${wait} ms, without jitter on what was asked`, () =>
      Effect.gen(function* () {
        yield* patiently(Provider.complete(hello))
        expect(yield* gaps).toEqual([wait])
      }).pipe(Effect.provide(mimo([failed(429, headers), whole])))
    )
  }

  it.effect("more than a minute fails at once, and says how long", () =>
    Effect.gen(function* () {
      const error = yield* failure
      expect(error).toMatchObject({ _tag: "Transient", reason: "RateLimited", attempts: 1 })
      expect(error._tag === "Transient" && millis(error.retryAfter)).toBe(3_600_000)
    }).pipe(Effect.provide(mimo([failed(429, { "retry-after": "3600" }), whole])))
  )
})

describe("the flag", () => {
  it.effect("is set by the first event of a stream, not by its 200", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runHead(Provider.stream(hello)))
      yield* TestClock.adjust("999 millis")
      expect(yield* knownGood).toBe(false)
      yield* TestClock.adjust("2 seconds")
      expect(yield* knownGood).toBe(true)
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(mimo([Gateway.paced("1 second", streamed)])))
  )

  it.effect("is not set by an error inside a 200", () =>
    Effect.gen(function* () {
      yield* Effect.flip(Stream.runDrain(Provider.stream(hello)))
      expect(yield* knownGood).toBe(false)
    }).pipe(Effect.provide(mimo([Gateway.sse([{ error: { message: "no", code: "invalid_api_key", type: "x" } }])])))
  )

  it.effect("is not set by a list of models, which MiMo gives to a key that does not work", () =>
    Effect.gen(function* () {
      yield* Provider.models
      expect(yield* knownGood).toBe(false)
    }).pipe(Effect.provide(mimo([Gateway.json({ data: [{ id: "mimo-v2.5" }] })])))
  )

  it.effect("set by one call helps another that is already waiting", () =>
    Effect.gen(function* () {
      // The first call meets 503 and waits; meanwhile the second is answered; then the first meets 401.
      const first = yield* Effect.fork(Provider.complete(hello))
      yield* TestClock.adjust("100 millis")
      yield* accept
      const reply = yield* patiently(Fiber.join(first))
      expect(reply.text).toBe("Hello, world")
      expect(yield* countRequests).toBe(4)
    }).pipe(Effect.provide(mimo([failed(503), whole, refused(), whole])))
  )

  for (const [title, headers] of [
    ["the server forbade to retry", { "x-should-retry": "false" }],
    ["the server asked for a wait that is too long", { "retry-after": "3600" }]
  ] as const) {
    it.effect(`stays where ${title}: those calls did not use up the auth budget`, () =>
      Effect.gen(function* () {
        yield* accept
        for (let call = 0; call < 5; call++) {
          const before = yield* countRequests
          expect(yield* patiently(failure)).toMatchObject({ _tag: "AuthRejected", knownGood: true, attempts: 1 })
          expect((yield* countRequests) - before).toBe(1)
        }
        expect(yield* knownGood).toBe(true)
      }).pipe(Effect.provide(mimo([whole, ...times(30, refused(401, headers))])))
    )
  }

  it.effect("goes back to false after 3 calls in a row that used up the auth budget", () =>
    Effect.gen(function* () {
      yield* accept
      for (const requests of [3, 3, 3, 1, 1]) {
        const before = yield* countRequests
        yield* patiently(failure)
        expect((yield* countRequests) - before).toBe(requests)
      }
      expect(yield* knownGood).toBe(false)
    }).pipe(Effect.provide(mimo([whole, ...times(30, refused())])))
  )

  it.effect("one success makes it true again, and clears the count", () =>
    Effect.gen(function* () {
      yield* accept
      yield* patiently(failure)
      yield* patiently(failure)
      yield* accept
      yield* patiently(failure)
      yield* patiently(failure)
      expect(yield* knownGood).toBe(true)
    }).pipe(Effect.provide(mimo([whole, ...times(6, refused()), whole, ...times(6, refused())])))
  )
})

describe("interruption", () => {
  it.effect("during the backoff sends nothing more", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Provider.complete(hello))
      yield* TestClock.adjust("100 millis")
      const exit = yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("10 minutes")
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(yield* countRequests).toBe(1)
    }).pipe(Effect.provide(mimo(times(9, failed(503)))))
  )
})

describe("a stream", () => {
  it.effect("that is cut before any output is opened again, and the caller does not see it", () =>
    Effect.gen(function* () {
      const events = yield* patiently(Stream.runCollect(Provider.stream(hello)))
      expect(Chunk.toReadonlyArray(events).map((event) => event._tag)).toEqual(["TextDelta", "TextDelta", "Finish"])
      expect(yield* gaps).toEqual([backoff(1), backoff(2)])
    }).pipe(
      Effect.provide(
        mimo([
          Gateway.drop(20, streamed),
          Gateway.sse([{ error: { message: "busy", type: "overloaded_error" } }]),
          streamed
        ])
      )
    )
  )

  it.effect("that is cut after output is never repeated, and fails with the text so far", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const error = yield* Provider.stream(hello).pipe(
        Stream.runForEach((event) => Effect.sync(() => seen.push(event._tag))),
        Effect.flip
      )
      expect(seen).toEqual(["TextDelta"])
      expect(error).toMatchObject({
        _tag: "Transient",
        reason: "StreamInterrupted",
        emitted: true,
        partial: "Hello, ",
        attempts: 1
      })
      expect(yield* countRequests).toBe(1)
    }).pipe(Effect.provide(mimo([Gateway.drop(280, streamed), streamed])))
  )
})

describe("the observer", () => {
  it.effect("is told of each retry before its wait: which, of how many, how long, why", () =>
    Effect.gen(function* () {
      yield* accept
      const notices: Array<unknown> = []
      const observer = {
        onRetry: (notice: RetryObserver.RetryNotice) =>
          Effect.sync(() => {
            const { attempt, budget, delay, error } = notice
            notices.push([error._tag, attempt, budget, millis(delay), notice.at])
          })
      }
      yield* patiently(Provider.complete(hello)).pipe(Effect.provideService(RetryObserver.RetryObserver, observer))
      expect(notices).toEqual([
        ["Transient", 1, 10, 625, 0],
        ["AuthRejected", 1, 2, 625, 625],
        ["Transient", 2, 10, 1125, 1250],
        ["AuthRejected", 2, 2, 1125, 2375]
      ])
    }).pipe(Effect.provide(mimo([whole, failed(500), refused(), failed(500), refused(), whole])))
  )
})

describe("policies compose", () => {
  it.effect("none: one request, whatever the answer", () =>
    Effect.gen(function* () {
      expect(yield* failure).toMatchObject({ _tag: "Transient", attempts: 1 })
    }).pipe(Effect.provide(mimo(times(9, failed(503)), { policy: () => RetryPolicy.none })))
  )

  it.effect("within: gives up before a wait that would end after the budget", () =>
    Effect.gen(function* () {
      // 625 + 1125 = 1750; the third wait would end at 3875.
      expect(yield* patiently(failure)).toMatchObject({ _tag: "Transient", attempts: 3 })
      expect(yield* gaps).toEqual([625, 1125])
    }).pipe(
      Effect.provide(
        mimo(times(9, failed(503)), {
          policy: (knownGood) => RetryPolicy.standard(knownGood).pipe(RetryPolicy.within("3 seconds"))
        })
      )
    )
  )

  it.effect("options: every number can be changed", () =>
    Effect.gen(function* () {
      expect(yield* patiently(failure)).toMatchObject({ _tag: "Transient", attempts: 4 })
      expect(yield* gaps).toEqual([10, 20, 30])
    }).pipe(
      Effect.provide(
        mimo(times(9, failed(503)), {
          policy: (knownGood) =>
            RetryPolicy.standard(knownGood, { base: "10 millis", cap: "30 millis", jitter: 0, transientRetries: 3 })
        })
      )
    )
  )
})
