/**
 * The cases that three mainstream clients test: openai-node (O), anthropic-sdk-typescript (A) and the Vercel AI SDK (V).
 * Each that concerns retry, timeout, abort, the parsing of streams or credentials is a row here, asked of every preset
 * that speaks its wire, or a pointer to the test that holds it, or is left out with the reason. Where our answer differs
 * on purpose the row says "ours".
 */
import { readFileSync } from "node:fs"
import { inspect } from "node:util"
import { FetchHttpClient, HttpClient, HttpClientError, type HttpClientRequest } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import {
  Context,
  type Duration,
  Effect,
  Either,
  Exit,
  Fiber,
  Layer,
  Random,
  Redacted,
  Runtime,
  Stream,
  TestClock
} from "effect"
import { Anthropic, type Chat, Credential, Provider, RetryPolicy } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { accept, backoff, gaps, halfway, hello, millis, patiently, plantedKey, times } from "../Wire.js"
import { fetched, rejecting, responding, systemError } from "./cases/Fetched.js"
import { atOnce, ending, type Host, hosts, open, refusal, streamed } from "./cases/Host.js"

type Answers = ReadonlyArray<Gateway.Answer>
type Client = Layer.Layer<Gateway.Gateway | HttpClient.HttpClient>
type World = Provider.Provider | Gateway.Gateway | HttpClient.HttpClient

interface Case {
  /** Separated by spaces. A case with several parts has several rows. */
  readonly ids: string
  readonly given: string
  /** The hosts that it applies to. Default: all. */
  readonly of?: (host: Host) => boolean
  /** What the gateway answers, or the row's own client. */
  readonly script: (host: Host) => Answers | Client
  readonly options?: (host: Host) => Provider.Options
  readonly outcome: (host: Host) => Effect.Effect<unknown, unknown, World>
}

// ---------------------------------------------------------------------------------------------------------------------
// Calls and expectations
// ---------------------------------------------------------------------------------------------------------------------

const text = "Hello, world"
const whole = (host: Host) => host.whole(text)
const stream = (host: Host) => streamed(host, "Hello, ", "world")
const failure = Effect.flip(Provider.complete(hello))
const count = Effect.map(Gateway.requests, (requests) => requests.length)
const once: Provider.Options = { policy: () => RetryPolicy.none }

/** The call succeeds, after these waits between its requests, in milliseconds. */
const answered = (...waits: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    expect((yield* patiently(Provider.complete(hello))).text).toBe(text)
    expect(yield* gaps).toEqual(waits)
  })

/** The call fails with these facts, after these waits between its requests. */
const fails = (facts: object, ...waits: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const error = yield* patiently(failure)
    expect(pick(error, facts)).toEqual(facts)
    expect(yield* gaps).toEqual(waits)
    return error
  })

/** The facts with these names; `undefined` for one that is missing. */
const pick = (error: Provider.Error, facts: object): object => {
  const found = new Map<string, unknown>(Object.entries(error))
  return Object.fromEntries(Object.keys(facts).map((name) => [name, found.get(name)]))
}

/** Reads a stream to its end, of whatever kind. */
const listen = Effect.gen(function* () {
  const events: Array<Chat.Event> = []
  const end = yield* Provider.stream(hello).pipe(
    Stream.runForEach((event) => Effect.sync(() => events.push(event))),
    Effect.either,
    patiently
  )
  return {
    events,
    text: events.map((event) => (event._tag === "TextDelta" ? event.text : "")).join(""),
    finish: events.find((event) => event._tag === "Finish"),
    error: Either.isLeft(end) ? end.left : undefined
  }
})

/** The stream says this text, then fails with these facts. */
const breaks = (said: string, facts: object) =>
  Effect.gen(function* () {
    const heard = yield* listen
    expect(heard.text).toBe(said)
    expect(heard.error).toMatchObject({ ...facts, emitted: said !== "" })
    expect(heard.error?.partial ?? "").toBe(said)
    expect(heard.finish).toBeUndefined()
  })

/** The stream is complete, after these waits between its requests. */
const heard = (...waits: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const { error, finish, text: said } = yield* listen
    expect([said, finish?._tag, error]).toEqual([text, "Finish", undefined])
    expect(yield* gaps).toEqual(waits)
  })

/** The caller gives up after this time: the fiber is interrupted, nothing more is sent, and a running request is aborted. */
const givenUp = (call: Effect.Effect<unknown, unknown, World>, after: Duration.DurationInput, aborted: boolean) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(call)
    yield* TestClock.adjust(after)
    expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
    yield* TestClock.adjust("10 minutes")
    expect((yield* Gateway.requests).map((request) => request.aborted)).toEqual([aborted])
  })

/** We closed the connection of the only request. */
const closed = Effect.gen(function* () {
  yield* TestClock.adjust("1 second")
  expect((yield* Gateway.requests).map((request) => request.aborted)).toEqual([true])
})

/** The keys that were sent, oldest first. */
const keysSent = (host: Host) =>
  Effect.map(Gateway.requests, (requests) =>
    requests.map(({ headers }) => headers[host.keyHeader[0]]?.slice(host.keyHeader[1].length))
  )

/** Runs the first effect the first time, and so on; the last one from then on. */
const inTurn = <A, E>(...effects: ReadonlyArray<Effect.Effect<A, E>>): Effect.Effect<A, E> => {
  let runs = 0
  return Effect.suspend(() => {
    const effect = effects[Math.min(runs, effects.length - 1)]
    runs += 1
    return effect ?? Effect.dieMessage("nothing to run")
  })
}

const key = (value: string) => Effect.succeed(Redacted.make(value))

/** The headers that a key is sent in, by this host or by another. */
const keyHeaders = ({ keyHeader: [own] }: Host): ReadonlyArray<string> => [
  ...new Set(["authorization", "api-key", "x-api-key", own])
]

/** The scripted gateway, behind a hook of the program that runs before each request is sent. */
const hooked = (
  hook: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<unknown, HttpClientError.HttpClientError>,
  script: Answers
): Client =>
  Layer.map(Gateway.layer(script), (context) =>
    Context.add(
      context,
      HttpClient.HttpClient,
      HttpClient.tapRequest(Context.get(context, HttpClient.HttpClient), hook)
    )
  )

// ---------------------------------------------------------------------------------------------------------------------
// Retry
// ---------------------------------------------------------------------------------------------------------------------

/** A second answer is requested after the first, after this wait. */
const retried = (
  ids: string,
  given: string,
  status: number,
  headers: Record<string, string>,
  wait: number = backoff(1)
): Case => ({
  ids,
  given,
  script: (host) => [refusal(host, status, headers), whole(host)],
  outcome: () => answered(wait)
})

