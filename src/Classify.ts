/**
 * Facts of a refusal to a `ProviderError`: one pure function, the same for an HTTP refusal and for an error that
 * arrives inside a 200. What differs between providers stands in the tables below, each row with its source.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Credential from "./Credential.js"
import type * as Fault from "./Fault.js"
import * as ProviderError from "./ProviderError.js"
import * as Refusal from "./Refusal.js"

/** Who sent the refused request. */
export interface Sender {
  readonly source: string
  readonly key: Credential.Key | Credential.NoKey
  readonly knownGood: boolean
  /** Whether output of this answer had already reached the caller. */
  readonly emitted: boolean
  readonly hint?: Hint | undefined
}

/** What the look of a refused key says: it belongs to another host. */
export interface Hint {
  readonly hint: "KeyForOtherHost"
  readonly hosts: ReadonlyArray<string>
}

export const classify = (raw: Refusal.Raw, sender: Sender): ProviderError.ProviderError => {
  const refusal = Refusal.read(raw)
  const meaning = means(refusal)
  const facts = factsOf(refusal, sender)
  switch (meaning._tag) {
    case "Quota":
      return new ProviderError.QuotaExceeded({ ...facts, resetsAt: resetsAt(refusal) })
    case "Request":
      return new ProviderError.InvalidRequest({ ...facts, reason: meaning.reason })
    case "Auth":
      return sender.key._tag === "Key"
        ? new ProviderError.AuthRejected({
            ...facts,
            source: sender.source,
            fingerprint: sender.key.fingerprint,
            knownGood: sender.knownGood,
            retryAfter: refusal.retryAfter === undefined ? undefined : Duration.millis(refusal.retryAfter),
            ...sender.hint
          })
        : new ProviderError.AuthMissing({ ...facts, source: sender.source, problem: sender.key.problem })
    case "Transient":
      return new ProviderError.Transient({
        ...facts,
        reason: meaning.reason,
        retryAfter: refusal.retryAfter === undefined ? undefined : Duration.millis(refusal.retryAfter)
      })
    case "Response":
      return new ProviderError.InvalidResponse({
        ...facts,
        detail: scrubbed(redirect(raw) ?? refusal.message, sender),
        contentType: contentType(raw, sender),
        preview: preview(raw.body, sender)
      })
  }
}

/** The same for an answer that began with a 2xx and is none. `raw` is its status and headers, and what came of it. */
export const fault = (fault: Fault.Fault, raw: Refusal.Raw, sender: Sender): ProviderError.ProviderError => {
  const facts = factsOf(Refusal.read({ ...raw, body: "" }), sender)
  const passes = (reason: ProviderError.TransientReason, detail: string | undefined, code?: string) =>
    new ProviderError.Transient({ ...facts, reason, detail, code })
  switch (fault._tag) {
    case "Refused":
      return classify({ ...raw, body: fault.body }, sender)
    case "Malformed":
      return new ProviderError.InvalidResponse({
        ...facts,
        detail: scrubbed(fault.detail, sender),
        contentType: contentType(raw, sender),
        preview: preview(fault.preview === "" ? raw.body : fault.preview, sender)
      })
    case "BrokenOff":
      return passes(fault.code === "insufficient_system_resource" ? "Overloaded" : "ServerError", undefined, fault.code)
    case "Cut":
      return passes("StreamInterrupted", undefined, fault.code)
    case "Stalled":
      return passes("StreamStalled", fault.clock === "idle" ? "no byte came" : "only keep-alives came")
  }
}

/** What a refusal means, before anything is said of the call it belongs to. */
export type Meaning =
  | { readonly _tag: "Quota" }
  | { readonly _tag: "Request"; readonly reason: ProviderError.InvalidRequestReason }
  | { readonly _tag: "Auth" }
  | { readonly _tag: "Transient"; readonly reason: ProviderError.TransientReason }
  | { readonly _tag: "Response" }

