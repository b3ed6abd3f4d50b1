/**
 * What a language has to say: a text for each literal of the errors. The types are complete, so a catalog that leaves
 * one out does not compile, and neither does one of yours when the SDK learns a new one.
 */
import type * as ProviderError from "../ProviderError.js"
import type { RetryNotice } from "../RetryObserver.js"

/** One explanation, without what is said of every error. */
export interface Words {
  /** A few words, without a full stop. */
  readonly title: string
  /**
   * What happened, in whole sentences. Nothing is said to have been done or said by a server where the error has no
   * `status`: then none answered.
   */
  readonly detail: string
  /** What the reader can do, in whole sentences. */
  readonly action: string
}

type Say<E> = (error: E, provider: string) => Words

type SayEach<Literal extends string, E> = { readonly [literal in Literal]: Say<E> }

/** Why a host's certificate cannot be verified. */
export type CertificateFault =
  | "SelfSigned"
  | "UnknownIssuer"
  | "Expired"
  | "NotYetValid"
  | "WrongHost"
  | "Revoked"
  /** For another reason, or for none that is known. */
  | "Other"

export interface Catalog {
  /** No key, by why there is none; `Asked`: the server wants one, and none is configured. */
  readonly AuthMissing: SayEach<ProviderError.KeyProblem | "Asked", ProviderError.AuthMissing>
  /** By whether the key is known good. One that is not may have worked all the same, before it was refused too often. */
  readonly AuthRejected: SayEach<"notKnownGood" | "knownGood", ProviderError.AuthRejected>
  readonly Transient: SayEach<ProviderError.TransientReason, ProviderError.Transient>
  /** Instead of the reason, where a clock of the SDK's ran out. */
  readonly clock: SayEach<ProviderError.TransientClock, ProviderError.Transient>
  readonly QuotaExceeded: Say<ProviderError.QuotaExceeded>
  readonly InvalidRequest: SayEach<ProviderError.InvalidRequestReason, ProviderError.InvalidRequest>
  /** Instead of the reason, where the SDK found what is wrong. */
  readonly problem: SayEach<
    Exclude<ProviderError.InvalidRequestProblem, "UntrustedCertificate">,
    ProviderError.InvalidRequest
  >
  /** The problem `UntrustedCertificate`, by what is wrong with the certificate. */
  readonly certificate: SayEach<CertificateFault, ProviderError.InvalidRequest>
  readonly InvalidResponse: SayEach<ProviderError.InvalidResponseReason, ProviderError.InvalidResponse>
  /** How many requests were made. Only called for two or more: one request is no retry. */
  readonly tried: (requests: number) => string
  /** The look of the key says that it belongs to other hosts than the one it was sent to. */
  readonly keyForOtherHost: (hosts: ReadonlyArray<string>) => string
  /** The server's own words. Only called where a server answered. */
  readonly said: (detail: string) => string
  /** The answer had begun when it broke off. */
  readonly brokeOff: string
  /** "try again in …" */
  readonly waitFor: (seconds: number) => string
  /** "retrying 1 of 2 in 0.6 s" */
  readonly retrying: (notice: RetryNotice, seconds: number) => string
  /** Why it is retried, in one short sentence; `knownGood`: a key was refused that has been accepted before. */
  readonly because: {
    readonly [reason in ProviderError.TransientReason | "knownGood"]: (status: number | undefined) => string
  }
  /** What stands between two sentences. */
  readonly space: string
  /** What to do while a retry is under way: nothing. */
  readonly meanwhile: string
}