const retry: ReadonlyArray<Case> = [
  retried("O7 V2 V7", "429 with Retry-After of a part of a second", 429, { "retry-after": "0.1" }, 100),
  retried("O8", "429 with Retry-After-Ms", 429, { "retry-after-ms": "10" }, 10),
  retried("V1 V6", "429 with Retry-After-Ms: not a millisecond sooner", 429, { "retry-after-ms": "3000" }, 3000),
  retried("V2", "429 with Retry-After in seconds", 429, { "retry-after": "30" }, 30_000),
  retried("V4", "429 without a wish: the backoff (ours begins at 0.5 s)", 429, {}),
  retried("V5", "429 with a wish that is no number", 429, {
    "retry-after": "not-a-number",
    "retry-after-ms": "invalid"
  }),
  retried("V9", "milliseconds beside seconds", 429, { "retry-after-ms": "50", "retry-after": "9" }, 50),
  retried("O30 V10", "429 with Retry-After as a date", 429, { "retry-after": "Thu, 01 Jan 1970 00:00:42 GMT" }, 42_000),
  retried(
    "O31",
    "milliseconds beside a date",
    429,
    { "retry-after-ms": "7", "retry-after": "Thu, 01 Jan 1970 00:00:42 GMT" },
    7
  ),
  retried(
    "O31",
    "zero milliseconds beside a date (ours: a zero says nothing, so the date counts)",
    429,
    { "retry-after-ms": "0", "retry-after": "Thu, 01 Jan 1970 00:00:42 GMT" },
    42_000
  ),
  retried("V11", "429 with a negative Retry-After", 429, { "retry-after": "-5" }),
  ...[408, 409, 429, 500].map((status) =>
    retried("O29", `${status} with zero milliseconds (ours: the backoff)`, status, { "retry-after-ms": "0" })
  ),
  retried("O29", "400 with x-should-retry: true", 400, { "x-should-retry": "true" }),
  retried("V55", "529", 529, {}),
  ...[500, 429, 408, 502].map((status) => retried("V12 V74", `${status} passes`, status, {})),
  ...[400, 401, 404].map(
    (status): Case => ({
      ids: "V12 V74",
      given: `${status} does not pass`,
      script: (host) => [refusal(host, status), whole(host)],
      outcome: () => fails({ status, attempts: 1 })
    })
  ),
  {
    ids: "O29",
    given: "500 with x-should-retry: false",
    script: (host) => [refusal(host, 500, { "x-should-retry": "false" }), whole(host)],
    outcome: () => fails({ _tag: "Transient", status: 500, shouldRetry: false, attempts: 1 })
  },
  {
    ids: "O29",
    given: "400 with zero milliseconds",
    script: (host) => [refusal(host, 400, { "retry-after-ms": "0" }), whole(host)],
    outcome: () => fails({ _tag: "InvalidRequest", attempts: 1 })
  },
  {
    ids: "V3",
    given: "a Retry-After of more than a minute (ours: it fails at once and says how long)",
    script: (host) => [refusal(host, 429, { "retry-after": "61" }), whole(host)],
    outcome: () =>
      Effect.map(fails({ _tag: "Transient", reason: "RateLimited", attempts: 1 }), (error) =>
        expect(error._tag === "Transient" && millis(error.retryAfter)).toBe(61_000)
      )
  },
  {
    ids: "V8",
    given: "one failure after another (ours: 0.5 s, 1 s, 2 s)",
    script: (host) => [...times(3, refusal(host, 429)), whole(host)],
    outcome: () => answered(backoff(1), backoff(2), backoff(3))
  },
  {
    ids: "O3",
    given: "two 429 with Retry-After: three requests (ours: none of them counts itself in a header)",
    script: (host) => [...times(2, refusal(host, 429, { "retry-after": "0.1" })), whole(host)],
    outcome: () =>
      Effect.gen(function* () {
        yield* answered(100, 100)
        const names = (yield* Gateway.requests).flatMap(({ headers }) => Object.keys(headers))
        expect(names.filter((name) => /retry/.test(name))).toEqual([])
      })
  },
  {
    ids: "O27",
    given: "a number of retries in the options",
    script: (host) => times(9, refusal(host, 503)),
    options: () => ({ policy: (knownGood) => RetryPolicy.standard(knownGood, { transientRetries: 1 }) }),
    outcome: () => fails({ _tag: "Transient", attempts: 2 }, backoff(1))
  },
  {
    ids: "V13",
    given: "no number of retries in the options (ours: ten)",
    script: (host) => times(20, refusal(host, 503)),
    outcome: () => fails({ _tag: "Transient", attempts: 11 }, ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(backoff))
  },
  {
    ids: "V17",
    given: "a 500 where a stream was asked for: the whole stream, and two requests",
    script: (host) => [refusal(host, 500), stream(host)],
    outcome: () => heard(backoff(1))
  },
  {
    ids: "A7 A16 O102",
    given: "two 500 and a hook of the program's: it sees each attempt, with the key in it",
    script: (host) => [...times(2, refusal(host, 500)), whole(host)],
    outcome: (host) =>
      Effect.gen(function* () {
        const seen: Array<string | undefined> = []
        const client = HttpClient.tapRequest(yield* HttpClient.HttpClient, ({ headers }) =>
          Effect.sync(() => seen.push(headers[host.keyHeader[0]]))
        )
        const provider = yield* Effect.provideService(
          host.make({ apiKey: Redacted.make(plantedKey) }),
          HttpClient.HttpClient,
          client
        )
        yield* patiently(provider.complete(hello))
        expect(seen).toEqual(times(3, host.keyHeader[1] + plantedKey))
      })
  },
  {
    ids: "A8 A9",
    given: "a hook that dies of an error of its own: handed on as it is, no retry, nothing sent",
    script: (host) => hooked(() => Effect.die("my own"), [whole(host)]),
    outcome: () =>
      Effect.gen(function* () {
        expect(yield* Effect.exit(Provider.complete(hello))).toEqual(Exit.die("my own"))
        expect(yield* count).toBe(0)
      })
  },
  {
    ids: "A10",
    given: "a hook that fails to connect, once",
    script: (host) => {
      const unreachable = (request: HttpClientRequest.HttpClientRequest) =>
        Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport" }))
      let runs = 0
      return hooked(
        (request) => Effect.suspend(() => (runs++ === 0 ? unreachable(request) : Effect.void)),
        [whole(host)]
      )
    },
    outcome: () =>
      Effect.gen(function* () {
        expect((yield* patiently(Provider.complete(hello))).text).toBe(text)
        expect((yield* Gateway.requests).map(({ at }) => at)).toEqual([backoff(1)])
      })
  },
  {
    ids: "A27",
    given: "each of two calls refused twice: the budget is the call's, not the key's",
    script: (host) => [whole(host), ...[1, 2].flatMap(() => [refusal(host, 401), refusal(host, 401), whole(host)])],
    outcome: () =>
      Effect.gen(function* () {
        yield* accept
        yield* patiently(Provider.complete(hello))
        yield* patiently(Provider.complete(hello))
        expect(yield* gaps).toEqual([0, backoff(1), backoff(2), expect.any(Number), backoff(1), backoff(2)])
      })
  }
]

// ---------------------------------------------------------------------------------------------------------------------
// Failures, by what they are
// ---------------------------------------------------------------------------------------------------------------------

