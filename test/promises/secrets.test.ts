/**
 * Planted keys: whatever a server does with the key it was sent, no piece of it of 8 characters comes out of the SDK, in
 * an error, a notice, a span, a log line or the service itself.
 */
import { inspect } from "node:util"
import { HttpClient, HttpClientError, type HttpServerError } from "@effect/platform"
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import {
  Cause,
  ConfigProvider,
  Effect,
  Exit,
  Layer,
  Logger,
  LogLevel,
  Predicate,
  Redacted,
  Runtime,
  Schema,
  Stream,
  type Tracer
} from "effect"
import { zh } from "../../src/explain/zh.js"
import {
  Anthropic,
  Explain,
  MiMo,
  MiniMax,
  OpenAiCompatible,
  Provider,
  ProviderError,
  RetryObserver,
  RetryPolicy
} from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Effort from "../Effort.js"
import { clients, serve } from "../Loopback.js"
import * as Spans from "../Spans.js"
import { chunk, hello, plantedKey, refused, streamed, whole } from "../Wire.js"

// ---------------------------------------------------------------------------------------------------------------------
// What shows
// ---------------------------------------------------------------------------------------------------------------------

/** A place where text comes out, and the text. */
type Surface = readonly [where: string, text: string]

const everything = { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null, maxArrayLength: null }

const ofValue = (name: string, value: unknown): ReadonlyArray<Surface> => [
  // A span's times are BigInt, which JSON has not.
  [`JSON.stringify(${name})`, JSON.stringify(value, (_, v) => (typeof v === "bigint" ? String(v) : v)) ?? ""],
  [`String(${name})`, String(value)],
  [`inspect(${name})`, inspect(value, everything)]
]

const ofError = (error: unknown): ReadonlyArray<Surface> => [
  ...ofValue("error", error),
  ...(error instanceof Error
    ? ([
        ["error.stack", error.stack ?? ""],
        ["error.message", error.message]
      ] as const)
    : []),
  ...(ProviderError.isProviderError(error) ? ofProviderError(error) : [])
]

const ofProviderError = (error: ProviderError.ProviderError): ReadonlyArray<Surface> => [
  ["Schema.encode", JSON.stringify(Schema.encodeSync(ProviderError.schema)(error))],
  ["Explain.explain, en", JSON.stringify(Explain.explain(error))],
  ["Explain.explain, zh", JSON.stringify(Explain.explain(error, zh))]
]

const ofCause = (cause: Cause.Cause<unknown>): ReadonlyArray<Surface> => [
  ["Cause.pretty", Cause.pretty(cause, { renderErrorCause: true })],
  ...ofValue("cause", cause),
  ...ofValue("FiberFailure", Runtime.makeFiberFailure(cause)),
  ...[...Cause.failures(cause), ...Cause.defects(cause)].flatMap(ofError)
]

const ofNotice = (notice: RetryObserver.RetryNotice): ReadonlyArray<Surface> => [
  ...ofValue("notice", notice),
  ["Explain.retrying, en", JSON.stringify(Explain.retrying(notice))],
  ["Explain.retrying, zh", JSON.stringify(Explain.retrying(notice, zh))]
]

/** What a tracer exports of a span; of a success, only that it was one. */
const ofSpan = ({ attributes, events, links, name, status }: Tracer.Span & { readonly events?: unknown }) => {
  const failed = status._tag === "Ended" && Exit.isFailure(status.exit) ? [status.exit, status.exit.cause] : []
  return ofValue(`span ${name}`, { attributes: [...attributes], events, links, name, failed })
}

