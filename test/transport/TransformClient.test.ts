/** Other people's clients with a key of ours: where it goes, what of it shows, and how a call ends. */
import { inspect } from "node:util"
import { gzipSync } from "node:zlib"
import {
  FetchHttpClient,
  Headers,
  HttpClient,
  HttpClientError,
  HttpClientRequest,
  HttpClientResponse,
  KeyValueStore
} from "@effect/platform"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import {
  Cause,
  Chunk,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  LogLevel,
  Predicate,
  Random,
  Redacted,
  Ref,
  Runtime,
  Schedule,
  Stream,
  TestClock
} from "effect"
import { Credential, KnownGood, MiMo, RetryObserver, RetryPolicy, Transport } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { clients, connections, eventually, quick, serve } from "../Loopback.js"
import * as Spans from "../Spans.js"
import { backoff, failed, gaps, halfway, hello, patiently, plantedKey, refused, times, whole } from "../Wire.js"

const here = "https://gateway.test"
const reports = `${here}/v1/reports`

type Options = Parameters<typeof Transport.transformClient>[0]

const credentialOf = (options: Partial<Credential.Options> = {}) =>
  Credential.make({ source: "ACME_KEY", apiKey: Redacted.make(plantedKey), ...options })

/** A client with a key, around the one in the context. */
const keyed = (options: Partial<Options> = {}) =>
  Effect.gen(function* () {
    const credential = options.credential ?? (yield* credentialOf())
    const client = yield* HttpClient.HttpClient
    return { credential, client: Transport.transformClient({ provider: "acme", ...options, credential })(client) }
  })

const at = (script: Gateway.Script) => Layer.merge(Gateway.layer(script), Layer.setRandom(Random.fixed([halfway])))

const asked = Effect.map(Gateway.requests, (requests) => requests.length)

const ok = Gateway.json({ reports: 3 })

/** Sent after sent, under the test clock. */
const get = (client: HttpClient.HttpClient, url = reports) => patiently(client.get(url))

/** A gateway that has accepted the key once, and goes on like this. */
const afterOne = (script: ReadonlyArray<Gateway.Answer>) => at([ok, ...script])

const acceptedOnce = (options: Partial<Options> = {}) => Effect.tap(keyed(options), ({ client }) => get(client))

// ---------------------------------------------------------------------------------------------------------------------
// Where the key goes
// ---------------------------------------------------------------------------------------------------------------------