const byStatus: ReadonlyArray<readonly [status: number, facts: object]> = [
  [400, { _tag: "InvalidRequest", reason: "BadRequest" }],
  [401, { _tag: "AuthRejected", knownGood: false }],
  [403, { _tag: "AuthRejected", knownGood: false }],
  [404, { _tag: "InvalidRequest", reason: "NotOffered" }],
  [409, { _tag: "Transient", reason: "Conflict" }],
  [418, { _tag: "InvalidRequest", reason: "BadRequest" }],
  [422, { _tag: "InvalidRequest", reason: "BadRequest" }],
  [429, { _tag: "Transient", reason: "RateLimited" }],
  [500, { _tag: "Transient", reason: "ServerError" }],
  [503, { _tag: "Transient", reason: "Overloaded" }]
]

/** One request, which is refused like this. */
const refused = (ids: string, given: string, answer: (host: Host) => Gateway.Answer, facts: object): Case => ({
  ids,
  given,
  script: (host) => [answer(host)],
  options: () => once,
  outcome: () => fails({ attempts: 1, ...facts })
})

/** The same, but inside a 200, as the first event of a stream. */
const toldInside = (ids: string, given: string, event: unknown, facts: object): Case => ({
  ids,
  given,
  script: () => [Gateway.sse([event])],
  options: () => once,
  outcome: () => breaks("", { status: 200, attempts: 1, ...facts })
})

const failures: ReadonlyArray<Case> = [
  ...byStatus.map(([status, facts]) =>
    refused("O46", `${status}`, (host) => refusal(host, status, { "x-request-id": "r-1" }), {
      ...facts,
      status,
      code: "some_error",
      detail: `refused with ${status}`,
      requestId: "r-1"
    })
  ),
  refused("O47 A36", "a host that cannot be reached: no status, and the system's word", () => Gateway.unreachable, {
    _tag: "Transient",
    reason: "Unreachable",
    code: "ECONNREFUSED",
    status: undefined
  }),
  {
    ids: "A36",
    given: "a host that cannot be reached, where a stream was asked for",
    script: () => [Gateway.unreachable],
    options: () => once,
    outcome: () => breaks("", { _tag: "Transient", reason: "Unreachable", attempts: 1 })
  },
  refused("O48", "a message that is an object", () => Gateway.status(400, { error: { message: { a: 1 } } }), {
    _tag: "InvalidRequest",
    detail: '{"error":{"message":{"a":1}}}'
  }),
  refused("O48", "a body without a message", () => Gateway.status(400, { a: 1 }), {
    _tag: "InvalidRequest",
    detail: '{"a":1}'
  }),
  refused("O48", "no body", () => Gateway.status(400), { _tag: "InvalidRequest", detail: undefined }),
  refused("V31", "a body of plain text", () => Gateway.status(418, "short and stout"), { detail: "short and stout" }),
  refused("A2", "an error with a type", (host) => refusal(host, 400, {}, "invalid_request_error"), {
    _tag: "InvalidRequest",
    status: 400,
    code: "invalid_request_error"
  }),
  refused("A3", "an error without a type", (host) => refusal(host, 400, {}, null), { status: 400, code: undefined }),
  ...[null, [], "no", undefined].map((error) =>
    refused("V73", `an error field of ${JSON.stringify(error)}`, () => Gateway.status(500, { error }), {
      _tag: "Transient",
      reason: "ServerError"
    })
  ),
  ...(
    [
      ["authentication_error", { _tag: "AuthRejected" }],
      ["permission_error", { _tag: "AuthRejected" }],
      ["invalid_request_error", { _tag: "InvalidRequest" }],
      ["not_found_error", { _tag: "InvalidRequest" }],
      ["rate_limit_error", { _tag: "Transient", reason: "RateLimited" }],
      ["a_new_error", { _tag: "Transient", reason: "ServerError" }]
    ] as const
  ).map(([type, facts]) => toldInside("V73", `an error of type ${type}`, { error: { type, message: "no" } }, facts)),
  toldInside(
    "V67",
    "a code that is a status: it is that status",
    { error: { code: 400, message: "bad" } },
    {
      _tag: "InvalidRequest",
      reason: "BadRequest"
    }
  ),
  toldInside("A4", "a named event of overload", Gateway.named("error", { error: { type: "overloaded_error" } }), {
    _tag: "Transient",
    reason: "Overloaded",
    code: "overloaded_error"
  }),
  toldInside(
    "O80",
    "a named event whose payload is flat",
    Gateway.named("error", { message: "no", code: "c-1", type: "t-1", param: "p" }),
    { _tag: "Transient", code: "c-1", detail: "no: p" }
  ),
  ...[null, "oops", 7].map((payload) =>
    toldInside("O83", `a named event of ${JSON.stringify(payload)}`, Gateway.named("error", payload), {
      _tag: "Transient",
      reason: "ServerError"
    })
  ),
  toldInside(
    "V71",
    "OpenRouter's error, with its upstream's words",
    { error: { message: "Provider returned error", code: 429, metadata: { raw: "slow down", provider_name: "x" } } },
    { _tag: "Transient", reason: "RateLimited", detail: "Provider returned error: slow down" }
  ),
  {
    ids: "V67",
    given: "a server error inside a 200, before output: asked again",
    script: (host) => [Gateway.sse([{ error: { type: "server_error", message: "no" } }]), stream(host)],
    outcome: () => heard(backoff(1))
  },
  {
    ids: "V56 V64",
    given: "an overload as the first event of a 200: asked again, and the caller does not see it",
    script: (host) => [
      Gateway.sse([...host.opening, Gateway.named("error", host.error("overloaded_error", "busy"))]),
      stream(host)
    ],
    outcome: () => heard(backoff(1))
  },
  {
    ids: "O82",
    given: "an error under `error`, in a named event or not: the same facts",
    script: (host) => {
      const error = host.error("rate_limit_error", "slow down")
      const headers = { headers: { "request-id": "r-1" } }
      return [Gateway.sse([error], headers), Gateway.sse([Gateway.named("error", error)], headers)]
    },
    options: () => once,
    outcome: () =>
      Effect.gen(function* () {
        const errors = [(yield* listen).error, (yield* listen).error]
        expect(errors[0]).toMatchObject({
          code: "rate_limit_error",
          detail: "slow down",
          requestId: "r-1",
          status: 200
        })
        expect(JSON.stringify(errors[1])).toBe(JSON.stringify(errors[0]))
      })
  },
  {
    ids: "V70",
    given: "xAI's error with a 200, whole and where a stream was asked for",
    script: () => times(2, Gateway.json({ code: "invalid-argument", error: "Incorrect API key provided" })),
    options: () => once,
    outcome: () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "AuthRejected", status: 200 })
        expect((yield* listen).error).toMatchObject({ _tag: "AuthRejected", status: 200 })
      })
  },
  {
    ids: "O106 A6 A40",
    given: "a request id in the headers: it is in the error, of a refusal and of a stream that broke",
    script: (host) => {
      const headers = { "request-id": "r-1" }
      return [refusal(host, 400, headers), Gateway.sse([...host.opening, host.text("Hi")], { headers })]
    },
    options: () => once,
    outcome: () =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ requestId: "r-1" })
        expect((yield* listen).error).toMatchObject({ requestId: "r-1", partial: "Hi" })
      })
  },
  {
    ids: "V32",
    given: "the list of models: refused, unreachable, no JSON",
    script: (host) => [refusal(host, 401), Gateway.unreachable, Gateway.text("<html>", { status: 200 })],
    options: () => once,
    outcome: () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(Provider.models)).toMatchObject({ _tag: "AuthRejected" })
        expect(yield* Effect.flip(Provider.models)).toMatchObject({ _tag: "Transient", reason: "Unreachable" })
        expect(yield* Effect.flip(Provider.models)).toMatchObject({ _tag: "InvalidResponse" })
      })
  },
  ...(
    [
      ["O36", "an empty body said to be JSON", ""],
      ["O37", "a number", "42"],
      ["O37", "a text", '"text"'],
      ["O37", "null", "null"],
      ["O38", "broken JSON", '{"choices":['],
      ["O38", "white space", " \n "]
    ] as const
  ).map(([ids, given, body]) =>
    refused(`${ids}`, `${given} (ours: no answer, so a failure)`, () => Gateway.text(body, json), {
      _tag: "InvalidResponse",
      status: 200,
      contentType: "application/json"
    })
  ),
  refused("O39", "204 (ours: no answer, so a failure)", () => Gateway.status(204), {
    _tag: "InvalidResponse",
    status: 204
  }),
  {
    ids: "O89",
    given: "a malformed answer that holds the key (ours: its beginning is shown, without the key)",
    script: () => [Gateway.text(`{"patient": "Ann", "key": "${plantedKey}`, json)],
    options: () => once,
    outcome: () =>
      Effect.map(fails({ _tag: "InvalidResponse" }), (error) => {
        expect("preview" in error && error.preview).toContain('"patient": "Ann"')
        expect(inspect(error, { depth: 9 })).not.toContain(plantedKey.slice(0, 8))
      })
  }
]