/** Loggers of every kind, at every level. */
const loggers = (seen: Array<Surface>) => {
  const kinds: ReadonlyArray<readonly [string, Logger.Logger<unknown, unknown>]> = [
    ["log, whole", Logger.make(({ annotations, cause, message }) => ({ annotations, cause, message }))],
    ["log, string", Logger.stringLogger],
    ["log, logfmt", Logger.logfmtLogger],
    ["log, JSON", Logger.jsonLogger],
    ["log, structured", Logger.structuredLogger]
  ]
  const keep = ([name, logger]: (typeof kinds)[number]) =>
    Logger.add(
      Logger.map(logger, (line) => {
        seen.push([name, typeof line === "string" ? line : inspect(line, everything)])
      })
    )
  const [first, ...rest] = kinds.map(keep)
  return Layer.mergeAll(
    Logger.remove(Logger.defaultLogger),
    Logger.minimumLogLevel(LogLevel.All),
    first ?? Layer.empty,
    ...rest
  )
}

/** Runs the call like a program that logs and traces all it can, and returns everything that could be seen of it. */
const witness = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<Surface>, never, R> =>
  Effect.gen(function* () {
    const seen: Array<Surface> = []
    const { begun, tracer } = Spans.collect()
    const observer = {
      onRetry: (notice: RetryObserver.RetryNotice) =>
        Effect.zipRight(
          Effect.sync(() => seen.push(...ofNotice(notice))),
          Effect.logWarning("retrying", notice, notice.error)
        )
    }
    const exit = yield* call.pipe(
      Effect.tapErrorCause((cause) => Effect.annotateLogs(Effect.logError("failed", cause), { cause })),
      Effect.tapError((error) => Effect.annotateLogs(Effect.logError(error), { error })),
      Effect.withSpan("the caller", { attributes: { for: "secrets" } }),
      Effect.withTracer(tracer),
      Effect.provideService(RetryObserver.RetryObserver, observer),
      Effect.provide(loggers(seen)),
      Effect.exit
    )
    if (Exit.isFailure(exit)) seen.push(...ofCause(exit.cause))
    seen.push(...begun.flatMap(ofSpan))
    return seen
  })

/** What a reader would find: the text, and what it says when percent-encoding and backslashes are undone. */
const readings = (text: string): ReadonlyArray<string> => [
  text,
  text.replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16))),
  text.replaceAll("\\", "")
]

/** Each place that shows a piece of the key of 8 characters, in whatever case, with the first such piece. */
const leaks = (key: string, surfaces: ReadonlyArray<Surface>): ReadonlyArray<string> => {
  const lower = key.toLowerCase()
  const pieces = Array.from({ length: lower.length - 7 }, (_, i) => lower.slice(i, i + 8))
  const places = new Map(surfaces.map(([where, text]) => [text, where]))
  const found = Array.from(places, ([text, where]) => {
    const said = readings(text).join("\n").toLowerCase()
    const piece = pieces.find((piece) => said.includes(piece))
    return piece === undefined ? undefined : `${where} shows ${piece}`
  })
  return [...new Set(found.filter(Predicate.isNotUndefined))].sort()
}

// ---------------------------------------------------------------------------------------------------------------------
// What a server may do with a key
// ---------------------------------------------------------------------------------------------------------------------

const keys: ReadonlyArray<readonly [kind: string, key: string]> = [
  ["a token", plantedKey],
  // Percent-encoding leaves no 8 characters of it in a row.
  ["a key with reserved characters", "sk-x/k1+aZ9/bY8=cX7+dW6/eV5=fU4+gT3/hS2"]
]

const half = (key: string) => key.slice(0, key.length / 2)
const masked = (key: string) => `${key.slice(0, 9)}${"*".repeat(key.length - 18)}${key.slice(-9)}`

