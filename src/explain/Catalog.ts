/**
 * What a language has to say: a text for each literal of the errors. The types are complete, so a catalog that leaves
 * one out does not compile, and neither does one of yours once the SDK learns a new one.
 */
import type * as ProviderError from "../ProviderError.js"
import type { RetryNotice } from "../RetryObserver.js"

/** The words for one error. `Explain.explain` adds the sentences that any error may need. */
export interface Words {
  /** A few words, without a full stop. */
  readonly title: string
  /**
   * What happened, in complete sentences. Where the error has no `status`, no server answered, so nothing may be
   * described as a server's words or deeds.
   */
  readonly detail: string
  /** What the reader can do, in complete sentences. */
  readonly action: string
}

/** Puts an error into words. `provider` is the provider's name as it writes it itself, or its id. */
export type Say<E> = (error: E, provider: string) => Words

/** One `Say` for each literal. */
export type SayEach<Literal extends string, E> = { readonly [literal in Literal]: Say<E> }

/** Where a key was looked for. It is known to whoever has set it, and not to the clients of a service. */
export interface Source {
  /** By default the name of an environment variable. */
  readonly source: string
}

/** A key that was sent. */
export interface Sent extends Source {
  /** The first 8 hex digits of its SHA-256. */
  readonly fingerprint: string
}

/** Why a host's certificate cannot be verified. */
export type CertificateFault =
  | "SelfSigned"
  | "UnknownIssuer"
  | "Expired"
  | "NotYetValid"
  | "WrongHost"
  | "Revoked"
  /** Another reason, or an unknown one. */
  | "Other"

/**
 * One language. Pass it to `Explain.explain` and `Explain.retrying`.
 *
 * @example
 * import type { Catalog } from "knowngood/explain/Catalog"
 * import { en } from "knowngood/explain/en"
 *
 * // English, but one sentence is worded differently.
 * const own: Catalog = { ...en, meanwhile: "Please wait." }
 */
export interface Catalog {
  /** By why there is no usable key. `Asked`: no key is configured, and the server wants one. */
  readonly AuthMissing: SayEach<ProviderError.KeyProblem | "Asked", ProviderError.AuthMissing & Source>
  /**
   * By whether the key is known good. One that is not may still have worked in the past: it stops being known good when
   * it is refused too often. `wait` is the sentence of `waitFor` if the server asked for a wait; the action includes it.
   */
  readonly AuthRejected: {
    readonly [standing in "notKnownGood" | "knownGood"]: (
      error: ProviderError.AuthRejected & Sent,
      provider: string,
      wait: string | undefined
    ) => Words
  }
  /**
   * Used instead of `AuthMissing` and `AuthRejected` where the key is not the reader's: in the error that a service tells
   * its clients, made by `ProviderError.toClient`, which does not say where the key is from. `wait` is as above.
   */
  readonly withheld: {
    readonly [standing in "missing" | "notKnownGood" | "knownGood"]: (
      provider: string,
      wait: string | undefined
    ) => Words
  }
  /** By reason. If the error has a `retryAfter`, `waitFor` replaces the action. */
  readonly Transient: SayEach<ProviderError.TransientReason, ProviderError.Transient>
  /** Used instead of `Transient` where one of the SDK's own timeouts ran out. */
  readonly clock: SayEach<ProviderError.TransientClock, ProviderError.Transient>
  /** The balance or the plan's quota is used up. */
  readonly QuotaExceeded: Say<ProviderError.QuotaExceeded>
  /** By reason, where the server refused the request. */
  readonly InvalidRequest: SayEach<ProviderError.InvalidRequestReason, ProviderError.InvalidRequest>
  /** Used instead of `InvalidRequest` where the SDK found the problem itself. */
  readonly problem: SayEach<
    Exclude<ProviderError.InvalidRequestProblem, "UntrustedCertificate">,
    ProviderError.InvalidRequest
  >
  /** The problem `UntrustedCertificate`, by what is wrong with the certificate. */
  readonly certificate: SayEach<CertificateFault, ProviderError.InvalidRequest>
  /** By reason. */
  readonly InvalidResponse: SayEach<ProviderError.InvalidResponseReason, ProviderError.InvalidResponse>
  /** How many requests were made. Called only for two or more. */
  readonly tried: (requests: number) => string
  /** The key looks like one for these hosts. It was sent to another, which has never accepted it. */
  readonly keyForOtherHost: (hosts: ReadonlyArray<string>) => string
  /** Quotes the server. Called only if a server answered. */
  readonly said: (detail: string) => string
  /** Output had already reached the caller, so the call was not repeated. */
  readonly brokeOff: string
  /** "Try again in …" */
  readonly waitFor: (seconds: number) => string
  /** "Retrying 1 of 2 in 0.6 s". `seconds` is the time that remains. */
  readonly retrying: (notice: RetryNotice, seconds: number) => string
  /** The cause of a retry, in one short sentence. `knownGood`: a key that was accepted before has been refused. */
  readonly because: {
    readonly [reason in ProviderError.TransientReason | "knownGood"]: (status: number | undefined) => string
  }
  /** Separates two sentences. */
  readonly space: string
  /** What to do while a retry is under way: nothing. */
  readonly meanwhile: string
}

/**
 * The providers' names as they write them themselves, by id. Every preset has one; `Explain` shows the id of any other
 * provider.
 *
 * @internal
 */
export const displayNames: ReadonlyMap<string, string> = new Map([
  ["mimo", "MiMo"],
  ["deepseek", "DeepSeek"],
  ["minimax", "MiniMax"],
  ["anthropic", "Anthropic"],
  ["openai", "OpenAI"]
])