const json = { headers: { "content-type": "application/json" } }

// ---------------------------------------------------------------------------------------------------------------------
// What `fetch` may do
// ---------------------------------------------------------------------------------------------------------------------

const because = (cause: unknown) => new TypeError("fetch failed", { cause })

/** `fetch` rejects with this, then answers. */
const tried = (ids: string, given: string, reason: () => unknown): Case => ({
  ids,
  given,
  script: (host) => fetched(rejecting(reason()), responding(whole(host))),
  outcome: () => answered(backoff(1))
})

const rejected = (ids: string, given: string, cause: () => unknown, reason: "TimedOut" | "Unreachable"): Case => ({
  ids,
  given: `${given} is ${reason}`,
  script: () => fetched(rejecting(cause())),
  options: () => once,
  outcome: () => fails({ _tag: "Transient", reason, attempts: 1 })
})

const ofFetch: ReadonlyArray<Case> = [
  tried("A12 V29", "fetch failed, with a cause", () => because(systemError("ECONNRESET"))),
  tried("V29", "Failed to fetch, as browsers say", () => new TypeError("Failed to fetch")),
  ...["ConnectionRefused", "ConnectionClosed", "FailedToOpenSocket", "ECONNRESET"].map((code) =>
    tried("V29", `${code}, as Bun says`, () => systemError(code))
  ),
  tried("A12", "a rejection that is no Error", () => "boom"),
  rejected("O32", "network unavailable", () => new Error("network unavailable"), "Unreachable"),
  rejected(
    "O32",
    "ETIMEDOUT (ours: by the system's word, not by the message)",
    () => systemError("ETIMEDOUT"),
    "TimedOut"
  ),
  ...["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT"].flatMap((code) => [
    rejected("V72", code, () => systemError(code), "TimedOut"),
    rejected("V72", `${code} as a cause`, () => because(systemError(code)), "TimedOut")
  ]),
  rejected("V72", "ENOTFOUND", () => because(systemError("ENOTFOUND")), "Unreachable"),
  ...[301, 302, 303, 307, 308].map(
    (status): Case => ({
      ids: "O105 V33",
      given: `${status}, though the program says follow: not followed, and the error names the place`,
      script: () =>
        fetched((init) => {
          const headers = { location: "https://elsewhere.test/v1" }
          return new Response(null, init?.redirect === "manual" ? { status, headers } : { status: 200 })
        }),
      outcome: () =>
        Effect.provideService(
          fails({
            _tag: "InvalidResponse",
            status,
            attempts: 1,
            reason: "Redirect",
            location: "https://elsewhere.test/v1"
          }),
          FetchHttpClient.RequestInit,
          { redirect: "follow" }
        )
    })
  ),
  ...[
    ["is cancelled", () => Promise.resolve()] as const,
    ["refuses to be cancelled", () => Promise.reject(new Error("no"))] as const,
    ["never says that it is cancelled", () => new Promise<void>(() => undefined)] as const
  ].map(
    ([given, cancel]): Case => ({
      ids: "O60 O61",
      given: `a body that stays open behind its end, and ${given}: the answer is whole, and the body was given up`,
      script: (host) =>
        fetched((_, cancelled) => {
          const chunks = stream(host).body.filter((piece) => piece instanceof Uint8Array)
          const body = new ReadableStream({
            start: (controller) => {
              for (const chunk of chunks) controller.enqueue(chunk)
            },
            cancel: () => {
              cancelled()
              return cancel()
            }
          })
          return new Response(body, { headers: { "content-type": "text/event-stream" } })
        }),
      outcome: () => Effect.zipRight(heard(), closed)
    })
  )
]

// ---------------------------------------------------------------------------------------------------------------------
// Time, and giving up
// ---------------------------------------------------------------------------------------------------------------------

const stalling = { stall: "10 seconds", idle: "6 seconds" } as const

