/** The six errors: they cross boundaries unchanged, are told apart by their tags, and say in one line what happened. */
import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Cause, DateTime, Duration, Effect, Equal, FastCheck as fc, Schema } from "effect"
import * as ProviderError from "../src/ProviderError.js"

const bare: ProviderError.Facts = { provider: "mimo", attempts: 0, history: [], emitted: false }

const full: ProviderError.Facts = {
  provider: "mimo",
  attempts: 2,
  history: [
    { status: 503, reason: "Overloaded", requestId: "r-1", wait: Duration.millis(625) },
    { status: 401, reason: "AuthRejected" }
  ],
  emitted: true,
  partial: "Hello, ",
  requestId: "r-2",
  status: 401,
  code: "invalid_key",
  detail: "Invalid API Key",
  shouldRetry: false
}

/** Each of the six, with these facts and all of its own. */
const six = (facts: ProviderError.Facts): ReadonlyArray<ProviderError.ProviderError> => [
  new ProviderError.AuthMissing({ ...facts, source: "MIMO_API_KEY", problem: "Blank" }),
  new ProviderError.AuthRejected({ ...facts, source: "MIMO_API_KEY", fingerprint: "0a1b2c3d", knownGood: true }),
  new ProviderError.Transient({ ...facts, reason: "RateLimited", retryAfter: Duration.millis(1234) }),
  new ProviderError.QuotaExceeded({ ...facts, resetsAt: DateTime.unsafeMake("2026-05-15T15:00:00Z") }),
  new ProviderError.InvalidRequest({ ...facts, reason: "ContextOverflow" }),
  new ProviderError.InvalidResponse({ ...facts, reason: "NotTheProtocol", contentType: "text/html", preview: "<html>" })
]

/** Over a wire and back. */
const cross = (error: ProviderError.ProviderError): ProviderError.ProviderError => {
  const sent = JSON.stringify(Schema.encodeSync(ProviderError.schema)(error))
  return Schema.decodeUnknownSync(ProviderError.schema)(JSON.parse(sent))
}

describe("an error crosses a boundary", () => {
  for (const [title, facts] of [
    ["with all facts", full],
    ["with the least facts", bare]
  ] as const) {
    for (const error of six(facts)) {
      it(`${error._tag}, ${title}`, () => {
        const crossed = cross(error)
        expect({ ...crossed }).toEqual({ ...error })
        expect(crossed.constructor).toBe(error.constructor)
        expect(crossed.message).toBe(error.message)
        expect(ProviderError.isProviderError(crossed)).toBe(true)
      })
    }
  }

  it("and its durations and dates can still be compared", () => {
    const [, , transient, quota] = six(full).map(cross)
    expect(Equal.equals(transient?._tag === "Transient" && transient.retryAfter, Duration.millis(1234))).toBe(true)
    expect(Equal.equals(transient?.history[0]?.wait, Duration.millis(625))).toBe(true)
    expect(quota?._tag === "QuotaExceeded" && quota.resetsAt && DateTime.formatIso(quota.resetsAt)).toBe(
      "2026-05-15T15:00:00.000Z"
    )
  })

  it("whatever its facts are, even an infinite wait", () => {
    const endless = Duration.infinity
    const [waited] = six({ ...full, history: [{ reason: "Overloaded", wait: endless }] })
    expect(waited === undefined ? undefined : cross(waited).history).toEqual([{ reason: "Overloaded", wait: endless }])
    fc.assert(
      fc.property(Arbitrary.make(ProviderError.schema), (error) => {
        const crossed = cross(error)
        expect(crossed.constructor).toBe(error.constructor)
        // As text: JSON has no -0.
        const encode = Schema.encodeSync(ProviderError.schema)
        expect(JSON.stringify(encode(crossed))).toBe(JSON.stringify(encode(error)))
      }),
      { numRuns: 500 }
    )
  })

  it("with every reason and problem", () => {
    for (const reason of ProviderError.TransientReason.literals) {
      expect(cross(new ProviderError.Transient({ ...bare, reason }))).toMatchObject({ reason })
    }
    for (const reason of ProviderError.InvalidRequestReason.literals) {
      expect(cross(new ProviderError.InvalidRequest({ ...bare, reason }))).toMatchObject({ reason })
    }
    for (const problem of ProviderError.KeyProblem.literals) {
      expect(cross(new ProviderError.AuthMissing({ ...bare, source: "KEY", problem }))).toMatchObject({ problem })
    }
  })

  it("unless it is none of the six", () => {
    const decode = Schema.decodeUnknownEither(ProviderError.schema)
    for (const value of [
      {},
      null,
      { _tag: "Other" },
      { _tag: "Transient" },
      { _tag: "Transient", ...bare, reason: "Bored" },
      { _tag: "QuotaExceeded", ...bare, attempts: -1 }
    ]) {
      expect(decode(value)._tag).toBe("Left")
    }
  })
})

