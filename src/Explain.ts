/**
 * Errors and retries in words, in any language that has a catalog. The words are true: a server is said to have done
 * something only where one answered.
 */
import * as Duration from "effect/Duration"
import {
  type Catalog,
  type CertificateFault,
  displayNames,
  type Sent,
  type Source,
  type Words
} from "./explain/Catalog.js"
import { en } from "./explain/en.js"
import type * as ProviderError from "./ProviderError.js"
import type { RetryNotice } from "./RetryObserver.js"
import * as Failure from "./refusal/Failure.js"

/** A title, what happened, what to do about it, and how long to wait first. */
export interface Explanation extends Words {
  /** How long to wait before trying again, for a UI that counts down. Absent if there is no reason to wait. */
  readonly retryAfter?: Duration.Duration
}

/**
 * What happened, and what the reader can do about it. The default catalog is English; `knowngood/explain/zh` has
 * Chinese. No text contains a key: the server's words are quoted from `error.detail`, which is scrubbed.
 *
 * @example
 * import { Effect } from "effect"
 * import { Chat, Explain, Provider } from "knowngood"
 *
 * const answer = Provider.complete({ messages: [Chat.user("Why is the sky blue?")] }).pipe(
 *   Effect.tapError((error) => {
 *     const { action, detail, title } = Explain.explain(error)
 *     return Effect.logError(`${title}. ${detail} ${action}`)
 *   })
 * )
 */
export const explain = (error: ProviderError.ProviderError, catalog: Catalog = en): Explanation => {
  const known = withoutFalseStatus(error)
  const { action, detail, title } = words(known, catalog)
  const sentences = [
    detail,
    ...(looksForeign(known) ? [catalog.keyForOtherHost(known.hosts)] : []),
    ...(known.attempts > 1 ? [catalog.tried(known.attempts)] : []),
    ...(known.emitted ? [catalog.brokeOff] : []),
    // Without a status there was no answer, so `detail` would not be a server's.
    ...(known.status === undefined || !known.detail?.trim() ? [] : [catalog.said(known.detail)])
  ]
  const retryAfter = "retryAfter" in known ? known.retryAfter : undefined
  return {
    title,
    detail: sentences.join(catalog.space),
    action,
    ...(retryAfter === undefined ? undefined : { retryAfter })
  }
}

/**
 * A retry that is about to happen: "Retrying 1 of 2 in 0.6 s" as the title, and why as the detail.
 *
 * @param remaining The time left until the retry, for a countdown. Default: the whole of `notice.delay`.
 *
 * @example
 * import { Effect } from "effect"
 * import { Explain, RetryObserver } from "knowngood"
 *
 * const observer = {
 *   onRetry: (notice: RetryObserver.RetryNotice) => {
 *     const { detail, title } = Explain.retrying(notice)
 *     return Effect.logInfo(`${title}. ${detail}`)
 *   }
 * }
 * const observed = Effect.provideService(RetryObserver.RetryObserver, observer)
 */
export const retrying = (
  notice: RetryNotice,
  catalog: Catalog = en,
  remaining: Duration.DurationInput = notice.delay
): Explanation => {
  const retryAfter = Duration.decode(remaining)
  return {
    title: catalog.retrying(notice, Duration.toSeconds(retryAfter)),
    detail: because(withoutFalseStatus(notice.error), catalog),
    action: catalog.meanwhile,
    retryAfter
  }
}

/** A call that sent nothing got no answer, whatever its `status` says. */
const withoutFalseStatus = (error: ProviderError.ProviderError): ProviderError.ProviderError =>
  error.attempts === 0 && error.status !== undefined ? Failure.withFacts(error, { status: undefined }) : error

/** The form of a key is only a guess, and an accepted key has disproved it. */
const looksForeign = (
  error: ProviderError.ProviderError
): error is ProviderError.AuthRejected & { readonly hosts: ReadonlyArray<string> } =>
  error._tag === "AuthRejected" && !error.knownGood && error.hosts !== undefined

/** Whoever does not know where the key is from did not set it. */
const hasSource = (error: ProviderError.AuthMissing): error is ProviderError.AuthMissing & Source =>
  error.source !== undefined

const hasKey = (error: ProviderError.AuthRejected): error is ProviderError.AuthRejected & Sent =>
  error.source !== undefined && error.fingerprint !== undefined

/**
 * Only what the standard policy retries has a short form. A program's own policy may retry anything else, and then the
 * full sentence is given. Every tag is listed, so that a new one does not compile before somebody has decided.
 */
const because = (error: ProviderError.ProviderError, catalog: Catalog): string => {
  switch (error._tag) {
    case "Transient":
      return catalog.because[error.reason](error.status)
    case "AuthRejected":
      return error.knownGood ? catalog.because.knownGood(error.status) : words(error, catalog).detail
    case "AuthMissing":
    case "QuotaExceeded":
    case "InvalidRequest":
    case "InvalidResponse":
      return words(error, catalog).detail
  }
}

const words = (error: ProviderError.ProviderError, catalog: Catalog): Words => {
  const provider = displayNames.get(error.provider) ?? error.provider
  switch (error._tag) {
    case "AuthMissing":
      return hasSource(error)
        ? catalog.AuthMissing[error.status === undefined ? error.problem : "Asked"](error, provider)
        : catalog.withheld.missing(provider, undefined)
    case "AuthRejected": {
      const standing = error.knownGood ? "knownGood" : "notKnownGood"
      return hasKey(error)
        ? catalog.AuthRejected[standing](error, provider, wait(error, catalog))
        : catalog.withheld[standing](provider, wait(error, catalog))
    }
    case "Transient": {
      const said =
        error.clock === undefined
          ? catalog.Transient[error.reason](error, provider)
          : catalog.clock[error.clock](error, provider)
      return { ...said, action: wait(error, catalog) ?? said.action }
    }
    case "QuotaExceeded":
      return catalog.QuotaExceeded(error, provider)
    case "InvalidRequest":
      if (error.problem === undefined) return catalog.InvalidRequest[error.reason](error, provider)
      return error.problem === "UntrustedCertificate"
        ? catalog.certificate[certificateFault(error.code)](error, provider)
        : catalog.problem[error.problem](error, provider)
    case "InvalidResponse":
      return catalog.InvalidResponse[error.reason](error, provider)
  }
}

/** "Try again in …", if the server asked for a wait. */
const wait = (
  { retryAfter }: ProviderError.AuthRejected | ProviderError.Transient,
  catalog: Catalog
): string | undefined => (retryAfter === undefined ? undefined : catalog.waitFor(Duration.toSeconds(retryAfter)))

/**
 * Node's codes, which Bun shares (nodejs.org/api/tls.html, "X509 certificate error codes"). `SELF_SIGNED_CERT_IN_CHAIN`
 * means a root that the server sent and this machine does not have, so there the issuer is what is unknown.
 */
const certificateFault = (code: string | undefined): CertificateFault => {
  switch (code) {
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "SelfSigned"
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "CERT_UNTRUSTED":
      return "UnknownIssuer"
    case "CERT_HAS_EXPIRED":
      return "Expired"
    case "CERT_NOT_YET_VALID":
      return "NotYetValid"
    case "ERR_TLS_CERT_ALTNAME_INVALID":
    case "HOSTNAME_MISMATCH":
      return "WrongHost"
    case "CERT_REVOKED":
      return "Revoked"
    default:
      return "Other"
  }
}