const time: ReadonlyArray<Case> = [
  {
    ids: "O1 A1",
    given: "no headers in time: broken off, and one retry",
    script: (host) => [Gateway.delay("10 minutes", whole(host)), whole(host)],
    options: () => ({ timeouts: { headers: "20 seconds" } }),
    outcome: () =>
      Effect.gen(function* () {
        yield* answered(20_000 + backoff(1))
        expect((yield* Gateway.requests).map((request) => request.aborted)).toEqual([true, false])
      })
  },
  {
    ids: "V14",
    given: "no headers in time, and no retry: the error says that it was the time",
    script: (host) => [Gateway.delay("10 minutes", whole(host))],
    options: () => ({ ...once, timeouts: { headers: "20 seconds" } }),
    outcome: () => fails({ _tag: "Transient", reason: "TimedOut", clock: "headers" })
  },
  {
    ids: "A13",
    given: "a slow hook (ours: the clock of the headers runs while it does)",
    script: (host) => hooked(() => Effect.sleep("30 seconds"), [whole(host)]),
    options: () => ({ ...once, timeouts: { headers: "20 seconds" } }),
    outcome: () => fails({ _tag: "Transient", reason: "TimedOut" })
  },
  {
    ids: "V22",
    given: "events without output, and no output in time: StreamStalled, and the request is broken off",
    script: (host) => [
      Gateway.paced("3 seconds", Gateway.sse([...host.opening, ...times(9, Gateway.comment("alive"))]))
    ],
    options: () => ({ ...once, timeouts: stalling }),
    outcome: () => Effect.zipRight(breaks("", { _tag: "Transient", reason: "StreamStalled", clock: "stall" }), closed)
  },
  {
    ids: "V23 V25",
    given: "output that comes steadily, for longer than the clock of output",
    script: (host) => [Gateway.paced("3 seconds", streamed(host, ..."Hello, world".split(/(?=o|l)/)))],
    options: () => ({ timeouts: stalling }),
    outcome: () => heard()
  },
  {
    ids: "V25",
    given: "a gap of keep-alives after output: they are no output, so StreamStalled",
    script: (host) => [
      Gateway.paced("3 seconds", Gateway.sse([...host.opening, host.text("Hi"), ...times(9, Gateway.comment("alive"))]))
    ],
    options: () => ({ timeouts: stalling }),
    outcome: () => breaks("Hi", { _tag: "Transient", reason: "StreamStalled" })
  },
  {
    ids: "V26",
    given: "a limit of the caller's on the whole call: the request is broken off",
    script: (host) => [Gateway.delay("10 minutes", whole(host))],
    outcome: () =>
      Effect.gen(function* () {
        const late = patiently(Effect.flip(Effect.timeout(Provider.complete(hello), "1 second")))
        expect(yield* late).toMatchObject({ _tag: "TimeoutException" })
        yield* closed
      })
  },
  {
    ids: "O17 A42",
    given: "the caller gives up while the headers are awaited",
    script: (host) => [Gateway.delay("300 millis", whole(host)), whole(host)],
    outcome: () => givenUp(Provider.complete(hello), "200 millis", true)
  },
  {
    ids: "O44",
    given: "the caller gives up in the middle of a whole answer (ours: an Interrupt)",
    script: (host) => [Gateway.stall(10, whole(host)), whole(host)],
    outcome: () => givenUp(Provider.complete(hello), "1 second", true)
  },
  {
    ids: "O42 O117 V20",
    given: "the caller gives up in the middle of a stream (ours: an Interrupt, and no quiet end)",
    script: (host) => [open(Gateway.sse([...host.opening, host.text("Hi")])), stream(host)],
    outcome: () => givenUp(Stream.runDrain(Provider.stream(hello)), "1 second", true)
  },
  {
    ids: "V16",
    given: "the caller gives up during the backoff: nothing more is sent",
    script: (host) => [refusal(host, 503), whole(host)],
    outcome: () => givenUp(Provider.complete(hello), "100 millis", false)
  },
  {
    ids: "O34",
    given: "a signal that has been aborted already: no request is sent",
    script: (host) => [whole(host)],
    outcome: () =>
      Effect.gen(function* () {
        const run = Runtime.runPromiseExit(yield* Effect.runtime<World>())
        const exit = yield* Effect.promise(() => run(Provider.complete(hello), { signal: AbortSignal.abort() }))
        expect(Exit.isInterrupted(exit)).toBe(true)
        expect(yield* Gateway.requests).toEqual([])
      })
  },
  {
    ids: "O65 O120 A35 V21",
    given: "the caller has enough after one event: the request is broken off",
    script: (host) => [open(stream(host))],
    outcome: () =>
      Effect.gen(function* () {
        const [first] = yield* Stream.runCollect(Stream.take(Provider.stream(hello), 1))
        expect(first).toEqual({ _tag: "TextDelta", text: "Hello, " })
        yield* closed
      })
  }
]

// ---------------------------------------------------------------------------------------------------------------------
// Streams
// ---------------------------------------------------------------------------------------------------------------------

/** Raw bytes after a stream. */
const followed = (answer: Gateway.Answer, raw: string): Gateway.Answer => ({
  ...answer,
  body: [...answer.body, new TextEncoder().encode(raw)]
})

const begun = (host: Host, ...more: ReadonlyArray<unknown>) =>
  Gateway.sse([...host.opening, host.text("Hello, "), host.text("world"), ...more])

const called = (host: Host, args: string, reason: keyof Host["words"]) =>
  Gateway.sse([...host.opening, ...host.toolCall(args), ...host.reason(host.words[reason]), host.end])

