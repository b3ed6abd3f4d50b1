/** The errors of a service: the status that each answers with, and what of it may leave the house. */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiSchema,
  HttpClient
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Cause, DateTime, Duration, Effect, FastCheck as fc, Layer, Schema } from "effect"
import * as Explain from "../src/Explain.js"
import { en } from "../src/explain/en.js"
import { zh } from "../src/explain/zh.js"
import * as ProviderError from "../src/ProviderError.js"
import { runs } from "./Effort.js"

const facts: ProviderError.Facts = { provider: "mimo", attempts: 1, history: [], emitted: false }
const key = { source: "MIMO_API_KEY", fingerprint: "0a1b2c3d" }

const transient = (reason: ProviderError.TransientReason, retryAfter?: Duration.DurationInput) =>
  new ProviderError.Transient({
    ...facts,
    reason,
    ...(retryAfter === undefined ? undefined : { retryAfter: Duration.decode(retryAfter) })
  })
const invalid = (reason: ProviderError.InvalidRequestReason, problem?: ProviderError.InvalidRequestProblem) =>
  new ProviderError.InvalidRequest({ ...facts, reason, ...(problem === undefined ? undefined : { problem }) })

/** Errors of every class, and for each status that a class can have. */
const answered: ReadonlyArray<readonly [status: number, error: ProviderError.ProviderError]> = [
  [503, new ProviderError.AuthMissing({ ...facts, source: key.source, problem: "Absent" })],
  [502, new ProviderError.AuthRejected({ ...facts, ...key, knownGood: true })],
  [429, transient("RateLimited")],
  [429, transient("RateLimited", "1200 millis")],
  [503, transient("Overloaded", "7 seconds")],
  [503, transient("Unreachable")],
  [402, new ProviderError.QuotaExceeded({ ...facts, resetsAt: DateTime.unsafeMake("2026-05-15T15:00:00Z") })],
  [400, invalid("BadRequest")],
  [400, invalid("ModelNotFound")],
  [400, invalid("BadRequest", "NoModel")],
  [400, invalid("BadRequest", "Unsupported")],
  [413, invalid("TooLarge")],
  [413, invalid("ContextOverflow")],
  [422, invalid("ContentFiltered")],
  [500, invalid("NotOffered")],
  [500, invalid("BadRequest", "BadBaseUrl")],
  [500, invalid("BadRequest", "InsecureBaseUrl")],
  [500, invalid("BadRequest", "ForeignCredential")],
  [500, invalid("BadRequest", "BadHeader")],
  [500, invalid("BadRequest", "BadSchema")],
  [500, invalid("BadRequest", "UntrustedCertificate")],
  [502, new ProviderError.InvalidResponse({ ...facts, reason: "Empty" })]
]

const classes = [
  [503, ProviderError.AuthMissing],
  [502, ProviderError.AuthRejected],
  [503, ProviderError.Transient],
  [402, ProviderError.QuotaExceeded],
  [400, ProviderError.InvalidRequest],
  [502, ProviderError.InvalidResponse]
] as const

describe("the HTTP status of an error", () => {
  for (const [status, error] of answered) {
    it(`is ${status} for ${error.message}`, () => {
      expect(ProviderError.httpStatus(error)).toBe(status)
    })
  }

  for (const [status, schema] of classes) {
    it(`is ${status} by the annotation of ${schema._tag}`, () => {
      expect(HttpApiSchema.getStatusErrorAST(schema.ast)).toBe(status)
    })
  }

  it("is an error's status, whatever the error", () => {
    fc.assert(
      fc.property(Arbitrary.make(ProviderError.schema), (error) => {
        expect([400, 402, 413, 422, 429, 500, 502, 503]).toContain(ProviderError.httpStatus(error))
      }),
      { numRuns: runs(100) }
    )
  })
})

describe("the headers of an error", () => {
  it("say when to try again, in whole seconds and never too early, where the server asked for a wait", () => {
    const waiting = (wait: Duration.DurationInput) => ProviderError.httpHeaders(transient("RateLimited", wait))
    expect(waiting("1200 millis")).toEqual({ "retry-after": "2" })
    expect(waiting("7 seconds")).toEqual({ "retry-after": "7" })
    expect(waiting(0)).toEqual({ "retry-after": "0" })
    const refused = new ProviderError.AuthRejected({
      ...facts,
      ...key,
      knownGood: true,
      retryAfter: Duration.seconds(3)
    })
    expect(ProviderError.httpHeaders(refused)).toEqual({ "retry-after": "3" })
  })

  it("say nothing where it did not, or where the wait has no end", () => {
    const silent = [transient("RateLimited"), transient("Overloaded", Duration.infinity), invalid("BadRequest")]
    for (const error of silent) expect(ProviderError.httpHeaders(error)).toEqual({})
  })
})

/** Fails with the error of this number. */
class Failing extends HttpApiGroup.make("failing").add(
  HttpApiEndpoint.get("fail", "/fail")
    .setUrlParams(Schema.Struct({ at: Schema.NumberFromString }))
    .addSuccess(Schema.String)
    .addError(ProviderError.schema)
) {}

const Api = HttpApi.make("api").add(Failing)

const api = HttpApiBuilder.serve().pipe(
  Layer.provide(
    HttpApiBuilder.api(Api).pipe(
      Layer.provide(
        HttpApiBuilder.group(Api, "failing", (handlers) =>
          handlers.handle("fail", ({ urlParams }) => {
            const [, error] = answered[urlParams.at] ?? []
            return error === undefined ? Effect.succeed("nothing") : Effect.fail(error)
          })
        )
      )
    )
  ),
  Layer.provideMerge(NodeHttpServer.layerTest)
)