/**
 * Quota first, because some gateways answer exhausted credit with 401; then a wrong format or model, which some answer
 * with 401, too; then the key; then what may pass; then the rest.
 */
export const means = (refusal: Refusal.Refusal): Meaning => {
  const status = refusal.status ?? impliedStatus(refusal)
  return (
    quota.find((row) => matches(row, refusal, status))?.means ??
    (refusal.shouldRetry === true ? undefined : request.find((row) => matches(row, refusal, status))?.means) ??
    auth.find((row) => matches(row, refusal, status))?.means ??
    passing(refusal, status) ?? { _tag: "Request", reason: "BadRequest" }
  )
}

// ---------------------------------------------------------------------------------------------------------------------
// The tables
// ---------------------------------------------------------------------------------------------------------------------

/** A row fits when each condition it has is met. */
export interface Row {
  readonly status?: ReadonlyArray<number>
  /** Against the server's code and type, each alone. */
  readonly word?: RegExp
  /** Against everything the server wrote. */
  readonly text?: RegExp
  /** Fits although the server's code says `rate_limit`. */
  readonly evenIfRateLimit?: true
  readonly means: Meaning
  /** Where this is known from. */
  readonly from: string
}

const usedUp: Meaning = { _tag: "Quota" }

export const quota: ReadonlyArray<Row> = [
  { status: [402], evenIfRateLimit: true, means: usedUp, from: "DeepSeek API docs, error codes; MiMo, OpenRouter" },
  { word: /^minimax:(1028|1030|2056)$/, evenIfRateLimit: true, means: usedUp, from: "MiniMax API docs, error codes" },
  { word: /^minimax:1008$/, means: usedUp, from: "MiniMax API docs, error codes; 429 and 500 in issue threads" },
  {
    word: /^(insufficient_quota|exceeded_current_quota_error|quota_exceeded|usage_limit_reached|insufficient_balance(_error)?|billing_error|Arrearage)$/,
    means: usedUp,
    from: "OpenAI, Moonshot, MiniMax, Anthropic and DashScope API docs, error codes"
  },
  { word: /^(1113|1308|1309|1310)$/, means: usedUp, from: "GLM API docs, error codes" },
  {
    text: /credit balance is too low/i,
    means: usedUp,
    from: "Anthropic, a 400 invalid_request_error in issue threads"
  },
  {
    text: /insufficient[ _]balance|insufficient_quota/i,
    means: usedUp,
    from: "DeepSeek, MiniMax; gateways that relay them"
  },
  {
    text: /余额不足|(额度|配额).{0,20}(用完|耗尽|已达|不足)|(用完|耗尽|已达).{0,20}(额度|配额)/,
    means: usedUp,
    from: "Chinese gateways, in issue threads"
  },
  {
    status: [400, 401, 403, 429],
    text: /usage[ _]limit|quota.{0,40}(exhausted|used up)/i,
    means: usedUp,
    from: "Anthropic (400) in issue threads; MiMo API docs, error codes (429), and 401 in issue threads"
  },
  {
    status: [401, 403, 429],
    text: /quota[ _]exceeded|exceeded your current quota|out of budget|\bcredits\b(?! were charged)/i,
    means: usedUp,
    from: "gateways that answer exhausted credit as 401, 403 or 429, in issue threads"
  }
]

const because = (reason: ProviderError.InvalidRequestReason): Meaning => ({ _tag: "Request", reason })

