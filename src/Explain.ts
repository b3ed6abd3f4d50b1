/**
 * An error or a retry in words that are true, given a catalog.
 */
import * as Duration from "effect/Duration"
import type { Catalog, Words } from "./explain/Catalog.js"
import { en } from "./explain/en.js"
import type * as ProviderError from "./ProviderError.js"
import type { RetryNotice } from "./RetryObserver.js"

export interface Explanation extends Words {
  /** How long to wait before trying again, for a UI that counts down. */
  readonly retryAfter?: Duration.Duration
}

/** What happened, and what the reader can do. The default catalog is English; `knowngood/explain/zh` has Chinese. */
export const explain = (error: ProviderError.ProviderError, catalog: Catalog = en): Explanation => {
  const { action, detail, title } = words(error, catalog)
  const sentences = [
    detail,
    ...(error._tag === "AuthRejected" && error.hosts !== undefined ? [catalog.keyForOtherHost(error.hosts)] : []),
    ...(error.attempts > 1 ? [catalog.tried(error.attempts)] : []),
    ...(error.emitted ? [catalog.brokeOff] : []),
    ...(error.detail === undefined ? [] : [catalog.said(error.detail)])
  ]
  const wait = "retryAfter" in error ? error.retryAfter : undefined
  return {
    title,
    detail: sentences.join(catalog.space),
    action: wait === undefined ? action : catalog.waitFor(Duration.toSeconds(wait)),
    ...(wait === undefined ? undefined : { retryAfter: wait })
  }
}

/** A retry that is about to happen: "Retrying 1 of 2 in 0.6 s: the gateway refused the key". */
export const retrying = (notice: RetryNotice, catalog: Catalog = en): Explanation => {
  const title = catalog.retrying(notice, Duration.toSeconds(notice.delay))
  return {
    title,
    detail: title + catalog.colon + catalog.because(notice.error),
    action: catalog.meanwhile,
    retryAfter: notice.delay
  }
}

const words = (error: ProviderError.ProviderError, catalog: Catalog): Words => {
  const provider = names[error.provider] ?? error.provider
  switch (error._tag) {
    case "AuthMissing":
      return catalog.AuthMissing[error.status === undefined ? error.problem : "Asked"](error, provider)
    case "AuthRejected":
      return catalog.AuthRejected[error.knownGood ? "acceptedBefore" : "neverAccepted"](error, provider)
    case "Transient":
      return catalog.Transient[error.reason](error, provider)
    case "QuotaExceeded":
      return catalog.QuotaExceeded(error, provider)
    case "InvalidRequest":
      return catalog.InvalidRequest[error.reason](error, provider)
    case "InvalidResponse":
      return catalog.InvalidResponse(error, provider)
  }
}

/** How the providers write their own names. */
const names: { readonly [id: string]: string } = {
  mimo: "MiMo",
  deepseek: "DeepSeek",
  minimax: "MiniMax",
  anthropic: "Anthropic",
  openai: "OpenAI"
}
