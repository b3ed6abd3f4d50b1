/**
 * What servers mean by their refusals, as tables: each row with its source. `Classify` reads them in the order quota,
 * request, auth, and then by the status.
 */
import type * as ProviderError from "../ProviderError.js"

/** What a refusal means, whatever call it belongs to. */
export type Meaning =
  | { readonly _tag: "Quota" }
  | { readonly _tag: "Request"; readonly reason: ProviderError.InvalidRequestReason }
  | { readonly _tag: "Auth" }
  | { readonly _tag: "Transient"; readonly reason: ProviderError.TransientReason }
  | { readonly _tag: "Response" }

/** A row fits when each condition it has is met. */
export interface Row {
  readonly status?: ReadonlyArray<number>
  /** Against the server's code and type, each alone. */
  readonly word?: RegExp
  /**
   * Against everything the server wrote. The server may repeat the user's own words, and mostly does at 400, 422 and
   * 5xx. So such a row names its statuses, and if one of these is among them, its text must match the beginning of a
   * message. (For a row of `request` at a 4xx that is stricter than it has to be, which does no harm.)
   */
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
  {
    word: /^(credit_balance_exhausted|(organization|project)_spend_limit_exceeded|organization_usage_limit_exceeded)$/,
    evenIfRateLimit: true,
    means: usedUp,
    from: "OpenAI API docs, guides, error codes and spend limits (2026): 429; its help center says to go by the code, not the type"
  },
  {
    word: /^(enforced|contract)_spend_limit_reached$/,
    evenIfRateLimit: true,
    means: usedUp,
    from: "Anthropic API docs, rate limits (2026): 429 rate_limit_error with error.details.error_code, and no retry-after"
  },
  { word: /^(1113|1308|1309|1310)$/, means: usedUp, from: "GLM API docs, error codes" },
  {
    status: [400],
    text: /^(your )?credit balance is too low/i,
    means: usedUp,
    from: "Anthropic, a 400 invalid_request_error in issue threads"
  },
  {
    status: [400],
    text: /^you have reached your specified (workspace )?API usage limits/i,
    means: usedUp,
    from: "Anthropic API docs, rate limits (2026): a spend limit that the organization set itself is a 400"
  },
  {
    status: [401, 403, 429],
    text: /credit balance is too low|insufficient[ _](balance|quota)/i,
    means: usedUp,
    from: "DeepSeek, MiniMax, Anthropic, OpenAI; gateways that relay them"
  },
  {
    status: [401, 403, 429],
    text: /余额不足|(额度|配额).{0,20}(用完|耗尽|已达|不足)|(用完|耗尽|已达).{0,20}(额度|配额)/,
    means: usedUp,
    from: "Chinese gateways, in issue threads"
  },
  {
    status: [401, 403, 429],
    text: /usage[ _]limits?\b.{0,40}\b(reached|exceeded|exhausted|hit)\b|\b(reached|exceeded|hit|over)\b.{0,60}\busage[ _]limit|usage_limit_(reached|exceeded)|quota.{0,40}(exhausted|used up)/i,
    means: usedUp,
    from: "MiMo API docs, error codes (429), and 401 in issue threads; that limits are merely spoken of is not enough"
  },
  {
    status: [401, 403, 429],
    text: /quota[ _]exceeded|exceeded your current quota|out of budget/i,
    means: usedUp,
    from: "gateways that answer exhausted credit as 401, 403 or 429, in issue threads"
  },
  {
    status: [401, 403, 429],
    text: /(\b(out of|no( more)?|insufficient|not enough|requires? more)|(not|n't) have (any|enough)|\b(used( up)? all( of)?( your| its)?( available| the)?|exhausted( all)?( your| its)?( available)?)) credits?\b(?! (were|was) charged)|\bcredits?( balance)? (is|are|has been|have been|has|have) (exhausted|depleted|used up|insufficient|run out)/i,
    means: usedUp,
    from: "gateways that answer exhausted credit as 401, 403 or 429, in issue threads; recorded: xAI (403)"
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
    word: /^(context_length_exceeded|context_window_exceeded|exceed_context_size_error|too_many_prompt_tokens|1261|minimax:1039)$/,
    means: because("ContextOverflow"),
    from: "OpenAI, GLM and MiniMax API docs, error codes; llama.cpp issue 15780; recorded: Perplexity (400)"
  },
  {
    status: [400, 413, 422],
    text: /(maximum|max|exceeds? (the )?)\s?context (length|window|limit)|prompt (is )?too long|context size has been exceeded|exceeded model token limit|maximum prompt length|total length of all messages is too long/i,
    means: because("ContextOverflow"),
    from: "recorded: OpenAI, Anthropic, DeepSeek, OpenRouter, Ollama, vLLM, Perplexity; Moonshot, xAI"
  },
  {
    status: [500],
    text: /^context size has been exceeded/i,
    means: because("ContextOverflow"),
    from: "llama.cpp issue 19774"
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
    word: /^(content_filter|(image_)?content_policy_violation|bio_policy|data_inspection_failed|1301|minimax:(1026|1027))$/,
    means: because("ContentFiltered"),
    from: "Azure, OpenAI, DashScope, GLM and MiniMax API docs, error codes"
  },
  {
    status: [400],
    text: /^invalid prompt: your prompt was flagged/i,
    means: because("ContentFiltered"),
    from: "OpenAI, in issue threads"
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
    text: /^((incorrect|invalid) api key|api key not valid)/i,
    means: key,
    from: "xAI and Google answer a wrong key with 400"
  }
]

/** The server's word for a problem that passes. It refines the reason; it does not make a 4xx transient. */
export const transientWords: ReadonlyArray<readonly [pattern: RegExp, reason: ProviderError.TransientReason]> = [
  [/overloaded|^server_busy$/, "Overloaded"],
  [/rate_?limit|^limitation$|^minimax:1002$/i, "RateLimited"],
  [/^timeout_error$|^minimax:1001$/, "TimedOut"]
]

export const transientStatuses: { readonly [status: number]: ProviderError.TransientReason } = {
  408: "TimedOut",
  409: "Conflict",
  425: "Conflict",
  429: "RateLimited",
  503: "Overloaded",
  504: "TimedOut",
  524: "TimedOut",
  529: "Overloaded"
}

/** The status that an error inside a 200 would have had over HTTP, looked up by the server's word for it. */
export const statuses: ReadonlyArray<readonly [pattern: RegExp, status: number, from: string]> = [
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
  [/^(timeout_error|vector_store_timeout|minimax:1001)$/, 504, "Anthropic, OpenAI, MiniMax"],
  [
    /^(invalid_(request_error|argument|prompt)|invalid-argument|bio_policy|data_residency_mismatch|\w*_image(_\w+)?|image_\w+|bad_request_error|tool_use_failed|context_length_exceeded|too_many_prompt_tokens|content_filter|minimax:(1026|1027|1039|2013|2061))$/,
    400,
    "Anthropic, Groq, Perplexity, MiniMax; OpenAI OpenAPI document, ResponseErrorCode"
  ]
]
