/**
 * The error that each recorded refusal must become, decided from its status and body, not from what the code answers.
 * A key was sent, so a refused key is `AuthRejected`. Whether an entry was recorded, reported in a thread (`t-…`) or
 * documented stands in `errors.json`, with its source.
 */
interface Row {
  readonly tag: string
  readonly reason?: string
  /** What in the entry says so. */
  readonly why: string
}

const of =
  (tag: string, reason?: string) =>
  (why: string): Row =>
    reason === undefined ? { tag, why } : { tag, reason, why }

const authRejected = of("AuthRejected")
const quota = of("QuotaExceeded")
const rateLimited = of("Transient", "RateLimited")
const overloaded = of("Transient", "Overloaded")
const serverError = of("Transient", "ServerError")
const contextOverflow = of("InvalidRequest", "ContextOverflow")
const modelNotFound = of("InvalidRequest", "ModelNotFound")
const tooLarge = of("InvalidRequest", "TooLarge")
const badRequest = of("InvalidRequest", "BadRequest")

export const tags: { readonly [id: string]: Row } = {
  // AuthRejected ------------------------------------------------------------------------------------------------------

  "zai--glm-4.7-anthropic-error-auth.r": authRejected("401; the token is expired or wrong"),
  "mimo--mimo-v2.5-pro-anthropic-error-auth.r": authRejected("401 invalid_key"),
  "mimo--mimo-v2.5-pro-error-auth.r": authRejected("401 invalid_key"),
  "minimax--minimax-m2.7-error-auth.r": authRejected("401 authorized_error, 1004 in the message"),
  "minimax--minimax-m3-anthropic-error-auth.r": authRejected("401 authentication_error"),
  "anthropic--401-auth-rejection-carries-identity-10f4.r": authRejected("401 authentication_error"),
  "deepseek--401-ion-rejects-a-bogus-key-with-the-provider-body-d197.r": authRejected(
    "401 authentication_error, though the code beside it is invalid_request_error"
  ),
  "doubleword--403-invalid-key-blocking-6905.r": authRejected("403 forbidden: a wrong key, though the type differs"),
  "llamacpp--401-missing-api-key-is-401-e4b0.r": authRejected("401 authentication_error"),
  "mistral--401-mistral-small-laraises-appropriate-auth-error-a2e4.r": authRejected("401; only a detail"),
  "openai--401-auth-responses-endpoint.r": authRejected("401 invalid_api_key"),
  "openrouter--401-claude-haiku-4-5-raises-appropriate-auth-error-fb2b.r": authRejected("401; the body's code too"),
  "perplexity--401-perplexity-sonar-raises-appropriate-auth-error-0627.r": authRejected("401 invalid_api_key"),
  "t-minimax-200-base-resp-1004": authRejected("base_resp 1004 is a refused key, inside a 200"),
  "t-moonshot-401": authRejected("401 invalid_authentication_error"),

  // QuotaExceeded -----------------------------------------------------------------------------------------------------

  "t-anthropic-400-credit": quota("the credit balance is too low, as a 400 invalid_request_error"),
  "t-minimax-429-balance": quota("insufficient_balance_error, 1008, as a 429"),
  "t-minimax-500-balance-anthropic": quota("insufficient balance, 1008, as a 500 api_error"),

  // Transient, RateLimited --------------------------------------------------------------------------------------------

  "azure--429-reasoning-handles-context-length-exceeded-err-5ac6.r": rateLimited("429 RateLimitReached"),
  "t-mimo-429-limitation": rateLimited("429 limitation, too many requests; nothing of a plan"),
  "t-moonshot-429-rate": rateLimited("429 rate_limit_reached_error"),
  "t-openai-429-rpm": rateLimited("429 rate_limit_exceeded: requests per minute"),
  "t-openrouter-429-upstream": rateLimited("429; the upstream is rate-limited for now"),

  // Transient, Overloaded ---------------------------------------------------------------------------------------------

  "t-anthropic-529-overloaded": overloaded("529 overloaded_error"),
  "t-anthropic-529-overloaded-no-request-id": overloaded("529 overloaded_error"),
  "t-anthropic-200-midstream-overloaded": overloaded("event: error, overloaded_error, inside a 200"),
  "t-moonshot-429-overloaded": overloaded("engine_overloaded_error: the word is closer than the 429"),

  // Transient, ServerError --------------------------------------------------------------------------------------------

  "llamacpp--500-unfetchable-image-url-db01.r": serverError("500 server_error: the server could not fetch the picture"),
  "llamacpp--500-tools-without-jinja-5616.r": serverError("500 server_error, though the cause is how it was started"),
  "llamacpp--500-schema-and-grammar-conflict-300a.r": serverError("500 server_error, though the request is at fault"),
  "gpustack--qwen3-reasoning-then-error-abridged.s": serverError("broke off inside a 200, with a plea to try again"),
  "t-mimo-500-html-in-json": serverError("502; a proxy's page inside the message"),
  "t-anthropic-520-cloudflare-html": serverError("520, a page of the proxy's"),
  "t-generic-502-nginx": serverError("502, a page of the proxy's"),

  // InvalidRequest, ContextOverflow -----------------------------------------------------------------------------------

  "anthropic--400-iku-4-5-handles-context-length-exceeded-errors-3d60.r": contextOverflow(
    "prompt is too long; x-should-retry: false"
  ),
  "deepseek--400-eepseek-handles-context-length-exceeded-errors-d74c.r": contextOverflow("maximum context length"),
  "ollama--400-ss-120b-handles-context-length-exceeded-errors-43f3.r": contextOverflow("prompt too long"),
  "openrouter--400-iku-4-5-handles-context-length-exceeded-errors-1f66.r": contextOverflow("maximum context length"),
  "openai--400-context-length-responses-endpoint.r": contextOverflow("context_length_exceeded"),
  "t-openai-400-context": contextOverflow("context_length_exceeded"),
  "t-vllm-400-context": contextOverflow("maximum context length"),

  // InvalidRequest, ModelNotFound -------------------------------------------------------------------------------------

  "deepseek--deepseek-v4-flash-anthropic-error-model.r": modelNotFound("400 that lists the models there are"),
  "deepseek--deepseek-v4-flash-error-model.r": modelNotFound("400 that lists the models there are"),
  "deepseek--400-ejects-an-unknown-model-with-the-provider-body-ff18.r": modelNotFound(
    "400 that lists the models there are"
  ),
  "zai--glm-4.7-anthropic-error-model.r": modelNotFound("1211: no such model"),
  "zai--glm-4.7-error-model.r": modelNotFound("1211: no such model"),
  "mimo--mimo-v2.5-pro-anthropic-error-model.r": modelNotFound("not supported model, told in param alone"),
  "mimo--mimo-v2.5-pro-error-model.r": modelNotFound("not supported model, told in param alone"),
  "minimax--minimax-m2.7-error-model.r": modelNotFound("unknown model, though 2013 only says bad parameters"),
  "anthropic--404-model-name-suggestion-anthropic-cdc2.r": modelNotFound("404 not_found_error about a model"),
  "anthropic--404-existent-model-error-preserves-status-and-body-c634.r": modelNotFound(
    "404 not_found_error about a model"
  ),
  "anthropic--404-treaming-connect-4xx-matches-blocking-richness-e896.r": modelNotFound(
    "404 not_found_error about a model"
  ),
  "groq--404-tool-regular-error-5d03.r": modelNotFound("404 model_not_found"),
  "openai--404-model-name-suggestion-openai-chat-080a.r": modelNotFound("404 model_not_found"),
  "openrouter--400-routed-failure-error-shape-d862.r": modelNotFound("400: not a valid model ID"),
  "venice--404-existent-model-error-preserves-status-and-body-f4e1.r": modelNotFound("404; the error is a string"),
  "xai--400-model-responses-endpoint.r": modelNotFound("400: model not found; the error is a string"),

  // InvalidRequest, TooLarge ------------------------------------------------------------------------------------------

  "t-groq-413-too-large": tooLarge("413: more than a minute's allowance at once, so the rate_limit code misleads"),

  // InvalidRequest, BadRequest ----------------------------------------------------------------------------------------

  "deepseek--deepseek-v4-flash-anthropic-error-empty.r": badRequest("400: no messages"),
  "zai--glm-4.7-error-empty.r": badRequest("1214: the input is empty"),
  "zai--glm-5.2-anthropic-error-empty.r": badRequest("1214: the input is empty"),
  "minimax--minimax-m2.7-anthropic-error-empty.r": badRequest("2013: no messages"),
  "minimax--minimax-m2.7-error-empty.r": badRequest("2013: no messages"),
  "deepseek--deepseek-v4-flash-error-tool-format.r": badRequest("400: a tool without a name"),
  "deepseek--deepseek-v4-pro-error-tool-format.r": badRequest("400: a tool without a name"),
  "minimax--minimax-m2.7-error-tool-format.r": badRequest("2013: a tool without a name"),
  "minimax--minimax-m3-error-tool-format.r": badRequest("2013: a tool without a name"),
  "deepseek--400-blocking-image-base64-part-reaches-the-wire-98bc.r": badRequest("400: pictures are not understood"),
  "openai--reasoning-model-legacy-parameter.r": badRequest("unsupported_parameter: the field, not the model"),
  "openai--400-openai-web-search-tool-model-not-supported-7592.r": badRequest("the option, not the model, is refused"),
  "openai--400-return-matrix-direct-binary-audio-openai-chat-e025.r": badRequest("invalid_value: a part of a message"),
  "anthropic--400-validation-error-carries-identity-6cee.r": badRequest("temperature out of range"),
  "anthropic--400-cyclic-root-ref-aliases-are-rejected-239e.r": badRequest("a tool's schema without a type"),
  "doubleword--400-invalid-temperature-blocking-ad32.r": badRequest("temperature out of range; a flat body"),
  "llamacpp--400-malformed-request-field-af56.r": badRequest("temperature is no number"),
  "mistral--400-blocking-ministral-3b-51b5.r": badRequest("3051: the option is not enabled for this model"),
  "groq--400-tool-use-failed-error-with-text-94a2.r": badRequest("tool_use_failed: no call where one was required"),
  "groq--gpt-oss-120b-reasoning-0c90.s": badRequest("tool_use_failed, status 400 in the body, inside a 200"),
  "openrouter--minimax-m2-free-length-reasoning-e24a.s": badRequest("400 in the body: the token limit of the request"),
  "t-mimo-400-reasoning-passback": badRequest("the history lacks reasoning_content, told in param alone"),
  "t-deepseek-400-reasoning-passback": badRequest("the history lacks reasoning_content"),
  "t-deepseek-400-thinking-passback-anthropic": badRequest("the history lacks its thinking blocks"),
  "t-deepseek-400-octet-stream": badRequest("the history lacks reasoning_content; JSON sent as octet-stream")
}
