/** Errors for tests: each of the six, with facts that fit together, and every fact can be said. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Schema } from "effect"
import { Explain, ProviderError } from "../../src/index.js"
import { Errors } from "../../src/testing/index.js"

const makers = {
  AuthMissing: Errors.authMissing,
  AuthRejected: Errors.authRejected,
  Transient: Errors.transient,
  QuotaExceeded: Errors.quotaExceeded,
  InvalidRequest: Errors.invalidRequest,
  InvalidResponse: Errors.invalidResponse
} as const

describe("an error for a test", () => {
  for (const [tag, make] of Object.entries(makers)) {
    it(`${tag}: by itself, of its class, and it crosses a border`, () => {
      const error = make()
      expect(error._tag).toBe(tag)
      expect(ProviderError.isProviderError(error)).toBe(true)
      expect(error.provider).toBe("test")
      const encoded = JSON.parse(JSON.stringify(Schema.encodeSync(ProviderError.schema)(error)))
      expect(Schema.decodeUnknownSync(ProviderError.schema)(encoded)).toEqual(error)
      expect(Explain.explain(error).detail.length).toBeGreaterThan(0)
    })

    it(`${tag}: there is one entry of history for each request that was made`, () => {
      for (const attempts of [0, 1, 3]) {
        const error = make({ attempts })
        expect([error.attempts, error.history.length]).toEqual([attempts, attempts])
      }
      expect(make().history.length).toBe(make().attempts)
      expect(make({ attempts: 2, history: [] }).history).toEqual([])
    })

    it(`${tag}: every common fact can be said, and said to be missing`, () => {
      const facts = {
        provider: "mimo",
        attempts: 2,
        history: [{ status: 500, reason: "ServerError" }],
        emitted: true,
        partial: "Hel",
        requestId: "r-1",
        status: 418,
        code: "c",
        detail: "d",
        shouldRetry: false
      }
      expect({ ...make(facts) }).toMatchObject(facts)
      expect(make({ status: undefined, detail: undefined }).status).toBeUndefined()
    })
  }

  it("can be failed with as it is", () => {
    const error = Errors.transient()
    expect(Effect.runSyncExit(error)).toEqual(Exit.fail(error))
  })

  for (const reason of ProviderError.TransientReason.literals) {
    it(`Transient, ${reason}: with the status, the clock and the code that go with it`, () => {
      const { clock, code, emitted, history, status } = Errors.transient({ reason })
      expect({ clock, code, emitted, status, said: history[0] }).toEqual({
        clock: undefined,
        code: undefined,
        emitted: false,
        ...{
          RateLimited: { status: 429 },
          Overloaded: { status: 503 },
          ServerError: { status: 500 },
          Conflict: { status: 409 },
          TimedOut: { status: undefined, clock: "headers" },
          Unreachable: { status: undefined, code: "ECONNREFUSED" },
          StreamInterrupted: { status: 200 },
          StreamStalled: { status: 200, clock: "idle" }
        }[reason],
        said: { reason, ...(status === undefined ? undefined : { status }) }
      })
    })
  }

  for (const reason of ProviderError.InvalidRequestReason.literals) {
    it(`InvalidRequest, ${reason}: one request, refused`, () => {
      const error = Errors.invalidRequest({ reason })
      expect([error.attempts, error.reason]).toEqual([1, reason])
      expect(error.status).toBe(
        {
          ModelNotFound: 404,
          NotOffered: 404,
          TooLarge: 413,
          ContextOverflow: 400,
          ContentFiltered: 400,
          BadRequest: 400
        }[reason]
      )
    })
  }

  it("InvalidRequest with a problem that was found before anything was sent: no request, no status", () => {
    const error = Errors.invalidRequest({ problem: "NoModel" })
    expect([error.attempts, error.history, error.status, error.reason]).toEqual([0, [], undefined, "BadRequest"])
    expect(Errors.invalidRequest({ problem: "UntrustedCertificate" }).attempts).toBe(1)
  })

  for (const reason of ProviderError.InvalidResponseReason.literals) {
    it(`InvalidResponse, ${reason}: an answer with a status that fits`, () => {
      expect(Errors.invalidResponse({ reason }).status).toBe(reason === "Redirect" ? 302 : 200)
    })
  }

  it("AuthMissing: nothing was sent; where a server asked for a key, a request and its status", () => {
    expect({ ...Errors.authMissing() }).toMatchObject({ attempts: 0, problem: "Absent", source: "TEST_API_KEY" })
    expect(Errors.authMissing().status).toBeUndefined()
    expect(Errors.authMissing({ status: 401 })).toMatchObject({ attempts: 1, status: 401 })
  })

  it("AuthRejected: a key that was never accepted, unless it is said to have been", () => {
    expect(Errors.authRejected()).toMatchObject({ status: 401, knownGood: false, attempts: 1 })
    expect(Errors.authRejected({ knownGood: true }).attempts).toBe(3)
  })

  it("what belongs to one tag alone can be said, too", () => {
    const { retryAfter } = Errors.transient({ reason: "RateLimited", retryAfter: Duration.seconds(5) })
    expect(Duration.toMillis(retryAfter ?? 0)).toBe(5000)
    expect(Errors.invalidResponse({ reason: "SchemaMismatch", mismatch: "a: b" }).mismatch).toBe("a: b")
  })

  it("a fact that the class does not allow throws where the test is written", () => {
    expect(() => Errors.transient({ attempts: -1 })).toThrow()
  })
})