/** Ways to write a key into a text. */
const echoes: ReadonlyArray<readonly [name: string, echo: (key: string) => string]> = [
  ["whole", (key) => key],
  ["as a bearer token", (key) => `Bearer ${key}`],
  ["its first half", half],
  ["its second half", (key) => key.slice(key.length / 2)],
  ["masked in the middle", masked],
  ["in upper case", (key) => key.toUpperCase()],
  ["percent-encoded", encodeURIComponent],
  ["in two lines", (key) => `${half(key)}\n${key.slice(key.length / 2)}`],
  ["between letters", (key) => `abc${key}xyz`],
  ["a hundred times", (key) => `${key} `.repeat(100)],
  ["across the bound of a detail", (key) => `${"x ".repeat(395)}${key}`],
  ["across the bound of a code", (key) => `${"x-".repeat(55)} ${key}`],
  ["escaped across a bound", (key) => `${"x ".repeat(395)}${encodeURIComponent(key)}`],
  ["behind letters that are longer in lower case", (key) => `${"İ".repeat(20)} ${key}`]
]

const page = (text: string) => `<!doctype html><html><head><title>Denied: ${text}</title></head><body>${text}</body>`
const html = { "content-type": "text/html" }

/** Answers that hold the text, one for each way into an error. */
const answers: ReadonlyArray<readonly [name: string, answer: (text: string) => Gateway.Answer]> = [
  ...[400, 401, 403, 404, 429, 500].map(
    (status) =>
      [
        `a ${status} in OpenAI's shape`,
        (text: string) =>
          Gateway.status(status, { error: { message: `Bad key: ${text}`, code: text, type: text, param: text } })
      ] as const
  ),
  ["a 401 in Anthropic's shape", (text) => Gateway.status(401, { type: "error", error: { type: "x", message: text } })],
  ["a 401 with a plain message", (text) => Gateway.status(401, { message: text, detail: [{ msg: text }] })],
  ["a 401 with an upstream's words", (text) => Gateway.status(401, { error: { metadata: { raw: text } } })],
  ["a 403 that is a page", (text) => Gateway.status(403, page(text), html)],
  ["a 500 of broken JSON", (text) => Gateway.status(500, `{"error":{"message":"no: ${text}`)],
  ["a 400 cut in the middle of it", (text) => Gateway.status(400, `${"x ".repeat(2040)}${text}`)],
  ["a 402 that says when", (text) => Gateway.status(402, { error: { message: `resets at ${text}, or later` } })],
  ["request ids", (text) => Gateway.status(500, {}, headers({ "x-request-id": text, "trace-id": text }))],
  ["a request id in the body", (text) => Gateway.status(400, { request_id: text, error: { request_id: text } })],
  ["Retry-After", (text) => Gateway.status(429, {}, headers({ "retry-after": text, "retry-after-ms": text }))],
  ["x-should-retry", (text) => Gateway.status(400, {}, headers({ "x-should-retry": text, "www-authenticate": text }))],
  ["a redirect", (text) => Gateway.status(302, text, headers({ location: `https://elsewhere.test/?key=${text}` }))],
  [
    "the content type of a page",
    (text) => Gateway.text(page(text), { headers: headers({ "content-type": `text/html; x=${text}` }) })
  ],
  ["a page with a 200", (text) => Gateway.text(page(text), { headers: html })],
  ["JSON that is no answer", (text) => Gateway.json([text, { [text]: text }])],
  ["a JSON text", (text) => Gateway.json(text)],
  [
    "JSON that is broken",
    (text) => Gateway.text(`{"key":"${text}`, { headers: { "content-type": "application/json" } })
  ],
  [
    "JSON with escaped slashes, broken",
    (text) => Gateway.status(500, `{"error":{"message":"${text.replaceAll("/", "\\/")}`)
  ],
  ["an error with a 200", (text) => Gateway.json({ error: { message: text, code: text, type: text } })],
  ["an error in a stream", (text) => Gateway.sse([{ error: { message: text, code: text, type: text } }])],
  ["a named error in a stream", (text) => Gateway.sse([Gateway.named("error", { error: { message: text } })])],
  ["an event that is no JSON", (text) => Gateway.sse([`oops ${text}`])],
  [
    "a stream that is none",
    (text) => Gateway.text(`oops ${text}`, { headers: { "content-type": "text/event-stream" } })
  ],
  [
    "MiniMax's base_resp",
    (text) => Gateway.json({ base_resp: { status_code: 1004, status_msg: `login fail: ${text}` } })
  ],
  [
    "an error after output",
    (text) => Gateway.sse([chunk({ content: "Hi" }), { error: { message: text, type: text } }])
  ],
  ["an answer that repeats it and breaks off", (text) => Gateway.sse([chunk({ content: `Your key is ${text}` })])],
  [
    "arguments that are not JSON",
    (text) => Gateway.json({ choices: [{ message: toolCall(text, `{"a":${text}`), finish_reason: "tool_calls" }] })
  ],
  [
    "streamed arguments that are not JSON",
    (text) => Gateway.sse([chunk(toolCall(text, `{"a":${text}`), { finish_reason: "tool_calls" }), "[DONE]"])
  ]
]

