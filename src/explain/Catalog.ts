/**
 * What a language has to say: a text for each tag and reason. The type is complete, so a catalog that leaves one out
 * does not compile.
 */
import type * as ProviderError from "../ProviderError.js"
import type { RetryNotice } from "../RetryObserver.js"

/** One explanation, without what is said of every error. */
export interface Words {
  /** A few words, without a full stop. */
  readonly title: string
  /** What happened. */
  readonly detail: string
  /** What the reader can do. */
  readonly action: string
}

type Say<E> = (error: E, provider: string) => Words

export interface Catalog {
  /** No key, by why there is none; `Asked`: the server wants one, and none is configured. */
  readonly AuthMissing: { readonly [problem in ProviderError.KeyProblem | "Asked"]: Say<ProviderError.AuthMissing> }
  readonly AuthRejected: {
    readonly neverAccepted: Say<ProviderError.AuthRejected>
    readonly acceptedBefore: Say<ProviderError.AuthRejected>
  }
  readonly Transient: { readonly [reason in ProviderError.TransientReason]: Say<ProviderError.Transient> }
  readonly QuotaExceeded: Say<ProviderError.QuotaExceeded>
  readonly InvalidRequest: {
    readonly [reason in ProviderError.InvalidRequestReason]: Say<ProviderError.InvalidRequest>
  }
  readonly InvalidResponse: Say<ProviderError.InvalidResponse>
  /** How many requests were made. Only called for two or more: one request is no retry. */
  readonly tried: (requests: number) => string
  /** The look of the key says that it belongs to other hosts than the one it was sent to. */
  readonly keyForOtherHost: (hosts: ReadonlyArray<string>) => string
  /** The server's own words. */
  readonly said: (detail: string) => string
  /** The answer had begun when it broke off. */
  readonly brokeOff: string
  /** "try again in …" */
  readonly waitFor: (seconds: number) => string
  /** "retrying 1 of 2 in 0.6 s" */
  readonly retrying: (notice: RetryNotice, seconds: number) => string
  /** Why it is retried, in half a sentence. */
  readonly because: (error: ProviderError.ProviderError) => string
  /** What stands between two sentences, and between a retry and its reason. */
  readonly space: string
  readonly colon: string
  /** What to do while a retry is under way: nothing. */
  readonly meanwhile: string
}