export const request: ReadonlyArray<Row> = [
  {
    status: [400, 401, 403, 404],
    text: /model.{0,80}not supported for format/i,
    means: because("ModelNotFound"),
    from: "gateways that check the wire before the key, in issue threads"
  },
  {
    status: [400, 413, 422],
    word: /^(context_length_exceeded|context_window_exceeded|exceed_context_size_error|1261|minimax:1039)$/,
    means: because("ContextOverflow"),
    from: "OpenAI, GLM and MiniMax API docs, error codes; llama.cpp issue 15780"
  },
  {
    status: [400, 413, 422, 500],
    text: /(maximum|max|exceeds? (the )?)\s?context (length|window|limit)|prompt (is )?too long|context size has been exceeded|exceeded model token limit|maximum prompt length/i,
    means: because("ContextOverflow"),
    from: "recorded: OpenAI, Anthropic, DeepSeek, OpenRouter, Ollama, vLLM; llama.cpp issue 19774; Moonshot, xAI"
  },
  {
    status: [400, 403, 404],
    word: /^(model_not_found|DeploymentNotFound|1211|minimax:2061)$/,
    means: because("ModelNotFound"),
    from: "OpenAI, Azure, GLM and MiniMax API docs, error codes"
  },
  {
    status: [400, 403, 404, 422],
    text: /supported API model names|(not supported|unknown|invalid) model|no endpoints found for|model[^.]{0,120}(does not exist|not found|no longer available)|^model: |not a valid model|模型不存在/i,
    means: because("ModelNotFound"),
    from: "recorded: DeepSeek, MiMo, MiniMax, OpenAI, Anthropic, xAI, OpenRouter, Venice, GLM"
  },
  { status: [421], means: because("ContentFiltered"), from: "MiMo API docs, error codes" },
  {
    status: [400, 403],
    word: /^(content_filter|content_policy_violation|data_inspection_failed|1301|minimax:(1026|1027))$/,
    means: because("ContentFiltered"),
    from: "Azure, OpenAI, DashScope, GLM and MiniMax API docs, error codes"
  },
  {
    status: [403],
    text: /requires moderation|was flagged/i,
    means: because("ContentFiltered"),
    from: "OpenRouter API docs, errors"
  },
  { status: [413], means: because("TooLarge"), from: "RFC 9110; recorded: Groq, though its code says rate limit" },
  { status: [404, 405], means: because("NotOffered"), from: "RFC 9110" }
]

const key: Meaning = { _tag: "Auth" }

export const auth: ReadonlyArray<Row> = [
  { status: [401, 403], means: key, from: "RFC 9110" },
  {
    status: [400],
    word: /^(invalid_api_key|authentication_error|invalid_key|authorized_error)$/,
    means: key,
    from: "recorded: OpenAI, Anthropic, MiMo, MiniMax"
  },
  {
    status: [400],
    text: /(incorrect|invalid) api key|api key not valid/i,
    means: key,
    from: "xAI and Google answer a wrong key with 400"
  }
]

/** The server's word for a trouble that passes. It refines the reason, it does not make a 4xx transient. */
const passingWords: ReadonlyArray<readonly [word: RegExp, reason: ProviderError.TransientReason]> = [
  [/overloaded|^server_busy$/, "Overloaded"],
  [/rate_?limit|^limitation$|^minimax:1002$/i, "RateLimited"],
  [/^timeout_error$|^minimax:1001$/, "TimedOut"]
]

const passingStatuses: { readonly [status: number]: ProviderError.TransientReason } = {
  408: "TimedOut",
  409: "Conflict",
  425: "Conflict",
  429: "RateLimited",
  503: "Overloaded",
  504: "TimedOut",
  524: "TimedOut",
  529: "Overloaded"
}

/** The status that an error inside a 200 would have had over HTTP, by the server's word for it. */
const statuses: ReadonlyArray<readonly [word: RegExp, status: number, from: string]> = [
  [
    /^(authentication_error|authorized_error|invalid_key|invalid_api_key|minimax:(1004|2049))$/,
    401,
    "Anthropic, MiniMax"
  ],
  [/^permission_error$/, 403, "Anthropic API docs, errors"],
  [/^(not_found_error|model_not_found)$/, 404, "Anthropic API docs, errors"],
  [/^request_too_large$/, 413, "Anthropic API docs, errors"],
  [/^(rate_limit\w*|minimax:1002)$/, 429, "Anthropic, OpenAI, Groq, MiniMax"],
  [/^(\w*overloaded_error|server_busy)$/, 529, "Anthropic, Moonshot"],
  [/^(timeout_error|minimax:1001)$/, 504, "Anthropic, MiniMax"],
  [
    /^(invalid_request_error|invalid[_-]argument|bad_request_error|tool_use_failed|context_length_exceeded|content_filter|minimax:(1026|1027|1039|2013|2061))$/,
    400,
    "Anthropic, Groq, MiniMax"
  ]
]