/** Header values are ASCII in one line. */
const headers = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.replace(/[^ -~]/g, " ").trim()]))

const toolCall = (name: string, args: string) => ({
  role: "assistant",
  tool_calls: [{ index: 0, id: "call-1", type: "function", function: { name, arguments: args } }]
})

// ---------------------------------------------------------------------------------------------------------------------
// The laws
// ---------------------------------------------------------------------------------------------------------------------

/** One retry of each kind, at once, so that there are notices. */
const once: RetryPolicy.RetryPolicy = (knownGood) =>
  RetryPolicy.standard(knownGood, { base: 1, cap: 1, jitter: 0, transientRetries: 1, authRetries: 1 })

const calls: ReadonlyArray<Effect.Effect<unknown, ProviderError.ProviderError, Provider.Provider>> = [
  Provider.complete(hello),
  Stream.runDrain(Provider.stream(hello)),
  Provider.models,
  Provider.verify,
  Provider.completeObject(Schema.Struct({ answer: Schema.Number }), hello)
]

type Asked = Layer.Layer<Gateway.Gateway | HttpClient.HttpClient, HttpServerError.ServeError>

const gateways: ReadonlyArray<readonly [name: string, at: (script: Gateway.Script) => Asked]> = [
  ["the scripted layer", Gateway.layer],
  ...clients.map(
    ([name, client]) => [`HTTP with ${name}`, (script: Gateway.Script) => Layer.merge(client, serve(script))] as const
  )
]

const options = (key: string) => ({
  apiKey: Redacted.make(key),
  policy: once,
  // The waits of the line are real ones here, and show nothing.
  coolDown: false,
  timeouts: { errorBody: "1 second" as const }
})

const mimo = (key: string) =>
  Layer.unwrapEffect(Effect.map(Gateway.Gateway, ({ url }) => MiMo.layer({ ...options(key), baseUrl: url })))