const streams: ReadonlyArray<Case> = [
  {
    ids: "O59 O85",
    given: "what is no JSON, and an error, behind the end",
    script: (host) => [atOnce(begun(host, ...ending(host), "no JSON", Gateway.named("error", host.error("x", "y"))))],
    outcome: () => heard()
  },
  {
    ids: "O60",
    given: "the end, and a connection that stays open: done at once, and we close it",
    script: (host) => [open(stream(host))],
    outcome: () =>
      Effect.gen(function* () {
        yield* Stream.runDrain(Provider.stream(hello))
        yield* closed
      })
  },
  ...["data:[DONE]\n\n", "data: [DONE]\r\n\r\n", "event: end\ndata: [DONE]\n\n"].map(
    (raw): Case => ({
      ids: "O88",
      given: `${JSON.stringify(raw)} is an end, and the connection stays open`,
      script: (host) => [open(followed(begun(host, ...host.reason(host.words.stop)), raw))],
      outcome: () => heard()
    })
  ),
  ...["[DONE]xyz", "[DONE] ", "[DONE]\ndata: more"].map(
    (data): Case => ({
      ids: "O87",
      given: `${JSON.stringify(data)} before an error is no end`,
      script: (host) => [begun(host, data, Gateway.named("error", host.error("server_error", "no")))],
      outcome: () => breaks(text, { _tag: "InvalidResponse", status: 200 })
    })
  ),
  {
    ids: "O62 O86",
    given: "an error before output, and a connection that stays open: we close it",
    script: (host) => [open(Gateway.sse([...host.opening, host.error("server_error", "no")]))],
    options: () => once,
    outcome: () => Effect.zipRight(breaks("", { _tag: "Transient", reason: "ServerError", status: 200 }), closed)
  },
  {
    ids: "O81 V18 V57 V67",
    given: "an error after output: what had come is delivered, the error is no data, nothing is repeated",
    script: (host) => [begun(host, Gateway.named("error", host.error("overloaded_error", "busy"))), stream(host)],
    outcome: () => breaks(text, { _tag: "Transient", reason: "Overloaded", attempts: 1 })
  },
  {
    ids: "O109 O110",
    given: "output and an error in one chunk: first the one, then the other, once",
    script: (host) => [atOnce(begun(host, host.error("server_error", "no"), host.error("server_error", "no")))],
    outcome: () => breaks(text, { _tag: "Transient", reason: "ServerError" })
  },
  {
    ids: "V38 V77",
    given: "an error and then the end: an error, and no Finish",
    script: (host) => [begun(host, host.error("server_error", "no"), ...ending(host))],
    outcome: () => breaks(text, { _tag: "Transient", detail: "no" })
  },
  {
    ids: "O63 V39 V77",
    given: "an event that is no JSON, and then the end: an error, and no Finish",
    script: (host) => [begun(host, "{no", ...ending(host))],
    outcome: () => breaks(text, { _tag: "InvalidResponse", preview: "{no" })
  },
  {
    ids: "O108 V40",
    given: "the body ends without an end: the text is kept, and one error",
    script: (host) => [begun(host)],
    outcome: () => breaks(text, { _tag: "Transient", reason: "StreamInterrupted", attempts: 1 })
  },
  {
    ids: "V40",
    given: "the last event without a reason to finish (ours: an end)",
    script: (host) => [begun(host, host.end)],
    outcome: () =>
      Effect.map(listen, ({ finish, text: said }) => expect([said, finish]).toMatchObject([text, { reason: "other" }]))
  },
  {
    ids: "O66",
    given: "no body where a stream was promised",
    script: () => [Gateway.sse([])],
    options: () => once,
    outcome: () => breaks("", { _tag: "InvalidResponse", reason: "Empty" })
  },
  {
    ids: "O64",
    given: "one stream run twice (ours: it is a description, so it is asked twice)",
    script: (host) => [stream(host), stream(host)],
    outcome: () =>
      Effect.gen(function* () {
        const asked = Provider.stream(hello)
        expect(yield* Stream.runCount(asked)).toBe(yield* Stream.runCount(asked))
        expect(yield* count).toBe(2)
      })
  },
  {
    ids: "V65",
    given: "output in the first chunk: nothing of it is lost to the look at it",
    script: (host) => [atOnce(stream(host))],
    outcome: () => heard()
  },
  {
    ids: "O84",
    given: "events of tomorrow, by a name of their own",
    script: (host) => {
      const novelty = Gateway.named("novelty", { type: "novelty" })
      return [
        Gateway.sse([novelty, ...host.opening, host.text("Hello, "), novelty, host.text("world"), ...ending(host)])
      ]
    },
    outcome: () => heard()
  },
  {
    ids: "V47",
    given: "a reason to finish that is not known",
    script: (host) => [begun(host, ...host.reason("hologram"), host.end)],
    outcome: () =>
      Effect.map(listen, ({ finish }) => expect(finish).toMatchObject({ reason: "other", rawReason: "hologram" }))
  },
  {
    ids: "V58",
    given: "a second beginning, of another answer",
    of: ({ wire }) => wire === "Anthropic",
    script: (host) => [begun(host, { type: "message_start", message: { id: "a-2" } }, ...ending(host))],
    outcome: () => breaks(text, { _tag: "InvalidResponse" })
  },
  {
    ids: "V58",
    given: "the same beginning twice: once",
    of: ({ wire }) => wire === "Anthropic",
    script: (host) => [begun(host, { type: "message_start", message: { id: "a-1" } }, ...ending(host))],
    outcome: () => heard()
  },
  {
    ids: "O118",
    given: "choices of other numbers, huge, negative and none at all: the first choice is the answer",
    of: ({ wire }) => wire === "OpenAI",
    script: (host) => {
      const stray = [1e300, -1, 0.5, "__proto__"].map((index) => ({
        choices: [{ index, delta: { content: "stray" } }]
      }))
      return [begun(host, ...stray, ...ending(host))]
    },
    outcome: () => heard()
  },
  {
    ids: "V34",
    given: "arguments with keys of the prototype's, escaped and not: they are dropped",
    script: (host) => [called(host, '{"__proto__":{"a":1},"b":[{"con\\u0073tructor":2}],"c":3}', "tools")],
    outcome: () =>
      Effect.map(listen, ({ events }) => {
        const call = events.find((event) => event._tag === "ToolCall")
        expect(JSON.stringify(call?.input)).toBe('{"b":[{}],"c":3}')
        expect(Object.getPrototypeOf(call?.input)).toBe(Object.prototype)
      })
  },
  {
    ids: "V34",
    given: "details of reasoning with a key of the prototype's: what goes back has the prototype of any object",
    of: ({ wire }) => wire === "OpenAI",
    script: (host) => {
      const detail = (fields: string) =>
        `{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"t","index":0,${fields}}]}}]}`
      return [begun(host, detail('"text":"a"'), detail('"__proto__":{"b":1}'), ...ending(host))]
    },
    outcome: () =>
      Effect.map(listen, ({ finish }) => {
        const [detail] = finish?._tag === "Finish" && Array.isArray(finish.replay?.content) ? finish.replay.content : []
        expect(detail).toMatchObject({ type: "t", text: "a" })
        expect(Object.getPrototypeOf(detail)).toBe(Object.prototype)
      })
  },
  {
    ids: "A41",
    given: "arguments that are no JSON",
    script: (host) => [called(host, '{"a": no}', "tools")],
    outcome: () =>
      Effect.map(listen, ({ error, events }) => {
        expect(error).toMatchObject({ _tag: "InvalidResponse", reason: "NotJson", tool: "look" })
        expect(events.map(({ _tag }) => _tag)).toEqual(["ToolCallDelta", "ToolCallDelta"])
      })
  },
  {
    ids: "A41",
    given: "arguments that the limit of tokens cut: no failure, and no call",
    script: (host) => [called(host, '{"a": "half', "length")],
    outcome: () =>
      Effect.map(listen, ({ error, events, finish }) => {
        expect([error, finish?._tag === "Finish" && finish.reason]).toEqual([undefined, "length"])
        expect(events.map(({ _tag }) => _tag)).not.toContain("ToolCall")
      })
  }
]

// ---------------------------------------------------------------------------------------------------------------------
// Credentials
// ---------------------------------------------------------------------------------------------------------------------

const unreadable = Effect.fail("the vault is closed")

