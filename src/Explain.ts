/**
 * An error or a retry in words that are true, given a catalog.
 */
import * as Duration from "effect/Duration"
import type { Catalog, CertificateFault, Words } from "./explain/Catalog.js"
import { en } from "./explain/en.js"
import * as ProviderError from "./ProviderError.js"
import type { RetryNotice } from "./RetryObserver.js"

export interface Explanation extends Words {
  /** How long to wait before trying again, for a UI that counts down. */
  readonly retryAfter?: Duration.Duration
}

/** What happened, and what the reader can do. The default catalog is English; `knowngood/explain/zh` has Chinese. */
export const explain = (error: ProviderError.ProviderError, catalog: Catalog = en): Explanation => {
  // Who sent nothing has no answer, whatever stands in `status`.
  const told = error.attempts === 0 ? ProviderError.withFacts(error, { status: undefined }) : error
  const { action, detail, title } = words(told, catalog)
  const sentences = [
    detail,
    ...(told._tag === "AuthRejected" && told.hosts !== undefined ? [catalog.keyForOtherHost(told.hosts)] : []),
    ...(told.attempts > 1 ? [catalog.tried(told.attempts)] : []),
    ...(told.emitted ? [catalog.brokeOff] : []),
    // Without a status there was no answer, and `detail` is not a server's.
    ...(told.status === undefined || !told.detail?.trim() ? [] : [catalog.said(told.detail)])
  ]
  const wait = "retryAfter" in told ? told.retryAfter : undefined
  return {
    title,
    detail: sentences.join(catalog.space),
    action: wait === undefined ? action : catalog.waitFor(Duration.toSeconds(wait)),
    ...(wait === undefined ? undefined : { retryAfter: wait })
  }
}

/**
 * A retry that is about to happen: "Retrying 1 of 2 in 0.6 s", and in the detail why. For a countdown, call it again with
 * the time that remains of `notice.delay`.
 */
export const retrying = (
  notice: RetryNotice,
  catalog: Catalog = en,
  remaining: Duration.DurationInput = notice.delay
): Explanation => {
  const retryAfter = Duration.decode(remaining)
  return {
    title: catalog.retrying(notice, Duration.toSeconds(retryAfter)),
    detail: because(notice.error, catalog),
    action: catalog.meanwhile,
    retryAfter
  }
}

/** Only what a standard policy retries has a short form; a policy of the program's own may retry anything. */
const because = (error: ProviderError.ProviderError, catalog: Catalog): string => {
  if (error._tag === "Transient") return catalog.because[error.reason](error.status)
  if (error._tag === "AuthRejected" && error.knownGood) return catalog.because.knownGood(error.status)
  return words(error, catalog).detail
}

const words = (error: ProviderError.ProviderError, catalog: Catalog): Words => {
  const provider = nameOf(error.provider)
  switch (error._tag) {
    case "AuthMissing":
      return catalog.AuthMissing[error.status === undefined ? error.problem : "Asked"](error, provider)
    case "AuthRejected":
      return catalog.AuthRejected[error.knownGood ? "knownGood" : "notKnownGood"](error, provider)
    case "Transient":
      return error.clock === undefined
        ? catalog.Transient[error.reason](error, provider)
        : catalog.clock[error.clock](error, provider)
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

/**
 * The codes of Node, which Bun has, too (nodejs.org/api/tls.html, "X509 certificate error codes"). A root that is in the
 * chain and not in the store is `SELF_SIGNED_CERT_IN_CHAIN`: what is unknown there is the issuer.
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

/** How the providers write their own names. */
const names = new Map([
  ["mimo", "MiMo"],
  ["deepseek", "DeepSeek"],
  ["minimax", "MiniMax"],
  ["anthropic", "Anthropic"],
  ["openai", "OpenAI"]
])

const nameOf = (provider: string): string => names.get(provider) ?? provider