describe.each(gateways)("over %s", (_, at) => {
  describe.each(keys)("%s does not come out of", (_, key) => {
    for (const [name, answer] of answers) {
      it.live(name, () =>
        Effect.gen(function* () {
          const surfaces = yield* Effect.forEach(calls, witness)
          expect(leaks(key, surfaces.flat())).toEqual([])
        }).pipe(
          Effect.provide(
            Layer.provideMerge(
              mimo(key),
              at(() => answer(key))
            )
          )
        )
      )
    }

    it.live("the refusals of a known-good key", () =>
      Effect.gen(function* () {
        yield* Provider.complete(hello)
        const surfaces = yield* witness(Provider.complete(hello))
        expect(surfaces.filter(([where]) => where === "Explain.retrying, en").length).toBe(1)
        expect(leaks(key, surfaces)).toEqual([])
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            mimo(key),
            at((_, index) => (index === 0 ? whole : Gateway.status(401, { error: { message: `Bad key ${key}` } })))
          )
        )
      )
    )

    it.live("the service, its credential and its layer, before and after calls", () =>
      Effect.gen(function* () {
        const { url } = yield* Gateway.Gateway
        const common = { ...options(key), baseUrl: url }
        const services = [
          yield* MiMo.make(common),
          yield* MiniMax.make({ ...common, region: "cn" }),
          yield* Anthropic.make({ ...common, model: "m" }),
          yield* OpenAiCompatible.make({ ...common, id: "any", model: "m" }),
          yield* MiMo.make({ ...common, apiKey: Effect.succeed(Redacted.make(key)) })
        ]
        const seen = (service: Provider.Keyed) =>
          Effect.map(service.credential.read, (read) => [
            ...ofValue("service", service),
            ...ofValue("credential", service.credential),
            ...ofValue("key", read),
            ...ofValue("layer", MiMo.layer(common)),
            ...ofValue("options", common)
          ])
        for (const service of services) {
          expect(leaks(key, yield* seen(service))).toEqual([])
          yield* Effect.ignore(service.complete(hello))
          yield* Effect.ignore(Stream.runDrain(service.stream(hello)))
          expect(leaks(key, yield* seen(service))).toEqual([])
        }
      }).pipe(Effect.provide(at((_, index) => [whole, streamed, refused()][index % 3] ?? whole)))
    )
  })
})

describe.each(keys)("%s does not come out of", (_, key) => {
  for (const [row, [name, answer]] of answers.entries()) {
    for (const [way, echo] of Effort.some(echoes.slice(1), 3, row)) {
      it.live(`${name}, ${way}`, () =>
        Effect.gen(function* () {
          const surfaces = yield* Effect.forEach(calls.slice(0, 2), witness)
          expect(leaks(key, surfaces.flat())).toEqual([])
        }).pipe(
          Effect.provide(
            Layer.provideMerge(
              mimo(key),
              Gateway.layer(() => answer(echo(key)))
            )
          )
        )
      )
    }
  }
})

describe("a stream that repeats the key and is cut", () => {
  it.live("shows it as output, which is the server's, but not in the error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Stream.runDrain(Provider.stream(hello)))
      expect(error.partial).toContain("Your key is ")
      expect(error.partial).toContain(" and **this** is ***bold***")
      expect(leaks(plantedKey, ofError(error))).toEqual([])
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          mimo(plantedKey),
          Gateway.layer([
            Gateway.sse([
              chunk({ content: `Your key is ${half(plantedKey)}` }),
              chunk({ content: `${plantedKey.slice(plantedKey.length / 2)} and **this** is ***bold***` })
            ])
          ])
        )
      )
    )
  )
})

describe("a long stream that repeats the key in every spelling and is cut", () => {
  for (const [kind, key] of keys) {
    it.live(`shows no piece of ${kind} in its error, and all of the text around it`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Stream.runDrain(Provider.stream(hello)))
        expect(error.partial?.length).toBeGreaterThan(1_000_000)
        expect(error.partial?.split("prose").length).toBeGreaterThan(200_000)
        expect(leaks(key, ofError(error))).toEqual([])
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            mimo(key),
            Gateway.layer([
              Gateway.sse(
                echoes.flatMap(([, echo]) => [
                  chunk({ content: ` prose${" prose".repeat(15_000)} ` }),
                  // Cut into pieces that are too short to be found alone.
                  ...(echo(key).match(/.{1,5}/gs) ?? []).map((content) => chunk({ content }))
                ])
              )
            ])
          )
        )
      )
    )
  }
})