describe("a key goes where it belongs", () => {
  const foreign = (owner: string) => ({
    _tag: "RequestError",
    reason: "InvalidUrl",
    cause: { _tag: "InvalidRequest", problem: "ForeignCredential", subject: owner, provider: "acme", attempts: 0 }
  })

  for (const [what, url] of [
    ["another host", "https://elsewhere.test/v1/reports"],
    ["a name under its own", "https://gateway.test.elsewhere.test/"],
    ["another port", "https://gateway.test:8443/v1/reports"],
    ["another scheme", "http://localhost/v1/reports"]
  ] as const) {
    it.effect(`and not to ${what}: nothing is sent, and the cause names whose it is`, () =>
      Effect.gen(function* () {
        const { client } = yield* acceptedOnce()
        const error = yield* Effect.flip(get(client, url))
        expect(error).toMatchObject(foreign(here))
        expect(yield* asked).toBe(1)
        // And it is as good as before for its own.
        expect((yield* get(client)).status).toBe(200)
      }).pipe(Effect.provide(at(() => ok)))
    )
  }

  it.effect("not to another than a provider's layer that has it, before that asked anything", () =>
    Effect.gen(function* () {
      const credential = yield* credentialOf()
      yield* MiMo.make({ credential, region: "sgp" })
      const { client } = yield* keyed({ credential })
      const error = yield* Effect.flip(get(client))
      expect(error).toMatchObject(foreign("https://token-plan-sgp.xiaomimimo.com"))
      expect(yield* asked).toBe(0)
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("and a provider's layer is refused it, where a client had it first", () =>
    Effect.gen(function* () {
      const { credential } = yield* acceptedOnce()
      const provider = yield* MiMo.make({ credential, region: "sgp" })
      expect(yield* Effect.flip(provider.complete(hello))).toMatchObject({
        _tag: "InvalidRequest",
        problem: "ForeignCredential",
        subject: here
      })
      expect(yield* asked).toBe(1)
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("not over plain http to another machine, unless told to", () =>
    Effect.gen(function* () {
      const url = "http://gateway.test/v1/reports"
      const { client } = yield* keyed()
      expect(yield* Effect.flip(get(client, url))).toMatchObject({
        _tag: "RequestError",
        reason: "InvalidUrl",
        cause: { _tag: "InvalidRequest", problem: "InsecureBaseUrl" }
      })
      expect(yield* asked).toBe(0)
      const { client: careless } = yield* keyed({ allowInsecure: true })
      expect((yield* get(careless, url)).status).toBe(200)
      const { client: local } = yield* keyed()
      expect((yield* get(local, "http://127.0.0.1:8080/")).status).toBe(200)
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("and one that was not sent belongs to nobody yet", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      yield* Effect.flip(get(client, "http://elsewhere.test/"))
      expect((yield* get(client)).status).toBe(200)
    }).pipe(Effect.provide(at(() => ok)))
  )

  for (const url of ["/v1/reports", "gateway.test/v1", "ftp://gateway.test/", "https://user:pass@gateway.test/", ""]) {
    it.effect(`and nowhere by the address ${JSON.stringify(url)}`, () =>
      Effect.gen(function* () {
        const { client } = yield* keyed()
        const error = yield* Effect.flip(get(client, url))
        expect(error).toMatchObject({ reason: "InvalidUrl", cause: { problem: "BadBaseUrl", attempts: 0 } })
        expect(yield* asked).toBe(0)
      }).pipe(Effect.provide(at(() => ok)))
    )
  }

  it.effect("in the header that it is told, in place of what the program put there", () =>
    Effect.gen(function* () {
      for (const [scheme, name, value] of [
        [Credential.bearer, "authorization", `Bearer ${plantedKey}`],
        [Credential.header("X-Api-Key"), "x-api-key", plantedKey],
        [Credential.header("api-key"), "api-key", plantedKey]
      ] as const) {
        const { client } = yield* keyed({ scheme })
        const request = HttpClientRequest.get(reports).pipe(HttpClientRequest.setHeader(name, "somebody's"))
        const response = yield* client.execute(request)
        expect((yield* Gateway.requests).at(-1)?.headers[name]).toBe(value)
        expect(response.request.headers[name]).not.toBe(value)
      }
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("but not in a header that there cannot be", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed({ scheme: Credential.header("api key") })
      expect(yield* Effect.flip(get(client))).toMatchObject({
        _tag: "RequestError",
        reason: "Encode",
        cause: { problem: "BadHeader", subject: "api key" }
      })
      expect(yield* asked).toBe(0)
    }).pipe(Effect.provide(at(() => ok)))
  )
})

describe("a redirect with a key in hand", () => {
  for (const [name, layer] of clients) {
    it.live(`is not followed over ${name}, and comes back as it is`, () =>
      Effect.gen(function* () {
        const { url } = yield* Gateway.Gateway
        const { client } = yield* keyed({ scheme: Credential.header("api-key") })
        const response = yield* client.get(`${url}/old`)
        expect([response.status, response.headers["location"]]).toEqual([302, "/new"])
        expect(yield* asked).toBe(1)
      }).pipe(
        Effect.provide(
          Layer.merge(
            layer,
            serve(() => Gateway.status(302, "", { location: "/new" }))
          )
        )
      )
    )
  }

  it.live("is not followed though the program's own options for fetch say so", () =>
    Effect.gen(function* () {
      const seen: Array<RequestInit | undefined> = []
      const fetch: typeof globalThis.fetch = (_, init) => {
        seen.push(init)
        return Promise.resolve(Response.json({}))
      }
      const { client } = yield* keyed()
      yield* client
        .get(reports)
        .pipe(
          Effect.provideService(FetchHttpClient.Fetch, fetch),
          Effect.provideService(FetchHttpClient.RequestInit, { credentials: "include", redirect: "follow" })
        )
      expect(seen).toMatchObject([{ credentials: "include", redirect: "manual" }])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.live("that a browser hides comes back as the 0 that it shows", () =>
    Effect.gen(function* () {
      const hidden = Object.defineProperties(Response.error(), { type: { value: "opaqueredirect" } })
      const { client } = yield* keyed()
      const response = yield* client
        .get(reports)
        .pipe(Effect.provideService(FetchHttpClient.Fetch, () => Promise.resolve(hidden)))
      expect([response.status, yield* response.text]).toEqual([0, ""])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("followed by the program above stays at its host", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const following = HttpClient.followRedirects(client, 3)
      expect((yield* get(following, `${here}/old`)).status).toBe(200)
      expect(yield* Effect.flip(get(following, `${here}/away`))).toMatchObject({
        cause: { problem: "ForeignCredential", subject: here }
      })
      expect((yield* Gateway.requests).map(({ url }) => new URL(url).pathname)).toEqual(["/old", "/new", "/away"])
    }).pipe(
      Effect.provide(
        at(({ url }) =>
          url.endsWith("/old")
            ? Gateway.status(307, "", { location: "/new" })
            : url.endsWith("/away")
              ? Gateway.status(307, "", { location: "https://elsewhere.test/" })
              : ok
        )
      )
    )
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// What shows
// ---------------------------------------------------------------------------------------------------------------------

const everything = { depth: 16, showHidden: true, maxStringLength: null, maxArrayLength: null }

const textsOf = (value: unknown): ReadonlyArray<string> => [
  inspect(value, everything),
  inspect(value, { ...everything, customInspect: false, depth: 6 }),
  Predicate.hasProperty(value, "toString") ? String(value) : "",
  JSON.stringify(value, (_, v) => (typeof v === "bigint" ? String(v) : v)) ?? "",
  ...(value instanceof Error ? [value.message, value.stack ?? "", ...textsOf(value.cause)] : [])
]

const textsOfCause = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => [
  Cause.pretty(cause, { renderErrorCause: true }),
  ...textsOf(cause),
  ...textsOf(Runtime.makeFiberFailure(cause)),
  ...[...Cause.failures(cause), ...Cause.defects(cause)].flatMap((failure) => [
    ...textsOf(failure),
    ...(HttpClientError.isHttpClientError(failure)
      ? [failure.request, ...(failure._tag === "ResponseError" ? [failure.response] : [])].flatMap(textsOf)
      : [])
  ])
]

const textsOfResponse = (response: HttpClientResponse.HttpClientResponse): ReadonlyArray<string> =>
  [response, response.request, response.request.headers, response.headers, response.cookies].flatMap(textsOf)

/** All that can be seen of a call by whoever logs and traces what it can. */
const seenOf = (call: Effect.Effect<HttpClientResponse.HttpClientResponse, unknown>) =>
  Effect.gen(function* () {
    const texts: Array<string> = []
    const { begun: spans, tracer } = Spans.collect()
    const loggers = [Logger.stringLogger, Logger.jsonLogger, Logger.logfmtLogger].map((logger) =>
      Logger.add(
        Logger.map(logger, (line) => {
          texts.push(line)
        })
      )
    )
    const read = (response: HttpClientResponse.HttpClientResponse) =>
      Effect.gen(function* () {
        texts.push(...textsOfResponse(response))
        yield* Effect.logDebug("before", response, response.request)
        yield* Effect.annotateLogs(Effect.logDebug("read"), { text: yield* response.text })
        texts.push(...textsOfResponse(response))
        yield* Effect.logDebug("after", response)
        // An answer that is none for the program above.
        yield* HttpClientResponse.filterStatus(response, () => false)
      })
    const exit = yield* Effect.flatMap(call, read).pipe(
      Effect.tapErrorCause((cause) => Effect.annotateLogs(Effect.logError("failed", cause), { cause })),
      Effect.provideService(RetryObserver.RetryObserver, {
        onRetry: (notice) => Effect.sync(() => texts.push(...textsOf(notice), ...textsOf(notice.error)))
      }),
      Effect.withTracer(tracer),
      Effect.provide(
        Layer.mergeAll(Logger.remove(Logger.defaultLogger), Logger.minimumLogLevel(LogLevel.All), ...loggers)
      ),
      Effect.exit
    )
    if (Exit.isFailure(exit)) texts.push(...textsOfCause(exit.cause))
    for (const { attributes, name, status } of spans) {
      // The client's own span has every header of the answer: what a server echoes there is the client's affair.
      const shown = [...attributes].filter(([attribute]) => !attribute.startsWith("http.response.header."))
      texts.push(...textsOf([name, shown]))
      if (name === "knowngood.attempt") texts.push(...textsOf([...attributes]), ...textsOf(status))
    }
    return { texts, exit }
  })

/** The texts with a piece of the key of 8 characters, cut to what stands around it. */
const leaks = (texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const key = plantedKey.toLowerCase()
  const pieces = Array.from({ length: key.length - 7 }, (_, i) => key.slice(i, i + 8))
  return texts.flatMap((text) => {
    const lower = text.toLowerCase()
    const found = pieces.map((piece) => lower.indexOf(piece)).find((at) => at >= 0)
    return found === undefined ? [] : [text.slice(Math.max(0, found - 100), found + 40)]
  })
}

const schemes = [
  ["bearer", Credential.bearer],
  ["x-api-key", Credential.header("x-api-key")],
  ["api-key", Credential.header("api-key")]
] as const

const echo = { "x-echo": `Bearer ${plantedKey}` }

/** Answers, and what a server may quote in them. What it writes into a 2xx is the program's to read. */
const answers: ReadonlyArray<readonly [name: string, script: Gateway.Script]> = [
  ["an answer", () => Gateway.json({ ok: true }, { headers: echo })],
  ["an answer that is no JSON", () => Gateway.text("<html>", { headers: { "content-type": "application/json" } })],
  ["no content", () => Gateway.status(204, "", echo)],
  ["a refusal that quotes it", () => Gateway.status(401, { error: { message: `No such key: ${plantedKey}` } }, echo)],
  ["a refusal that quotes half of it", () => Gateway.status(400, `No such key: ${plantedKey.slice(0, 17)}…`)],
  ["a redirect", () => Gateway.status(302, "", { location: `https://a.test/?key=${plantedKey}` })],
  ["an overload", () => Gateway.status(503, `busy ${plantedKey}`)],
  ["no connection", () => Gateway.unreachable],
  ["a connection that breaks", () => Gateway.drop(3, Gateway.text("some text"))]
]

describe("nothing that comes back shows the key", () => {
  for (const [by, scheme] of schemes) {
    for (const [name, script] of answers) {
      it.effect(`sent as ${by}: ${name}`, () =>
        Effect.gen(function* () {
          const { client } = yield* keyed({ scheme, policy: quick })
          const { exit, texts } = yield* patiently(seenOf(client.get(reports)))
          expect(Exit.isFailure(exit) && Cause.isFailure(exit.cause)).toBe(true)
          expect(texts.length).toBeGreaterThan(10)
          expect(leaks(texts)).toEqual([])
          const json = yield* patiently(
            Effect.flip(
              Effect.flatMap(client.get(reports), HttpClientResponse.filterStatusOk).pipe(
                Effect.flatMap((response) => response.json),
                Effect.flatMap((json) => Effect.fail(json))
              )
            )
          )
          expect(leaks([...textsOf(json), ...textsOfCause(Cause.fail(json))])).toEqual([])
        }).pipe(Effect.provide(at(script)))
      )
    }

    for (const [client, layer] of clients) {
      for (const [name, script] of answers) {
        it.live(`sent as ${by} over ${client}: ${name}`, () =>
          Effect.gen(function* () {
            const { url } = yield* Gateway.Gateway
            const { client } = yield* keyed({ scheme, policy: quick })
            const { exit, texts } = yield* seenOf(client.get(`${url}/v1`))
            expect(Exit.isFailure(exit) && Cause.isFailure(exit.cause)).toBe(true)
            expect(leaks(texts)).toEqual([])
          }).pipe(Effect.provide(Layer.merge(layer, serve(script))))
        )
      }
    }

    it.effect(`sent as ${by}: where the program had put in the same itself`, () =>
      Effect.gen(function* () {
        const { client } = yield* keyed({ scheme })
        const request = HttpClientRequest.get(reports).pipe(
          HttpClientRequest.setHeader(scheme === Credential.bearer ? "authorization" : by, plantedKey)
        )
        expect(leaks((yield* seenOf(client.execute(request))).texts)).toEqual([])
      }).pipe(Effect.provide(at(() => ok)))
    )
  }

  it.effect("though it has the letters of the mask", () =>
    Effect.gen(function* () {
      const apiKey = Redacted.make("redacted-[redacted]-redacted")
      const { client } = yield* keyed({ credential: yield* credentialOf({ apiKey }) })
      const response = yield* get(client)
      const text = yield* response.text
      expect(text).not.toContain("redacted")
      expect(text).toMatch(/^\{"a":".+ é"\}$/)
    }).pipe(Effect.provide(at(() => Gateway.status(400, '{"a":"redacted-[redacted]-redacted é"}'))))
  )
})

describe("a client whose own failure quotes the key", () => {
  const quote = `Headers.append: "Bearer ${plantedKey}" is an invalid header value.`
  const itself = new Error(quote)
  Object.assign(itself, { cause: itself })
  const causes: ReadonlyArray<readonly [string, unknown]> = [
    ["in its message", new TypeError(quote)],
    ["in its cause's cause", new TypeError("fetch failed", { cause: new Error(quote) })],
    ["as a plain text", quote],
    ["as an object", { headers: { authorization: quote } }],
    ["in an error's field", Object.assign(new Error("no"), { config: { headers: { authorization: quote } } })],
    ["in a code", Object.assign(new Error("no"), { code: quote })],
    ["in an error that is its own cause", itself],
    ["in nothing", undefined]
  ]
  const failing = (
    fail: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<never, HttpClientError.HttpClientError>
  ) => Layer.succeed(HttpClient.HttpClient, HttpClient.make(fail))
  const hides = Effect.gen(function* () {
    const { client } = yield* keyed({ policy: quick, scheme: Credential.header("api-key") })
    const { texts } = yield* patiently(seenOf(client.get(reports)))
    expect(texts.length).toBeGreaterThan(5)
    expect(leaks(texts)).toEqual([])
  })

  for (const [name, cause] of causes) {
    for (const reason of ["Transport", "Encode", "InvalidUrl"] as const) {
      it.effect(`${name}: RequestError, ${reason}`, () =>
        Effect.provide(
          hides,
          failing((request) =>
            Effect.fail(new HttpClientError.RequestError({ request, reason, cause, description: quote }))
          )
        )
      )
    }
    for (const reason of ["StatusCode", "Decode", "EmptyBody"] as const) {
      for (const status of [200, 400]) {
        it.effect(`${name}: ResponseError, ${reason}, ${status}`, () =>
          Effect.provide(
            hides,
            failing((request) => {
              const response = HttpClientResponse.fromWeb(request, new Response("x", { status }))
              return Effect.fail(
                new HttpClientError.ResponseError({ request, response, reason, cause, description: quote })
              )
            })
          )
        )
      }
    }
    it.effect(`${name}: a defect`, () =>
      Effect.provide(
        hides,
        failing(() => Effect.die(cause))
      )
    )
    it.effect(`${name}: a body that breaks`, () =>
      Effect.provide(
        hides,
        Layer.succeed(
          HttpClient.HttpClient,
          HttpClient.make((request) =>
            Effect.sync(() => {
              const body = new ReadableStream({ pull: (controller) => controller.error(cause) })
              return HttpClientResponse.fromWeb(request, new Response(body))
            })
          )
        )
      )
    )
  }

  it.effect("keeps what tells one error from another", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const error = yield* Effect.flip(Effect.flatMap(client.get(reports), (response) => response.text))
      expect(error).toMatchObject({ _tag: "ResponseError", reason: "Decode" })
      expect(error.cause).toMatchObject({ name: "TypeError", message: "terminated", cause: { code: "UND_ERR_SOCKET" } })
      const defect = yield* Effect.exit(client.get(`${here}/dies`))
      expect(Exit.isFailure(defect) ? [...Cause.defects(defect.cause)] : []).toMatchObject([{ name: "RangeError" }])
    }).pipe(
      Effect.provideService(
        HttpClient.HttpClient,
        HttpClient.make((request, url) =>
          Effect.sync(() => {
            if (url.pathname === "/dies") throw new RangeError("a mistake")
            const broken = new TypeError("terminated", {
              cause: Object.assign(new Error("closed"), { code: "UND_ERR_SOCKET" })
            })
            const body = new ReadableStream({ pull: (controller) => controller.error(broken) })
            return HttpClientResponse.fromWeb(request, new Response(body))
          })
        )
      )
    )
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// The retries
// ---------------------------------------------------------------------------------------------------------------------

describe("a refused key", () => {
  it.effect("that was never accepted comes back at once", () =>
    Effect.gen(function* () {
      const { client, credential } = yield* keyed()
      const response = yield* get(client)
      expect([response.status, yield* asked]).toEqual([401, 1])
      expect(yield* Ref.get(credential.knownGood)).toBe(false)
    }).pipe(Effect.provide(at(() => refused())))
  )

  it.effect("that was accepted is tried again, and twice at most", () =>
    Effect.gen(function* () {
      const { client, credential } = yield* acceptedOnce()
      expect(yield* Ref.get(credential.knownGood)).toBe(true)
      expect((yield* get(client)).status).toBe(200)
      expect((yield* get(client)).status).toBe(401)
      expect(yield* asked).toBe(1 + 3 + 3)
      expect((yield* gaps).slice(1, 3)).toEqual([backoff(1), backoff(2)])
    }).pipe(Effect.provide(afterOne([refused(), refused(), ok, refused(), refused(), refused()])))
  )

  it.effect("that was revoked is demoted: after 3 calls one request each", () =>
    Effect.gen(function* () {
      const { client, credential } = yield* acceptedOnce()
      for (let call = 0; call < 3; call++) expect((yield* get(client)).status).toBe(401)
      expect(yield* Ref.get(credential.knownGood)).toBe(false)
      expect(yield* asked).toBe(1 + 9)
      for (let call = 0; call < 5; call++) expect((yield* get(client)).status).toBe(401)
      expect(yield* asked).toBe(1 + 9 + 5)
    }).pipe(Effect.provide(at((_, index) => (index === 0 ? ok : refused()))))
  )

  it.effect("is remembered as accepted across restarts", () =>
    Effect.gen(function* () {
      const store = yield* KeyValueStore.KeyValueStore.pipe(Effect.provide(KeyValueStore.layerMemory))
      const start = Effect.gen(function* () {
        const credential = yield* credentialOf().pipe(
          Effect.provide(KnownGood.layerKeyValueStore()),
          Effect.provideService(KeyValueStore.KeyValueStore, store)
        )
        return yield* keyed({ credential })
      })
      const before = yield* start
      expect((yield* get(before.client)).status).toBe(200)
      yield* TestClock.adjust("1 second")
      const after = yield* start
      expect((yield* get(after.client)).status).toBe(200)
      expect(yield* asked).toBe(3)
      // Of this key at this host, and not of every host.
      const elsewhere = yield* start
      expect((yield* get(elsewhere.client, "https://elsewhere.test/")).status).toBe(401)
      expect(yield* asked).toBe(4)
    }).pipe(Effect.provide(at([ok, refused(), ok, refused()])))
  )

  it.effect("is worth one more try with the one that took its place", () =>
    Effect.gen(function* () {
      const keys = ["first-key-of-three", "second-key-of-three"]
      let reads = 0
      const apiKey = Effect.sync(() => Redacted.make(keys[Math.min(1, reads++)] ?? ""))
      const { client } = yield* keyed({ credential: yield* credentialOf({ apiKey }) })
      expect((yield* get(client)).status).toBe(200)
      expect((yield* Gateway.requests).map(({ headers }) => headers["authorization"])).toEqual(
        keys.map((key) => `Bearer ${key}`)
      )
    }).pipe(Effect.provide(at([refused(), ok])))
  )
})

describe("what may pass", () => {
  it.effect("is waited out: 503 with a backoff, 429 for as long as the server asks, to the millisecond", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      expect((yield* get(client)).status).toBe(200)
      expect(yield* gaps).toEqual([backoff(1), backoff(2), 7000, backoff(4)])
    }).pipe(
      Effect.provide(at([failed(503), failed(502), failed(429, { "retry-after": "7" }), Gateway.unreachable, ok]))
    )
  )

  it.effect("is given up after ten tries, and comes back as the last answer was", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const response = yield* get(client)
      expect(yield* asked).toBe(11)
      expect([response.status, yield* response.json]).toEqual([503, { error: { message: "failed with 503" } }])
    }).pipe(Effect.provide(at(() => failed(503))))
  )

  it.effect("is not waited for, where the server asks for more than a minute", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const response = yield* get(client)
      expect([response.status, response.headers["retry-after"], yield* asked]).toEqual([429, "61", 1])
    }).pipe(Effect.provide(at(() => failed(429, { "retry-after": "61" }))))
  )

  it.effect("is told to the observer, with what it was", () =>
    Effect.gen(function* () {
      const notices: Array<RetryObserver.RetryNotice> = []
      const { client } = yield* acceptedOnce()
      yield* get(client).pipe(
        Effect.provideService(RetryObserver.RetryObserver, {
          onRetry: (notice) => Effect.sync(() => notices.push(notice))
        })
      )
      expect(notices).toMatchObject([
        { provider: "acme", attempt: 1, budget: 10, error: { _tag: "Transient", status: 503 } },
        { provider: "acme", attempt: 1, budget: 2, error: { _tag: "AuthRejected", status: 401, knownGood: true } }
      ])
    }).pipe(Effect.provide(afterOne([failed(503), refused(), ok])))
  )

  it.effect("is a RequestError where no server can be reached, and its cause knows the whole call", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const error = yield* Effect.flip(get(client))
      expect(error).toMatchObject({
        _tag: "RequestError",
        reason: "Transport",
        request: { url: reports },
        cause: { _tag: "Transient", provider: "acme", reason: "Unreachable", code: "ECONNREFUSED", attempts: 11 }
      })
      expect(yield* asked).toBe(11)
    }).pipe(Effect.provide(at(() => Gateway.unreachable)))
  )

  it.effect("is judged by the policy that is given", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed({ policy: () => RetryPolicy.none })
      expect([(yield* get(client)).status, yield* asked]).toEqual([503, 1])
    }).pipe(Effect.provide(at(() => failed(503))))
  )
})

describe("a call that ends otherwise than its last answer", () => {
  it.effect("says why: a key that could not be read any more is no 503", () =>
    Effect.gen(function* () {
      let reads = 0
      const apiKey = Effect.suspend(() =>
        reads++ === 0 ? Effect.succeed(Redacted.make(plantedKey)) : Effect.fail("gone")
      )
      const { client } = yield* keyed({ credential: yield* credentialOf({ apiKey }) })
      const error = yield* Effect.flip(get(client))
      expect(error).toMatchObject({
        _tag: "RequestError",
        cause: { _tag: "AuthMissing", problem: "Unreadable", attempts: 1, history: [{ status: 503 }] }
      })
    }).pipe(Effect.provide(at(() => failed(503))))
  )

  for (const [problem, apiKey] of [
    ["Absent", undefined],
    ["Blank", Redacted.make("  ")],
    ["Unsendable", Redacted.make("a\nb")],
    ["Unreadable", Effect.fail("no")]
  ] as const) {
    it.effect(`says that the key is ${problem}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { client } = yield* keyed({ credential: yield* Credential.make({ source: "ACME_KEY", apiKey }) })
        expect(yield* Effect.flip(get(client))).toMatchObject({
          _tag: "RequestError",
          reason: "Encode",
          cause: { _tag: "AuthMissing", problem, source: "ACME_KEY", provider: "acme" }
        })
        expect(yield* asked).toBe(0)
      }).pipe(Effect.provide(at(() => ok)))
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// The gate
// ---------------------------------------------------------------------------------------------------------------------

describe("calls with one credential", () => {
  it.effect("wait together when the server names a moment", () =>
    Effect.gen(function* () {
      const { client } = yield* acceptedOnce()
      const first = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("1 second")
      const others = yield* Effect.forkAll(times(5, client.get(reports)))
      yield* TestClock.adjust("8 seconds")
      expect(yield* asked).toBe(2)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(first)
      expect((yield* Fiber.join(others)).map(({ status }) => status)).toEqual(times(5, 200))
      expect((yield* Gateway.requests).slice(2).every(({ at }) => at >= 10_000)).toBe(true)
    }).pipe(Effect.provide(at((_, index) => (index === 1 ? failed(429, { "retry-after": "10" }) : ok))))
  )

  it.effect("but not those that do not want to", () =>
    Effect.gen(function* () {
      const credential = yield* credentialOf()
      const { client } = yield* acceptedOnce({ credential, coolDown: false })
      const first = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("1 second")
      yield* client.get(reports)
      expect(yield* asked).toBe(3)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(first)
    }).pipe(Effect.provide(at((_, index) => (index === 1 ? failed(429, { "retry-after": "10" }) : ok))))
  )

  const shared = Effect.gen(function* () {
    const credential = yield* credentialOf()
    const provider = yield* MiMo.make({ credential, region: "sgp" })
    const { client } = yield* keyed({ credential })
    return { provider, client, url: "https://token-plan-sgp.xiaomimimo.com/v1/files" }
  })
  const tooMany = (_: Gateway.Recorded, index: number) => (index === 0 ? failed(429, { "retry-after": "10" }) : whole)

  it.effect("wait for what a provider's layer was told", () =>
    Effect.gen(function* () {
      const { client, provider, url } = yield* shared
      yield* Effect.fork(provider.complete(hello))
      yield* TestClock.adjust("1 second")
      const fiber = yield* Effect.fork(client.get(url))
      yield* TestClock.adjust("8 seconds")
      expect(yield* asked).toBe(1)
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.join(fiber)).status).toBe(200)
    }).pipe(Effect.provide(at(tooMany)))
  )

  it.effect("let a provider's layer wait for what they were told", () =>
    Effect.gen(function* () {
      const { client, provider, url } = yield* shared
      yield* Effect.fork(client.get(url))
      yield* TestClock.adjust("1 second")
      const fiber = yield* Effect.fork(provider.complete(hello))
      yield* TestClock.adjust("8 seconds")
      expect(yield* asked).toBe(1)
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.join(fiber)).text).toBe("Hello, world")
    }).pipe(Effect.provide(at(tooMany)))
  )

  it.effect("share the flag with a provider's layer", () =>
    Effect.gen(function* () {
      const { client, provider, url } = yield* shared
      yield* provider.complete(hello)
      expect((yield* get(client, url)).status).toBe(200)
      expect(yield* asked).toBe(3)
    }).pipe(Effect.provide(at([whole, refused(), ok])))
  )

  it.effect("are no more at once than the credential allows", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let open = 0
      let most = 0
      const slow = HttpClient.make((request) =>
        Effect.gen(function* () {
          most = Math.max(most, ++open)
          yield* Effect.yieldNow()
          yield* Deferred.await(gate)
          open -= 1
          return HttpClientResponse.fromWeb(request, new Response("{}"))
        })
      )
      const credential = yield* credentialOf({ concurrency: 3 })
      const client = Transport.transformClient({ provider: "acme", credential })(slow)
      const fiber = yield* Effect.fork(Effect.all(times(20, client.get(reports)), { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 second")
      expect(open).toBe(3)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      expect(most).toBe(3)
    })
  )

  it.effect("hold up nobody by an answer whose body nobody reads", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed({ credential: yield* credentialOf({ concurrency: 1 }) })
      for (let call = 0; call < 5; call++) expect((yield* client.get(reports)).status).toBe(200)
    }).pipe(Effect.provide(at(() => ok)))
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// What comes back
// ---------------------------------------------------------------------------------------------------------------------

/** What a client gives for an answer that is not repeated. */
const answerOf = (answer: Gateway.Answer, method: "GET" | "HEAD" = "GET") =>
  Effect.gen(function* () {
    const { client } = yield* keyed()
    return yield* client.execute(HttpClientRequest.make(method)(reports))
  }).pipe(Effect.provide(at(() => answer)))

const bytesOf = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.map(response.arrayBuffer, (buffer) => new Uint8Array(buffer))

const binary = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 131 + (i >> 8)) % 256)

describe("what is refused for good is the response that it was", () => {
  it.effect("status and headers", () =>
    Effect.gen(function* () {
      const response = yield* answerOf(
        Gateway.status(422, { error: "no" }, { "x-request-id": "r-1", "set-cookie": "a=b" })
      )
      expect(response.status).toBe(422)
      expect(response.headers).toMatchObject({ "x-request-id": "r-1", "content-type": "application/json" })
      expect(response.cookies.cookies).toMatchObject({ a: { value: "b" } })
      expect(response.request.url).toBe(reports)
      expect(HttpClientError.isHttpClientError(yield* Effect.flip(HttpClientResponse.filterStatusOk(response)))).toBe(
        true
      )
    })
  )

  it.effect("text, JSON, form and nothing", () =>
    Effect.gen(function* () {
      expect(yield* (yield* answerOf(Gateway.status(404, "Größe nicht gefunden 🙂"))).text).toBe(
        "Größe nicht gefunden 🙂"
      )
      expect(yield* (yield* answerOf(Gateway.status(404, { a: [1] }))).json).toEqual({ a: [1] })
      const form = yield* answerOf(
        Gateway.status(404, "a=1&b=2", { "content-type": "application/x-www-form-urlencoded" })
      )
      expect(yield* form.urlParamsBody).toEqual([
        ["a", "1"],
        ["b", "2"]
      ])
      const data = yield* answerOf(
        Gateway.status(404, "a=1&b=2", { "content-type": "application/x-www-form-urlencoded" })
      )
      expect([...(yield* data.formData).entries()]).toEqual([
        ["a", "1"],
        ["b", "2"]
      ])
      const empty = yield* answerOf(Gateway.status(404))
      expect([yield* empty.text, yield* empty.json]).toEqual(["", null])
    })
  )

  for (const size of [1, 255, 4096, 64 * 1024 - 1, 64 * 1024]) {
    it.effect(`${size} bytes that are no text, byte for byte`, () =>
      Effect.gen(function* () {
        const bytes = binary(size)
        const response = yield* answerOf({ status: 400, headers: { "content-type": "image/png" }, body: [bytes] })
        expect(Buffer.from(yield* bytesOf(response)).equals(Buffer.from(bytes))).toBe(true)
      })
    )
  }

  it.effect("of a larger one its first 64 KiB", () =>
    Effect.gen(function* () {
      const bytes = binary(300_000)
      const response = yield* answerOf({
        status: 400,
        headers: {},
        body: [bytes.subarray(0, 50_000), bytes.subarray(50_000)]
      })
      expect(Buffer.from(yield* bytesOf(response)).equals(Buffer.from(bytes.subarray(0, 64 * 1024)))).toBe(true)
    })
  )

  it.effect("read as a stream, too, and as often as the platform allows", () =>
    Effect.gen(function* () {
      const response = yield* answerOf(Gateway.status(404, "abc"))
      const chunks = yield* Stream.runCollect(response.stream)
      expect(new TextDecoder().decode(Chunk.toReadonlyArray(chunks)[0])).toBe("abc")
      const twice = yield* answerOf(Gateway.status(404, "abc"))
      expect([yield* twice.text, yield* twice.text]).toEqual(["abc", "abc"])
    })
  )

  it.effect("and says no length and no encoding that it has no more", () =>
    Effect.gen(function* () {
      const lying = { "content-length": "9999", "content-encoding": "identity", etag: "e" }
      const { headers } = yield* answerOf(Gateway.status(404, "abc", lying))
      expect(headers).toMatchObject({ etag: "e" })
      expect("content-length" in headers || "content-encoding" in headers).toBe(false)
      const head = yield* answerOf(Gateway.status(404, "", { "content-length": "9999" }), "HEAD")
      expect(head.headers["content-length"]).toBe("9999")
    })
  )

  for (const status of [204, 205, 304]) {
    it.effect(`a ${status} has no body`, () =>
      Effect.gen(function* () {
        const response = yield* answerOf(Gateway.status(status, "", { etag: "e" }))
        expect([response.status, response.headers["etag"], yield* response.text]).toEqual([status, "e", ""])
        expect(yield* Effect.flip(Stream.runDrain(response.stream))).toMatchObject({ reason: "EmptyBody" })
      })
    )
  }

  for (const status of [199, 600, 999]) {
    it.effect(`a status that is none, ${status}`, () =>
      Effect.gen(function* () {
        const odd = HttpClient.make((request) => {
          const response = HttpClientResponse.fromWeb(request, new Response("odd", { headers: { "x-a": "b" } }))
          return Effect.succeed(Object.create(response, { status: { value: status } }))
        })
        const { client } = yield* Effect.provideService(
          keyed({ policy: () => RetryPolicy.none }),
          HttpClient.HttpClient,
          odd
        )
        const response = yield* client.get(reports)
        expect([response.status, response.headers["x-a"], yield* response.text]).toEqual([status, "b", "odd"])
      })
    )
  }

  it.effect("where it broke off, what had come of it", () =>
    Effect.gen(function* () {
      expect(yield* (yield* answerOf(Gateway.drop(5, Gateway.status(404, "not found")))).text).toBe("not f")
    })
  )

  it.effect("where its end does not come, what had come of it in ten seconds", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const fiber = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("9999 millis")
      expect((yield* Fiber.poll(fiber))._tag).toBe("None")
      yield* TestClock.adjust("1 millis")
      expect(yield* (yield* Fiber.join(fiber)).text).toBe("not f")
    }).pipe(Effect.provide(at(() => Gateway.stall(5, Gateway.status(404, "not found")))))
  )

  it.effect("though a client underneath has read it", () =>
    Effect.gen(function* () {
      const read: Array<string> = []
      const reading = HttpClient.tap(yield* HttpClient.HttpClient, ({ text }) =>
        Effect.map(text, (text) => read.push(text))
      )
      const { client } = yield* Effect.provideService(keyed(), HttpClient.HttpClient, reading)
      expect(yield* (yield* get(client)).text).toBe("not found")
      expect(read).toEqual(["not found"])
    }).pipe(Effect.provide(at(() => Gateway.status(404, "not found"))))
  )

  for (const [name, layer] of clients) {
    it.live(`over ${name}`, () =>
      Effect.gen(function* () {
        const { url } = yield* Gateway.Gateway
        const { client } = yield* keyed({ policy: quick })
        const bytes = binary(5000)
        const response = yield* client.get(`${url}/binary`)
        expect([response.status, response.headers["x-a"]]).toEqual([418, "b"])
        expect(Buffer.from(yield* bytesOf(response)).equals(Buffer.from(bytes))).toBe(true)
      }).pipe(
        Effect.provide(
          Layer.merge(
            layer,
            serve(() => ({ status: 418, headers: { "x-a": "b", "content-type": "image/png" }, body: [binary(5000)] }))
          )
        )
      )
    )
  }
})

describe("a refusal that came gzipped", () => {
  for (const [name, layer] of clients) {
    it.live(`reads as the text that it is over ${name}, and says no more that it is packed`, () =>
      Effect.gen(function* () {
        const { url } = yield* Gateway.Gateway
        const { client } = yield* keyed()
        const response = yield* client.get(`${url}/packed`)
        expect(yield* response.json).toEqual({ error: "no such report" })
        expect("content-encoding" in response.headers).toBe(false)
      }).pipe(
        Effect.provide(
          Layer.merge(
            layer,
            serve(() => ({
              status: 404,
              headers: { "content-encoding": "gzip", "content-type": "application/json" },
              body: [gzipSync(JSON.stringify({ error: "no such report" }))]
            }))
          )
        )
      )
    )
  }
})

describe("the body of a 2xx", () => {
  it.effect("is handed on unread, and read no further than the program reads", () =>
    Effect.gen(function* () {
      let pulled = 0
      const body = () =>
        new ReadableStream<Uint8Array>(
          {
            pull: (controller) => {
              pulled += 1
              controller.enqueue(new TextEncoder().encode(`data: ${pulled}\n\n`))
            }
          },
          { highWaterMark: 0 }
        )
      const endless = HttpClient.make((request) =>
        Effect.sync(() => HttpClientResponse.fromWeb(request, new Response(body())))
      )
      const { client } = yield* Effect.provideService(keyed(), HttpClient.HttpClient, endless)
      const response = yield* client.get(reports)
      expect(pulled).toBe(0)
      const taken = yield* response.stream.pipe(Stream.decodeText(), Stream.take(3), Stream.runCollect)
      expect(Chunk.toReadonlyArray(taken)).toEqual(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"])
      expect(pulled).toBeLessThanOrEqual(4)
    })
  )

  for (const [name, layer] of clients) {
    it.live(`is streamed over ${name}; whoever stops reading closes the connection`, () =>
      Effect.gen(function* () {
        const { url } = yield* Gateway.Gateway
        const { client } = yield* keyed()
        const response = yield* client.get(`${url}/events`)
        const first = yield* response.stream.pipe(Stream.decodeText(), Stream.take(1), Stream.runHead)
        expect(first).toMatchObject({ _tag: "Some", value: expect.stringContaining("data:") })
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
      }).pipe(
        Effect.provide(
          Layer.merge(
            layer,
            serve(() => Gateway.stall(1e9, Gateway.sse([{ n: 1 }])))
          )
        )
      )
    )

    it.live(`over ${name}: an interruption before the headers closes the connection`, () =>
      Effect.gen(function* () {
        const { url } = yield* Gateway.Gateway
        const { client } = yield* keyed()
        const fiber = yield* Effect.fork(client.get(`${url}/never`))
        expect(yield* eventually(Effect.map(asked, (count) => count === 1))).toBe(true)
        yield* Fiber.interrupt(fiber)
        expect(yield* eventually(Effect.map(connections.open, (open) => open === 0))).toBe(true)
      }).pipe(
        Effect.provide(
          Layer.merge(
            layer,
            serve(() => Gateway.delay(Effect.never, ok))
          )
        )
      )
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// Interruption
// ---------------------------------------------------------------------------------------------------------------------

describe("a call that is interrupted", () => {
  it.effect("while it waits at the gate ends at once, and leaves no trace", () =>
    Effect.gen(function* () {
      const { client } = yield* acceptedOnce()
      const first = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("1 second")
      const waiting = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(first)
      expect(yield* asked).toBe(3)
      expect((yield* client.get(reports)).status).toBe(200)
    }).pipe(Effect.provide(at((_, index) => (index === 1 ? failed(429, { "retry-after": "10" }) : ok))))
  )

  it.effect("in its backoff sends nothing more", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const fiber = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("10 minutes")
      expect(yield* asked).toBe(1)
    }).pipe(Effect.provide(at(() => failed(503))))
  )

  it.effect("during the request aborts it, and gives its turn to the next", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed({ credential: yield* credentialOf({ concurrency: 1 }) })
      const fiber = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("1 second")
      const next = yield* Effect.fork(client.get(reports))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      expect((yield* Fiber.join(next)).status).toBe(200)
      expect((yield* Gateway.requests).map(({ aborted }) => aborted)).toEqual([true, false])
    }).pipe(Effect.provide(at((_, index) => (index === 0 ? Gateway.delay(Effect.never, ok) : ok))))
  )

  it.effect("at any step of it keeps nobody waiting", () =>
    Effect.gen(function* () {
      const credential = yield* credentialOf({ concurrency: 1 })
      const { client } = yield* keyed({ credential })
      for (let steps = 0; steps < 150; steps++) {
        const fiber = yield* Effect.fork(client.get(reports))
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
      }
      const fiber = yield* Effect.fork(client.get(`${here}/last`))
      yield* TestClock.adjust("10 minutes")
      expect((yield* Fiber.join(fiber)).status).toBe(200)
    }).pipe(
      Effect.provide(
        at(({ url }, index) =>
          url.endsWith("/last") || index % 3 === 0 ? ok : index % 3 === 1 ? failed(503) : refused()
        )
      )
    )
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Beside other clients' combinators
// ---------------------------------------------------------------------------------------------------------------------

describe("it composes", () => {
  const path = HttpClientRequest.prependUrl(`${here}/v1`)

  it.effect("around a client with a base URL, as other libraries hand theirs over", () =>
    Effect.gen(function* () {
      const prepared: Array<string> = []
      const based = (yield* HttpClient.HttpClient).pipe(
        HttpClient.mapRequest(path),
        HttpClient.tapRequest(({ url }) => Effect.sync(() => prepared.push(url))),
        HttpClient.filterStatusOk
      )
      const { client } = yield* Effect.provideService(keyed(), HttpClient.HttpClient, based)
      const response = yield* get(client, "/reports")
      expect(response.request.url).toBe(reports)
      expect((yield* Gateway.requests).map(({ headers, url }) => [url, headers["authorization"]])).toEqual(
        times(2, [reports, `Bearer ${plantedKey}`])
      )
      // Once for the call, and not once more for each request.
      expect(prepared).toEqual([reports])
    }).pipe(Effect.provide(at([failed(503), ok])))
  )

  it.effect("under one", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const based = HttpClient.mapRequest(client, path)
      expect((yield* get(based, "/reports")).status).toBe(200)
      expect((yield* get(HttpClient.mapRequestInput(client, path), "/reports")).request.url).toBe(reports)
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("with filterStatusOk underneath: what is refused is told by its status all the same", () =>
    Effect.gen(function* () {
      const strict = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
      const { client } = yield* Effect.provideService(keyed(), HttpClient.HttpClient, strict)
      expect((yield* get(client)).status).toBe(200)
      const error = yield* Effect.flip(get(client))
      expect(error).toMatchObject({
        _tag: "ResponseError",
        reason: "StatusCode",
        request: { url: reports },
        response: { status: 404 },
        cause: { _tag: "InvalidRequest", provider: "acme", attempts: 1, detail: "failed with 404" }
      })
      expect(error._tag === "ResponseError" ? yield* error.response.json : undefined).toEqual({
        error: { message: "failed with 404" }
      })
      expect([(yield* gaps)[0], yield* asked]).toEqual([7000, 3])
    }).pipe(Effect.provide(at([failed(429, { "retry-after": "7" }), ok, failed(404)])))
  )

  it.effect("with a filter underneath that wants another 2xx: it is not repeated, and the key was accepted", () =>
    Effect.gen(function* () {
      const strict = HttpClient.filterStatus(yield* HttpClient.HttpClient, (status) => status === 201)
      const { client, credential } = yield* Effect.provideService(keyed(), HttpClient.HttpClient, strict)
      const error = yield* Effect.flip(get(client))
      expect(error).toMatchObject({ _tag: "ResponseError", reason: "StatusCode", response: { status: 200 } })
      expect(yield* asked).toBe(1)
      expect(yield* Ref.get(credential.knownGood)).toBe(true)
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("with filterStatusOk above", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const error = yield* Effect.flip(get(HttpClient.filterStatusOk(client)))
      expect(error).toMatchObject({ _tag: "ResponseError", response: { status: 404 }, request: { url: reports } })
    }).pipe(Effect.provide(at(() => failed(404))))
  )

  it.effect("with retryTransient above, which repeats the whole call", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed()
      const again = HttpClient.retryTransient(client, { times: 1, schedule: Schedule.spaced("1 second") })
      expect((yield* get(again)).status).toBe(503)
      expect(yield* asked).toBe(22)
    }).pipe(Effect.provide(at(() => failed(503))))
  )

  it.effect("with a client underneath that reads the answer, and takes it for something else", () =>
    Effect.gen(function* () {
      const reading = HttpClient.tap(yield* HttpClient.HttpClient, ({ json }) => json)
      const { client } = yield* Effect.provideService(keyed(), HttpClient.HttpClient, reading)
      const error = yield* Effect.flip(get(client))
      expect(error).toMatchObject({ _tag: "ResponseError", reason: "Decode", response: { status: 200 } })
      expect(yield* asked).toBe(1)
    }).pipe(Effect.provide(at(() => Gateway.text("<html>"))))
  )

  it.effect("with the tracer of the client on and off", () =>
    Effect.gen(function* () {
      const { begun: spans, tracer } = Spans.collect()
      const { client } = yield* keyed({ scheme: Credential.header("api-key") })
      yield* Effect.withTracer(client.get(reports), tracer)
      expect(spans.map(({ name }) => name)).toEqual(["knowngood.attempt", "http.client GET"])
      expect([...(spans[0]?.attributes.keys() ?? [])].sort()).toEqual(["provider", "status"])
      expect(spans[0]?.attributes.get("provider")).toBe("acme")
      expect(spans[0]?.attributes.get("status")).toBe(200)
      // Its own span shows the headers, so it is told that this one is a secret.
      expect(spans[1]?.attributes.get("http.request.header.api-key")).toBe("<redacted>")
      yield* Effect.withTracer(HttpClient.withTracerDisabledWhen(client, () => true).get(reports), tracer)
      expect(spans.slice(2).map(({ name }) => name)).toEqual(["knowngood.attempt"])
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("with itself: a provider's layer over a client that has a key", () =>
    Effect.gen(function* () {
      const { client } = yield* keyed({ scheme: Credential.header("x-proxy-key") })
      const provider = yield* Effect.provideService(
        MiMo.make({ apiKey: Redacted.make("another-key"), baseUrl: here }),
        HttpClient.HttpClient,
        client
      )
      expect((yield* patiently(provider.complete(hello))).text).toBe("Hello, world")
      expect((yield* Gateway.requests).at(-1)?.headers).toMatchObject({
        "x-proxy-key": plantedKey,
        "api-key": "another-key"
      })
    }).pipe(Effect.provide(at([failed(503), whole])))
  )

  it.effect("given the client first, or the options", () =>
    Effect.gen(function* () {
      const credential = yield* credentialOf()
      const client = yield* HttpClient.HttpClient
      expect((yield* Transport.transformClient(client, { provider: "acme", credential }).get(reports)).status).toBe(200)
      expect(
        (yield* client.pipe(Transport.transformClient({ provider: "acme", credential })).get(reports)).status
      ).toBe(200)
    }).pipe(Effect.provide(at(() => ok)))
  )

  it("needs nothing, and fails with nothing but what an HttpClient fails with", () => {
    expectTypeOf<ReturnType<typeof Transport.transformClient>>().toEqualTypeOf<
      (client: HttpClient.HttpClient) => HttpClient.HttpClient
    >()
    type Get = ReturnType<HttpClient.HttpClient["get"]>
    expectTypeOf<Effect.Effect.Context<Get>>().toBeNever()
    expectTypeOf<Effect.Effect.Error<Get>>().toEqualTypeOf<HttpClientError.HttpClientError>()
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Clients that are not what they should be
// ---------------------------------------------------------------------------------------------------------------------

describe("a client", () => {
  const around = (client: HttpClient.HttpClient, options: Partial<Options> = {}) =>
    Effect.provideService(keyed(options), HttpClient.HttpClient, client)

  it.effect("that dies lets the call die, and the next one go", () =>
    Effect.gen(function* () {
      let calls = 0
      const dying = HttpClient.make((request) =>
        calls++ < 3
          ? Effect.die(new Error("a mistake"))
          : Effect.succeed(HttpClientResponse.fromWeb(request, new Response("{}")))
      )
      const { client } = yield* around(dying, { credential: yield* credentialOf({ concurrency: 1 }) })
      for (let call = 0; call < 3; call++) {
        const exit = yield* Effect.exit(client.get(reports))
        expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
      }
      expect((yield* client.get(reports)).status).toBe(200)
    })
  )

  for (const status of [200, 503]) {
    it.effect(`that gives one response twice, ${status}`, () =>
      Effect.gen(function* () {
        let same: HttpClientResponse.HttpClientResponse | undefined
        const forgetful = HttpClient.make((request) =>
          Effect.sync(() => (same ??= HttpClientResponse.fromWeb(request, new Response("once", { status }))))
        )
        const { client } = yield* around(forgetful)
        const first = yield* get(client)
        const second = yield* get(client)
        expect([first.status, second.status]).toEqual([status, status])
        if (status === 200) expect([yield* first.text, yield* second.text]).toEqual(["once", "once"])
      })
    )
  }

  it.effect("that shows one whole only, and not its halves", () =>
    Effect.gen(function* () {
      const inner = yield* HttpClient.HttpClient
      const whole: HttpClient.HttpClient = Object.assign(Object.create(Object.getPrototypeOf(inner)), {
        execute: inner.execute
      })
      const { client } = yield* around(whole)
      expect((yield* client.get(reports)).status).toBe(200)
      expect((yield* Gateway.requests)[0]?.headers["authorization"]).toBe(`Bearer ${plantedKey}`)
    }).pipe(Effect.provide(at(() => ok)))
  )

  it.effect("that is asked ten thousand times", () =>
    Effect.gen(function* () {
      const { client, credential } = yield* around(
        HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response("{}"))))
      )
      const statuses = yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, i) => i),
        (i) => Effect.map(client.get(`${reports}/${i}`), ({ status }) => status),
        { concurrency: 64 }
      )
      expect(statuses.every((status) => status === 200)).toBe(true)
      expect(yield* Ref.get(credential.knownGood)).toBe(true)
    })
  )

  it.effect("with headers that no response of the platform's has", () =>
    Effect.gen(function* () {
      const odd = HttpClient.make((request) =>
        Effect.sync(() => {
          const response = HttpClientResponse.fromWeb(request, new Response("odd", { status: 400 }))
          const headers = Headers.unsafeFromRecord({ "content-type": "text/ünï\ncode", "x y": "z" })
          return Object.create(response, { headers: { value: headers } })
        })
      )
      const { client } = yield* around(odd)
      const response = yield* client.get(reports)
      expect([response.status, yield* response.text, response.headers["x y"]]).toEqual([400, "odd", "z"])
    })
  )
})