describe("an HttpApi that declares ProviderError.schema", () => {
  it.live("answers each error by its status, and the client gets the same class with the same facts", () =>
    Effect.gen(function* () {
      const statuses: Array<number> = []
      const client = yield* HttpApiClient.make(Api, {
        transformClient: HttpClient.tap((response) => Effect.sync(() => void statuses.push(response.status)))
      })
      for (const [at, [, error]] of answered.entries()) {
        const failed = yield* Effect.flip(client.failing.fail({ urlParams: { at } }))
        expect(failed.constructor).toBe(error.constructor)
        expect({ ...failed }).toEqual({ ...error })
      }
      expect(statuses).toEqual(answered.map(([status]) => status))
    }).pipe(Effect.provide(api))
  )
})

const mark = "MARK-7f3a"

/** What tells of the key, of the machine that holds it, or of what is between them; in each, the mark. */
const telling: Record<string, unknown> = {
  source: mark,
  fingerprint: mark,
  hint: "KeyForOtherHost",
  hosts: [`${mark}.example`],
  history: [{ status: 401, reason: mark, requestId: mark, wait: Duration.seconds(1) }],
  detail: `in organization ${mark}`,
  subject: mark,
  location: `https://${mark}.internal/login`,
  preview: `<html>your address is ${mark}`
}

/** The error with every fact that tells something, as far as its class has it. */
const told = (error: ProviderError.ProviderError): ProviderError.ProviderError => {
  const own = { ...telling, problem: error._tag === "InvalidRequest" ? "BadHeader" : "Absent" }
  const has = (field: string) => classes.some(([, schema]) => schema._tag === error._tag && field in schema.fields)
  const encoded = Object.fromEntries(Object.entries({ ...error, ...own }).filter(([field]) => has(field)))
  return Schema.validateSync(ProviderError.schema)(Object.assign(Object.create(Object.getPrototypeOf(error)), encoded))
}

const arbitrary = Arbitrary.make(ProviderError.schema)

describe("the view of an error for a client", () => {
  const { toClient } = ProviderError

  it("is of the same tag and class, and crosses", () => {
    fc.assert(
      fc.property(arbitrary, (error) => {
        const view = toClient(error)
        expect(view._tag).toBe(error._tag)
        expect(view.constructor).toBe(error.constructor)
        const sent = JSON.stringify(Schema.encodeSync(ProviderError.schema)(view))
        const crossed = Schema.decodeUnknownSync(ProviderError.schema)(JSON.parse(sent))
        expect(crossed.constructor).toBe(error.constructor)
        expect({ ...toClient(crossed) }).toEqual({ ...crossed })
      }),
      { numRuns: runs(100) }
    )
  })

  it("of a view is the view", () => {
    fc.assert(
      fc.property(arbitrary, (error) => {
        expect({ ...toClient(toClient(error)) }).toEqual({ ...toClient(error) })
      }),
      { numRuns: runs(100) }
    )
  })

  it("answers by the same status and headers", () => {
    for (const [status, error] of answered) {
      expect(ProviderError.httpStatus(toClient(error))).toBe(status)
      expect(ProviderError.httpHeaders(toClient(error))).toEqual(ProviderError.httpHeaders(error))
    }
  })

  it("tells nothing of the key or the machine, however the view is shown", () => {
    fc.assert(
      fc.property(arbitrary, (any) => {
        const error = told(any)
        expect(JSON.stringify(Schema.encodeSync(ProviderError.schema)(error))).toContain(mark)
        const view = toClient(error)
        const shown = [
          JSON.stringify(Schema.encodeSync(ProviderError.schema)(view)),
          JSON.stringify(view),
          String(view),
          Cause.pretty(Cause.fail(view)),
          ...[en, zh].map((catalog) => JSON.stringify(Explain.explain(view, catalog)))
        ]
        for (const text of shown) expect(text).not.toContain(mark)
      }),
      { numRuns: runs(100) }
    )
  })

  it("keeps what a UI shows: the reason, the wait, the text so far, the provider, the request's id", () => {
    const error = new ProviderError.Transient({
      ...facts,
      reason: "StreamStalled",
      clock: "idle",
      retryAfter: Duration.seconds(3),
      emitted: true,
      partial: "Because",
      requestId: "r-1",
      status: 200,
      code: "x"
    })
    expect({ ...toClient(error) }).toEqual({ ...error })
    const unsupported = new ProviderError.InvalidRequest({
      ...facts,
      reason: "BadRequest",
      problem: "Unsupported",
      subject: "temperature"
    })
    expect(toClient(unsupported)).toMatchObject({ problem: "Unsupported", subject: "temperature" })
  })

  it("has words that speak of no key of the reader's", () => {
    for (const [, error] of answered) {
      for (const catalog of [en, zh]) {
        const { action, detail, title } = Explain.explain(toClient(error), catalog)
        for (const text of [action, detail, title]) {
          expect(text.trim()).not.toBe("")
          expect(text).not.toMatch(/undefined|MIMO_API_KEY|0a1b2c3d/)
        }
      }
    }
    const missing = Explain.explain(toClient(new ProviderError.AuthMissing({ ...facts, ...key, problem: "Absent" })))
    expect(missing.detail).toBe("The service that you use has no API key for MiMo that can be sent.")
    expect(missing.action).toBe("Tell whoever runs the service.")
  })
})