describe("a key that HTTP cannot carry", () => {
  for (const [name, key] of [
    ["with a line break inside", `${half(plantedKey)}\n${plantedKey.slice(plantedKey.length / 2)}`],
    ["with a carriage return and a header behind it", `${plantedKey}\r\nx-other: ${plantedKey}`],
    ["with a space inside", `${half(plantedKey)} ${plantedKey.slice(plantedKey.length / 2)}`],
    ["with an ellipsis", `${plantedKey}…${plantedKey}`],
    ["with an emoji", `${plantedKey}🔑`],
    ["with a NUL", `${plantedKey}\0x`]
  ] as const) {
    for (const [clientName, client] of clients) {
      it.live(`${name} is AuthMissing, nothing is sent, and ${clientName} has nothing to quote`, () =>
        Effect.gen(function* () {
          const surfaces = yield* Effect.forEach(calls, witness)
          const error = yield* Effect.flip(Provider.complete(hello))
          expect(error).toMatchObject({ _tag: "AuthMissing", problem: "Unsendable", attempts: 0 })
          expect(leaks(plantedKey, surfaces.flat())).toEqual([])
          expect(yield* Gateway.requests).toEqual([])
        }).pipe(Effect.provide(Layer.provideMerge(mimo(key), Layer.merge(client, serve([])))))
      )
    }
  }
})

describe("a client whose own failure quotes the key", () => {
  const quote = `Headers.append: "Bearer ${plantedKey}" is an invalid header value.`
  const failing = (reason: "Transport" | "Encode" | "InvalidUrl", cause: unknown) =>
    Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request) => Effect.fail(new HttpClientError.RequestError({ request, reason, cause })))
    )
  const causes: ReadonlyArray<readonly [string, unknown]> = [
    ["in its message", new TypeError(quote)],
    ["in its cause's cause", new TypeError("fetch failed", { cause: new Error(quote) })],
    ["as a plain text", quote],
    ["as an object", { headers: { authorization: quote } }]
  ]
  for (const reason of ["Transport", "Encode", "InvalidUrl"] as const) {
    for (const [name, cause] of causes) {
      it.live(`${name}, ${reason}`, () =>
        Effect.gen(function* () {
          const surfaces = yield* Effect.forEach(calls, witness)
          expect(surfaces.flat().length).toBeGreaterThan(0)
          expect(leaks(plantedKey, surfaces.flat())).toEqual([])
        }).pipe(Effect.provide(Layer.provide(MiMo.layer({ ...options(plantedKey) }), failing(reason, cause))))
      )
    }
  }
})

describe("a key from elsewhere", () => {
  const at = (build: Effect.Effect<Provider.Service, unknown, HttpClient.HttpClient>) =>
    Layer.provideMerge(
      Layer.effect(Provider.Provider, build),
      Gateway.layer(() => refused())
    )

  it.live("from Config does not come out", () =>
    Effect.gen(function* () {
      const service = yield* Provider.Provider
      const surfaces = yield* Effect.forEach(calls, witness)
      expect(leaks(plantedKey, [...surfaces.flat(), ...ofValue("service", service)])).toEqual([])
    }).pipe(
      Effect.provide(
        Layer.provide(
          MiMo.layerConfig({ policy: once }),
          Gateway.layer(() => refused())
        )
      ),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["MIMO_API_KEY", plantedKey]])))
    )
  )

  it.live("whose reading fails with a message that quotes it does not come out", () =>
    Effect.gen(function* () {
      const surfaces = yield* Effect.forEach(calls, witness)
      expect(leaks(plantedKey, surfaces.flat())).toEqual([])
    }).pipe(Effect.provide(at(MiMo.make({ apiKey: Effect.fail(new Error(`vault: ${plantedKey}`)) }))))
  )

  it.live("given as plain text, by a caller without types, does not come out", () =>
    Effect.gen(function* () {
      const service = yield* Effect.exit(MiMo.make({ ...options(plantedKey), apiKey: plantedKey as never }))
      const surfaces = Exit.isSuccess(service)
        ? [
            ...ofValue("service", service.value),
            ...(yield* witness(service.value.complete(hello))),
            ...(yield* witness(Stream.runDrain(service.value.stream(hello))))
          ]
        : ofCause(service.cause)
      expect(leaks(plantedKey, surfaces)).toEqual([])
    }).pipe(Effect.provide(Gateway.layer(() => refused())))
  )
})