// ---------------------------------------------------------------------------------------------------------------------
// How they are read
// ---------------------------------------------------------------------------------------------------------------------

const matches = (row: Row, refusal: Refusal.Refusal, status: number): boolean =>
  (row.status === undefined || row.status.includes(status)) &&
  (row.word === undefined || refusal.words.some((word) => row.word?.test(word))) &&
  (row.text === undefined || row.text.test(refusal.text)) &&
  (row.means._tag !== "Quota" || row.evenIfRateLimit === true || !saysRateLimit(refusal))

const saysRateLimit = (refusal: Refusal.Refusal): boolean => refusal.words.some((word) => /rate_?limit/i.test(word))

/** A server that breaks off with no known word has failed, so 500. */
const impliedStatus = (refusal: Refusal.Refusal): number =>
  statuses.find(([word]) => refusal.words.some((said) => word.test(said)))?.[1] ?? 500

const passing = (refusal: Refusal.Refusal, status: number): Meaning | undefined => {
  if (status < 400) return { _tag: "Response" }
  const byStatus = passingStatuses[status] ?? (status >= 500 ? "ServerError" : undefined)
  const asked = refusal.shouldRetry === true ? "ServerError" : undefined
  if (byStatus === undefined && asked === undefined) return undefined
  const byWord = passingWords.find(([word]) => refusal.words.some((said) => word.test(said)))?.[1]
  return { _tag: "Transient", reason: byWord ?? byStatus ?? "ServerError" }
}

const factsOf = (refusal: Refusal.Refusal, sender: Sender): ProviderError.Facts => ({
  provider: refusal.provider,
  attempts: 1,
  history: [],
  emitted: sender.emitted,
  status: refusal.httpStatus,
  code: refusal.code === undefined ? undefined : scrubbed(refusal.code, sender).slice(0, 120),
  detail: refusal.text === "" ? undefined : scrubbed(refusal.text.slice(0, 8192), sender).slice(0, 800),
  requestId: refusal.requestId === undefined ? undefined : scrubbed(refusal.requestId, sender).slice(0, 200),
  shouldRetry: refusal.shouldRetry
})

const scrubbed = (text: string, sender: Sender): string => Credential.scrub(sender.key)(text)

const contentType = (raw: Refusal.Raw, sender: Sender): string | undefined => {
  const type = raw.headers["content-type"]
  return type === undefined ? undefined : scrubbed(type, sender).slice(0, 120)
}

/** Cut before it is scrubbed, too, because a body may be megabytes. */
const preview = (text: string, sender: Sender): string => scrubbed(text.slice(0, 4096), sender).slice(0, 120)

/** "resets at 2026-01-01T00:00:00Z", as MiniMax writes behind 2056. */
const resetsAt = (refusal: Refusal.Refusal): DateTime.Utc | undefined => {
  const said = /resets? at (\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d))/i.exec(refusal.text)?.[1]
  const at = said === undefined ? Number.NaN : Date.parse(said)
  return Number.isNaN(at) ? undefined : DateTime.unsafeMake(at)
}

const redirect = (raw: Refusal.Raw): string | undefined =>
  raw.status >= 300 && raw.status < 400
    ? `redirected to ${raw.headers["location"] ?? "an address it did not name"}; not followed, because the key would go along`
    : undefined