const credentials: ReadonlyArray<Case> = [
  {
    ids: "O9 O18 V82",
    given: "a key: in the header that the host documents, at the host's address",
    script: (host) => [whole(host)],
    outcome: (host) =>
      Effect.gen(function* () {
        yield* answered()
        const [request] = yield* Gateway.requests
        expect(request?.url).toBe(host.url)
        expect(request?.headers[host.keyHeader[0]]).toBe(host.keyHeader[1] + plantedKey)
      })
  },
  {
    ids: "V60",
    given: "Anthropic's wire with a bearer token: no x-api-key beside it",
    of: ({ wire }) => wire === "Anthropic",
    script: (host) => [whole(host)],
    outcome: () =>
      Effect.gen(function* () {
        const provider = yield* Anthropic.make({ apiKey: Redacted.make("t-1"), model: "m", scheme: Credential.bearer })
        yield* provider.complete(hello)
        const [request] = yield* Gateway.requests
        expect([request?.headers["authorization"], request?.headers["x-api-key"]]).toEqual(["Bearer t-1", undefined])
      })
  },
  {
    ids: "O16 A25 V48",
    given: "no key (ours: the layer stands; the call is AuthMissing, or goes without one where none is needed)",
    script: (host) => [whole(host)],
    options: () => ({ apiKey: undefined }),
    outcome: (host) =>
      Effect.gen(function* () {
        if (host.keyRequired) {
          yield* fails({ _tag: "AuthMissing", problem: "Absent", source: host.variable, attempts: 0 })
          expect(yield* count).toBe(0)
        } else {
          yield* answered()
          expect((yield* Gateway.requests)[0]?.headers).not.toHaveProperty("authorization")
        }
      })
  },
  {
    ids: "A26",
    given: "no key, and an authorization among the headers (ours: it is no key, and is not sent)",
    script: (host) => [whole(host)],
    options: () => ({ apiKey: undefined, headers: { Authorization: "Bearer mine", "x-own": "1" } }),
    outcome: (host) =>
      Effect.gen(function* () {
        yield* host.keyRequired ? fails({ _tag: "AuthMissing", attempts: 0 }) : answered()
        const sent = (yield* Gateway.requests).map(({ headers }) => [headers["authorization"], headers["x-own"]])
        expect(sent).toEqual(host.keyRequired ? [] : [[undefined, "1"]])
      })
  },
  {
    ids: "O21 O105b",
    given: "headers of the program's, in any case: sent, but they replace none of the key's",
    script: (host) => [whole(host)],
    options: (host) => ({
      headers: { "X-Own": "1", ...Object.fromEntries(keyHeaders(host).map((name) => [name.toUpperCase(), "no"])) }
    }),
    outcome: (host) =>
      Effect.gen(function* () {
        yield* answered()
        const [request] = yield* Gateway.requests
        const found = ["x-own", ...keyHeaders(host)].map((name) => request?.headers[name])
        expect(found.filter((value) => value !== undefined)).toEqual(["1", host.keyHeader[1] + plantedKey])
      })
  },
  {
    ids: "O14 A20",
    given: "an effect that reads the key",
    script: (host) => [whole(host)],
    options: () => ({ apiKey: Effect.delay(key("k-late"), "1 second") }),
    outcome: (host) =>
      Effect.gen(function* () {
        expect((yield* patiently(Provider.complete(hello))).text).toBe(text)
        expect(yield* keysSent(host)).toEqual(["k-late"])
      })
  },
  {
    ids: "O15 O105a",
    given: "a 429, and an effect that reads another key by then: the second attempt carries it",
    script: (host) => [refusal(host, 429), whole(host)],
    options: () => ({ apiKey: inTurn(key("token-0"), key("token-1")) }),
    outcome: (host) =>
      Effect.gen(function* () {
        yield* answered(backoff(1))
        expect(yield* keysSent(host)).toEqual(["token-0", "token-1"])
      })
  },
  {
    ids: "O90",
    given: "two calls (ours: the key is read for each; whoever wants to remember it caches the effect)",
    script: (host) => times(2, whole(host)),
    options: () => ({ apiKey: inTurn(key("k-1"), key("k-2")) }),
    outcome: (host) =>
      Effect.gen(function* () {
        yield* accept
        yield* accept
        expect(yield* keysSent(host)).toEqual(["k-1", "k-2"])
      })
  },
  {
    ids: "O91 A21",
    given: "an accepted token that is refused, and a new one: one retry with it (ours: at once)",
    script: (host) => [whole(host), refusal(host, 401), whole(host)],
    options: () => ({ apiKey: inTurn(key("token-0"), key("token-0"), key("token-1")) }),
    outcome: (host) =>
      Effect.gen(function* () {
        yield* accept
        yield* answered(0, 0)
        expect(yield* keysSent(host)).toEqual(["token-0", "token-0", "token-1"])
      })
  },
  {
    ids: "O92 A22",
    given: "an accepted token that is refused for ever (ours: two retries, whatever the budget of what passes is)",
    script: (host) => [whole(host), ...times(9, refusal(host, 401))],
    options: () => ({ apiKey: key("token-0") }),
    outcome: (host) =>
      Effect.gen(function* () {
        yield* accept
        yield* fails({ _tag: "AuthRejected", knownGood: true, attempts: 3 }, 0, backoff(1), backoff(2))
        expect(yield* keysSent(host)).toEqual(times(4, "token-0"))
      })
  },
  {
    ids: "A23",
    given: "a 401 for a key that was never accepted: no retry",
    script: (host) => [refusal(host, 401), whole(host)],
    outcome: () => fails({ _tag: "AuthRejected", knownGood: false, attempts: 1 })
  },
  {
    ids: "A23",
    given: "a 401 for a key that was accepted (ours: retried, which is what this package is for)",
    script: (host) => [whole(host), refusal(host, 401), whole(host)],
    outcome: () => Effect.zipRight(accept, answered(0, backoff(1)))
  },
  {
    ids: "O33 O94 A24",
    given: "an effect that cannot read the key: the layer stands, the call says so, and nothing is sent",
    script: (host) => [whole(host)],
    options: () => ({ apiKey: unreadable }),
    outcome: () =>
      Effect.gen(function* () {
        const error = yield* fails({ _tag: "AuthMissing", problem: "Unreadable", attempts: 0 })
        expect(inspect(error)).not.toContain("vault")
        expect(yield* count).toBe(0)
      })
  },
  {
    ids: "O33",
    given: "an effect that reads an empty key",
    script: (host) => [whole(host)],
    options: () => ({ apiKey: key("") }),
    outcome: () => Effect.zipRight(fails({ _tag: "AuthMissing", problem: "Blank", attempts: 0 }), count)
  },
  {
    ids: "A32",
    given: "an effect that cannot read the key, once (ours: no retry of the call; the next call reads it)",
    script: (host) => [whole(host)],
    options: () => ({ apiKey: inTurn<Redacted.Redacted, string>(unreadable, key("k-1")) }),
    outcome: (host) =>
      Effect.gen(function* () {
        expect(yield* failure).toMatchObject({ _tag: "AuthMissing", problem: "Unreadable", attempts: 0 })
        yield* answered()
        expect(yield* keysSent(host)).toEqual(["k-1"])
      })
  },
  {
    ids: "A28",
    given: "two services of one credential: what one proves, the other knows",
    script: (host) => [whole(host), refusal(host, 401), whole(host)],
    outcome: (host) =>
      Effect.gen(function* () {
        const credential = yield* Credential.make({ apiKey: Redacted.make(plantedKey), source: "K" })
        const one = yield* host.make({ credential })
        const other = yield* host.make({ credential })
        yield* one.complete(hello)
        yield* patiently(other.complete(hello))
        expect(yield* gaps).toEqual([0, backoff(1)])
      })
  },
  {
    ids: "O103 A34",
    given: "a credential of one host at another: nothing is sent there",
    script: (host) => [whole(host)],
    outcome: (host) =>
      Effect.gen(function* () {
        const credential = yield* Credential.make({ apiKey: Redacted.make(plantedKey), source: "K" })
        const here = yield* host.make({ credential })
        const elsewhere = yield* host.make({ credential, baseUrl: "https://elsewhere.test/v1" })
        expect(yield* Effect.flip(elsewhere.complete(hello))).toMatchObject({ _tag: "InvalidRequest", attempts: 0 })
        yield* here.complete(hello)
        expect((yield* Gateway.requests).map(({ url }) => url)).toEqual([host.url])
      })
  }
]

// ---------------------------------------------------------------------------------------------------------------------
// Held elsewhere
// ---------------------------------------------------------------------------------------------------------------------

interface Pointer {
  readonly ids: string
  readonly file: string
  /** Part of the test's title. Without it, the file must contain each id. */
  readonly title?: string
}