describe("other secrets of the options", () => {
  const failures = (overrides: Partial<Provider.Options>) =>
    Effect.gen(function* () {
      const service = yield* MiMo.make({ policy: once, apiKey: Redacted.make("another-key-0123456789"), ...overrides })
      const surfaces = [
        ...(yield* witness(service.complete(hello))),
        ...(yield* witness(Stream.runDrain(service.stream(hello)))),
        ...(yield* witness(service.models))
      ]
      expect(surfaces.some(([where]) => where === "Schema.encode")).toBe(true)
      return surfaces
    }).pipe(Effect.provide(Gateway.layer(() => refused())))

  it.live("the password in a base URL", () =>
    Effect.gen(function* () {
      const surfaces = yield* failures({ baseUrl: `https://user:${plantedKey}@gateway.test/v1` })
      expect(leaks(plantedKey, surfaces)).toEqual([])
    })
  )

  it.live("the query of a base URL", () =>
    Effect.gen(function* () {
      const surfaces = yield* failures({ baseUrl: `https://gateway.test/v1?key=${plantedKey}` })
      expect(leaks(plantedKey, surfaces)).toEqual([])
    })
  )

  it.live("the value of a header that cannot be sent", () =>
    Effect.gen(function* () {
      const surfaces = yield* failures({ headers: { "x-other-key": `${plantedKey}\n` } })
      expect(leaks(plantedKey, surfaces)).toEqual([])
    })
  )
})

describe("the console", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.live("shows an error that is logged, and no key", () =>
    Effect.gen(function* () {
      const lines: Array<Surface> = []
      for (const method of ["log", "error", "warn", "info", "debug", "trace", "group"] as const) {
        vi.spyOn(console, method).mockImplementation((...args) => {
          lines.push([`console.${method}`, args.map((arg) => inspect(arg, everything)).join(" ")])
        })
      }
      const error = yield* Effect.flip(Provider.complete(hello))
      yield* Effect.logError("failed", error).pipe(Effect.annotateLogs({ error }))
      yield* Effect.logError(Cause.fail(error)).pipe(Effect.provide(Logger.pretty))
      console.error(error)
      expect(lines.length).toBeGreaterThanOrEqual(3)
      expect(leaks(plantedKey, lines)).toEqual([])
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          mimo(plantedKey),
          Gateway.layer([Gateway.status(401, { error: { message: `Bad key ${plantedKey}` } })])
        )
      )
    )
  )
})

describe("the search for leaks finds", () => {
  for (const [name, echo] of echoes) {
    it(`the key ${name}`, () => {
      for (const [, key] of keys) expect(leaks(key, [["here", `said: ${echo(key)}.`]]).length).toBe(1)
    })
  }

  it("nothing if there is nothing", () => {
    for (const [, key] of keys) expect(leaks(key, [["here", `said: ${key.slice(0, 7)}…${key.slice(-7)}`]])).toEqual([])
  })

  it.live("an error, a notice, spans and logs of a call that fails", () =>
    Effect.gen(function* () {
      const surfaces = yield* witness(Provider.complete(hello))
      const places = new Set(surfaces.map(([where]) => where))
      for (const place of [
        "JSON.stringify(error)",
        "error.stack",
        "Schema.encode",
        "Cause.pretty",
        "inspect(notice)",
        "inspect(span knowngood.attempt)",
        "inspect(span the caller)",
        "log, whole",
        "log, JSON"
      ]) {
        expect(places).toContain(place)
      }
      // Each of them tells what the server said, so each would have told the key.
      for (const [where, text] of surfaces
        .filter(([where]) => /error|attempt|Cause|log, whole/.test(where))
        .slice(0, 9)) {
        expect([where, text.includes("said by the server")]).toEqual([where, true])
      }
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          mimo(plantedKey),
          Gateway.layer(() => Gateway.status(503, { error: { message: "said by the server" } }))
        )
      )
    )
  )
})