describe("an error is recognized by its tag", () => {
  const handled = (error: ProviderError.ProviderError) =>
    Effect.fail(error).pipe(
      Effect.catchTags({
        AuthMissing: (e) => Effect.succeed(`missing ${e.problem}`),
        AuthRejected: (e) => Effect.succeed(`rejected ${e.knownGood}`),
        Transient: (e) => Effect.succeed(`transient ${e.reason}`),
        QuotaExceeded: (e) => Effect.succeed(`quota ${e.resetsAt !== undefined}`),
        InvalidRequest: (e) => Effect.succeed(`request ${e.reason}`),
        InvalidResponse: (e) => Effect.succeed(`response ${e.contentType}`)
      }),
      Effect.runSync
    )

  it("catchTags matches each, before and after it has crossed a boundary", () => {
    const expected = [
      "missing Blank",
      "rejected true",
      "transient RateLimited",
      "quota true",
      "request ContextOverflow",
      "response text/html"
    ]
    expect(six(full).map(handled)).toEqual(expected)
    expect(six(full).map(cross).map(handled)).toEqual(expected)
  })

  it("isProviderError knows the six, and nothing else", () => {
    for (const error of six(full)) expect(ProviderError.isProviderError(error)).toBe(true)
    const [first] = six(full)
    for (const other of [undefined, null, "Transient", new Error("no"), { _tag: "Transient" }, { ...first }]) {
      expect(ProviderError.isProviderError(other)).toBe(false)
    }
  })

  it("each is an Error, with a stack and a name", () => {
    for (const error of six(full)) {
      expect(error).toBeInstanceOf(Error)
      expect(error.name).toBe(error._tag)
      expect(error.stack).toContain(error._tag)
    }
  })
})

describe("the message", () => {
  const told = "401 invalid_key (requests made: 2): Invalid API Key"

  it("is one line of facts", () => {
    expect(six(full).map((error) => error.message)).toEqual([
      `mimo Blank MIMO_API_KEY ${told}`,
      `mimo key 0a1b2c3d (known good) ${told}`,
      `mimo RateLimited ${told}`,
      `mimo quota ${told}`,
      `mimo ContextOverflow ${told}`,
      `mimo NotTheProtocol text/html ${told}`
    ])
  })

  it("leaves out what is unknown", () => {
    const error = new ProviderError.AuthRejected({ ...bare, source: "KEY", fingerprint: "0a1b2c3d", knownGood: false })
    expect(error.message).toBe("mimo key 0a1b2c3d (not known good) (requests made: 0)")
    expect(new ProviderError.InvalidResponse({ ...bare, reason: "Empty" }).message).toBe(
      "mimo Empty (requests made: 0)"
    )
  })

  it("is shown by Cause.pretty and String", () => {
    for (const error of six(full)) {
      expect(Cause.pretty(Cause.fail(error))).toContain(error.message)
      expect(String(error)).toContain(error.message)
    }
  })
})
