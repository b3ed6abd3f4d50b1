/** What one request failed with becomes the error of its call. */
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Duration } from "effect"
import * as ProviderError from "../../src/ProviderError.js"
import * as Failure from "../../src/refusal/Failure.js"

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

/** Each of the six, with these facts and everything of its own. */
const six = (facts: ProviderError.Facts): ReadonlyArray<ProviderError.ProviderError> => [
  new ProviderError.AuthMissing({ ...facts, source: "MIMO_API_KEY", problem: "Blank" }),
  new ProviderError.AuthRejected({ ...facts, source: "MIMO_API_KEY", fingerprint: "0a1b2c3d", knownGood: true }),
  new ProviderError.Transient({ ...facts, reason: "RateLimited", retryAfter: Duration.millis(1234) }),
  new ProviderError.QuotaExceeded({ ...facts, resetsAt: DateTime.unsafeMake("2026-05-15T15:00:00Z") }),
  new ProviderError.InvalidRequest({ ...facts, reason: "ContextOverflow" }),
  new ProviderError.InvalidResponse({ ...facts, reason: "NotTheProtocol", contentType: "text/html", preview: "<html>" })
]

describe("make", () => {
  it("gives the error of each failure, with the facts of the call", () => {
    for (const error of six(full)) {
      const { attempts, history, ...failure } = { ...error }
      const made = Failure.make(failure, { attempts: 7, history: [] })
      expect(made.constructor).toBe(error.constructor)
      expect({ ...made }).toEqual({ ...failure, attempts: 7, history: [] })
    }
  })

  it("leaves out what is undefined", () => {
    const failure: Failure.Failure = { _tag: "QuotaExceeded", provider: "p", emitted: false, code: undefined }
    expect(Object.keys(Failure.make(failure, { attempts: 0, history: [] })).sort()).toEqual([
      "_tag",
      "attempts",
      "emitted",
      "history",
      "provider"
    ])
  })
})

describe("withFacts", () => {
  it("gives the same error with other facts, and does not change the first", () => {
    for (const error of six(full)) {
      const before = { ...error }
      const changed = Failure.withFacts(error, { attempts: 7, history: [], partial: "Hi" })
      expect(changed.constructor).toBe(error.constructor)
      expect({ ...changed }).toEqual({ ...before, attempts: 7, history: [], partial: "Hi" })
      expect({ ...error }).toEqual(before)
    }
  })

  it("removes a fact with undefined", () => {
    const [error] = six(full)
    if (error === undefined) throw new Error("there are six")
    const changed = Failure.withFacts(error, { partial: undefined, status: undefined })
    expect("partial" in changed || "status" in changed).toBe(false)
    expect(changed.detail).toBe("Invalid API Key")
  })
})

describe("the word for a history", () => {
  it("is the reason of a transient error, and the tag of any other", () => {
    expect(six(full).map(Failure.word)).toEqual([
      "AuthMissing",
      "AuthRejected",
      "RateLimited",
      "QuotaExceeded",
      "InvalidRequest",
      "InvalidResponse"
    ])
  })
})
