/**
 * Errors for a program's own tests. Each has facts that fit together: a status that goes with the reason, and an entry
 * of history for each request. Whatever is said of an error takes the place of that.
 */
import * as ProviderError from "../ProviderError.js"

/** The facts of an error that a test may say. Every one has a default. */
export type Facts<Error extends new (facts: never) => ProviderError.ProviderError> = Partial<
  Error extends new (facts: infer F, ...rest: never) => ProviderError.ProviderError ? F : never
>

type Common = Facts<typeof ProviderError.QuotaExceeded>

const source = "TEST_API_KEY"

/** What every error has, with one entry of history for each request. */
const common = (reason: string, facts: Common, status: number | undefined, attempts = 1) => {
  const made = facts.attempts ?? attempts
  const answered = "status" in facts ? facts.status : status
  const told = answered === undefined ? undefined : { status: answered }
  const history = Array.from({ length: Math.max(0, made) }, () => ({ reason, ...told }))
  return { provider: "test", attempts: made, history, emitted: false, ...told }
}

/**
 * No key. By default none is configured and nothing was sent; with a `status`, a server asked for one.
 *
 * @example
 * const error = Errors.authMissing({ source: "MIMO_API_KEY", problem: "Blank" })
 */
export const authMissing = (facts: Facts<typeof ProviderError.AuthMissing> = {}): ProviderError.AuthMissing =>
  new ProviderError.AuthMissing({
    ...common("AuthMissing", facts, undefined, facts.status === undefined ? 0 : 1),
    source,
    problem: "Absent",
    ...facts
  })

/**
 * A refused key: by default with 401, and never accepted before. One that is `knownGood` was refused three times.
 *
 * @example
 * const error = Errors.authRejected({ knownGood: true })
 */
export const authRejected = (facts: Facts<typeof ProviderError.AuthRejected> = {}): ProviderError.AuthRejected =>
  new ProviderError.AuthRejected({
    ...common("AuthRejected", facts, 401, facts.knownGood === true ? 3 : 1),
    source,
    fingerprint: "00000000",
    knownGood: false,
    ...facts
  })

/**
 * Something that may pass: by default a server without room.
 *
 * @example
 * import { Duration } from "effect"
 *
 * const errors = [
 *   Errors.transient({ reason: "RateLimited", retryAfter: Duration.seconds(5) }),
 *   Errors.transient({ reason: "StreamInterrupted", emitted: true, partial: "Hel" })
 * ]
 */
export const transient = (facts: Facts<typeof ProviderError.Transient> = {}): ProviderError.Transient => {
  const { reason = "Overloaded" } = facts
  const { status, ...rest } = passing[reason]
  return new ProviderError.Transient({ ...common(reason, facts, status), ...rest, reason, ...facts })
}

interface Passing {
  readonly status: number | undefined
  readonly clock?: ProviderError.TransientClock
  readonly code?: string
}

const passing: { readonly [reason in ProviderError.TransientReason]: Passing } = {
  RateLimited: { status: 429 },
  Overloaded: { status: 503 },
  ServerError: { status: 500 },
  Conflict: { status: 409 },
  TimedOut: { status: undefined, clock: "headers" },
  Unreachable: { status: undefined, code: "ECONNREFUSED" },
  StreamInterrupted: { status: 200 },
  StreamStalled: { status: 200, clock: "idle" }
}

/**
 * Nothing is left of the balance or the plan: by default with 402.
 *
 * @example
 * import { DateTime } from "effect"
 *
 * const error = Errors.quotaExceeded({ resetsAt: DateTime.unsafeMake("2026-07-01T00:00:00Z") })
 */
export const quotaExceeded = (facts: Facts<typeof ProviderError.QuotaExceeded> = {}): ProviderError.QuotaExceeded =>
  new ProviderError.QuotaExceeded({ ...common("QuotaExceeded", facts, 402), ...facts })

/**
 * A request that cannot work: by default `BadRequest`, refused with 400. With a `problem`, it was found before anything
 * was sent.
 *
 * @example
 * const errors = [Errors.invalidRequest({ reason: "ContextOverflow" }), Errors.invalidRequest({ problem: "NoModel" })]
 */
export const invalidRequest = (
  facts: Facts<typeof ProviderError.InvalidRequest> = {}
): ProviderError.InvalidRequest => {
  const { problem, reason = "BadRequest" } = facts
  const isFoundBefore = problem !== undefined && problem !== "UntrustedCertificate"
  const status = problem === undefined ? refusedWith[reason] : undefined
  return new ProviderError.InvalidRequest({
    ...common("InvalidRequest", facts, status, isFoundBefore ? 0 : 1),
    reason,
    ...facts
  })
}

const refusedWith: { readonly [reason in ProviderError.InvalidRequestReason]: number } = {
  ContextOverflow: 400,
  ModelNotFound: 404,
  ContentFiltered: 400,
  TooLarge: 413,
  NotOffered: 404,
  BadRequest: 400
}

/**
 * An answer that is none: by default a 200 that is not the protocol.
 *
 * @example
 * const error = Errors.invalidResponse({ reason: "SchemaMismatch", mismatch: "city: expected string, got 42" })
 */
export const invalidResponse = (
  facts: Facts<typeof ProviderError.InvalidResponse> = {}
): ProviderError.InvalidResponse => {
  const { reason = "NotTheProtocol" } = facts
  const status = reason === "Redirect" ? 302 : 200
  return new ProviderError.InvalidResponse({ ...common("InvalidResponse", facts, status), reason, ...facts })
}