const pointers: ReadonlyArray<Pointer> = [
  { ids: "O50 O51 O52 O53 O54 O55 O56 O57 O58 A5", file: "answer/Sse" },
  { ids: "O67 O68 O69 O70 O71 O72 O73 O74 O79", file: "answer/Sse" },
  { ids: "O119", file: "answer/Sse", title: "any cut of any bytes gives the same events" },
  { ids: "O25 V35 V59", file: "BaseUrl" },
  { ids: "O99", file: "Credential" },
  { ids: "O114 V37 V42 V43 V44 V45 V50", file: "protocol/ToolCalls" },
  { ids: "A38", file: "protocol/ToolCalls", title: "a beginning that is JSON by itself is not taken for all of it" },
  // A chunk is decoded at once, for speed; the consumer holds back the reading of the next one.
  { ids: "O78", file: "Provider.http", title: "a slow consumer holds the socket back" },
  { ids: "V30", file: "Provider.input", title: "a body that is too large" },
  { ids: "O101", file: "promises/secrets", title: "does not come out of" },
  {
    ids: "O112",
    file: "Output",
    title: "an answer that is not the object is InvalidResponse with the reason"
  },
  { ids: "O113", file: "Chat", title: "carries the replay and the refusal" },
  { ids: "A37 V63", file: "protocol/AnthropicMessages", title: "with every kind of block goes back as it came" },
  { ids: "A39 V61", file: "protocol/AnthropicMessages", title: "includes cached tokens in its input tokens" },
  { ids: "V62", file: "protocol/AnthropicMessages", title: '["pause_turn", "pause"]' },
  { ids: "V28", file: "Provider.retry", title: "within: gives up before a wait that would end after the budget" },
  { ids: "V41", file: "protocol/OpenAiChat", title: '["both: once"' },
  { ids: "V46", file: "protocol/OpenAiChat", title: "may have usage after the finish reason" },
  { ids: "V53", file: "protocol/OpenAiChat", title: "reasoning in the history" },
  { ids: "V54", file: "protocol/OpenAiChat", title: "JSON without a schema" },
  { ids: "V75", file: "Explain", title: "missing, not known good and known good have three different texts" },
  { ids: "V78", file: "protocol/OpenAiChat", title: "parts, as Mistral's" },
  { ids: "V80", file: "refusal/Classify", title: "Moonshot, overloaded, as 429" }
]

const leftOut: ReadonlyArray<readonly [ids: string, reason: string]> = [
  ["O2 O93", "no body of a request is a stream: a chat is JSON, and can be sent again"],
  ["O4 O5 O6", "no header counts the retries, so there is none to set or suppress; RetryObserver reports each"],
  ["O10 O11 O12 O13", "a credential is one key; there are no admin keys and no choice between two"],
  ["A19 V76", "a key comes from one place, the layer's option or variable, so there is no precedence"],
  ["O95 O96 O97 O98 A29", "apiKey is the program's own effect, which decides when to refresh and what to cache"],
  ["O49 O100 A18 A30 A31", "no tokens are exchanged, so no token endpoint is called"],
  ["O19", "only POST and GET are used"],
  ["O20", "no fetch is passed in: the client is a service, and an undici client has a layer of its own"],
  ["O22 O24 O26", "no headers from the environment, no queries, no clients derived from clients"],
  ["O23", "there is no logger of our own: logs go through Effect's"],
  ["O28 O40", "a body is one JSON text, never a form, a file or nothing"],
  ["O35", "no idempotency key is sent"],
  ["O41 O107", "no lists in pages"],
  ["O43", "an interrupted fiber has nobody to report a further failure to"],
  ["O45 O111 V15", "no AbortSignal is accepted, so none has listeners: interruption and Effect.timeout replace it"],
  ["O75 O76 O77", "no NDJSON; forks and web streams of a Stream are Effect's"],
  ["O104 V68 V69", "no Azure routing and no Responses API; their retry headers are rows (O7, O8)"],
  ["A33", "no Bedrock"],
  ["O115 O116 A43 V24 V27", "no agent loop runs tools or steps; a network failure and an abort are rows (O47, O17)"],
  ["A11 A14 A15 A17", "hooks are HttpClient's own; there is no class of retryable errors, and a body is read once"],
  ["V19", "there are no callbacks: an observer is an effect that cannot fail"],
  ["V36", "no user agent is set"],
  ["V49", "no provider metadata is passed on"],
  ["V51 V81", "fixtures of another project; test/conformance replays recordings of these hosts"],
  ["V52", "about encoding, not retry, streams or credentials: test/protocol holds it"],
  ["V66", "a stream is returned with its first output; nothing is reported before it"],
  ["V79", "deltas are passed on as the wire has them"]
]

// ---------------------------------------------------------------------------------------------------------------------
// The laws
// ---------------------------------------------------------------------------------------------------------------------

const cases = [...retry, ...failures, ...ofFetch, ...time, ...streams, ...credentials]

const isAnswers = (said: Answers | Client): said is Answers => Array.isArray(said)

const world = (host: Host, { options, script }: Case): Layer.Layer<World> => {
  const said = script(host)
  return Layer.effect(
    Provider.Provider,
    Effect.suspend(() => host.make({ apiKey: Redacted.make(plantedKey), ...options?.(host) }))
  ).pipe(
    Layer.provideMerge(isAnswers(said) ? Gateway.layer(said) : said),
    Layer.provideMerge(Layer.setRandom(Random.fixed([halfway])))
  )
}

describe.concurrent.each(hosts)("$name", (host) => {
  for (const one of cases.filter(({ of = () => true }) => of(host))) {
    it.effect(`${one.given} (${one.ids})`, () => Effect.provide(one.outcome(host), world(host, one)))
  }
})

describe("every case of the three clients", () => {
  const split = (ids: string) => ids.split(" ")
  const numbered = (letter: string, last: number) => Array.from({ length: last }, (_, i) => `${letter}${i + 1}`)
  const all = [...numbered("O", 120), "O105a", "O105b", ...numbered("A", 43), ...numbered("V", 82)]

  it("is a row, held elsewhere or left out, exactly one of them", () => {
    // A case of several parts has several rows.
    const rows = new Set(cases.flatMap(({ ids }) => split(ids)))
    const others = [...pointers.map(({ ids }) => ids), ...leftOut.map(([ids]) => ids)].flatMap(split)
    expect([...rows, ...others].sort()).toEqual([...all].sort())
  })

  it("has a reason if it is left out", () => {
    expect(leftOut.filter(([, reason]) => reason.length < 10)).toEqual([])
  })

  for (const { file, ids, title } of pointers) {
    it(`${ids}: test/${file}.test.ts holds it`, () => {
      const source = readFileSync(`test/${file}.test.ts`, "utf8")
      if (title !== undefined) expect(source).toContain(title)
      else for (const id of split(ids)) expect(source).toMatch(new RegExp(`\\b${id}\\b`))
    })
  }

  it("has its own name at each host, so that a failure says which it is", () => {
    for (const host of hosts) {
      const names = cases.filter(({ of = () => true }) => of(host)).map(({ given, ids }) => `${given} (${ids})`)
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    }
  })
})
