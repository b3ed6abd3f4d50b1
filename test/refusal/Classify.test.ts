/** What a refusal means: tables of status, headers and body against the tag and reason of the error. */
import { existsSync, readFileSync } from "node:fs"
import { assert, describe, expect, it } from "@effect/vitest"
import { DateTime, Duration, Effect, FastCheck as fc, Redacted, Schema } from "effect"
import * as Sse from "../../src/answer/Sse.js"
import * as Credential from "../../src/Credential.js"
import * as ProviderError from "../../src/ProviderError.js"
import * as Classify from "../../src/refusal/Classify.js"
import * as Failure from "../../src/refusal/Failure.js"
import type * as Fault from "../../src/refusal/Fault.js"
import type * as Refusal from "../../src/refusal/Refusal.js"
import * as Rules from "../../src/refusal/Rules.js"
import * as Cost from "../Cost.js"
import { plantedKey } from "../Wire.js"

const now = Date.UTC(2026, 4, 15, 12, 0, 0)

const { key, noKey } = await Effect.runPromise(
  Effect.gen(function* () {
    const withKey = yield* Credential.make({ apiKey: Redacted.make(plantedKey), source: "MIMO_API_KEY" })
    const without = yield* Credential.make({ source: "MIMO_API_KEY" })
    return { key: yield* withKey.read, noKey: yield* without.read }
  })
)

const sender: Classify.Sender = { source: "MIMO_API_KEY", key, knownGood: true }

const raw = (status: number, body: unknown, headers: Refusal.Raw["headers"] = {}): Refusal.Raw => ({
  provider: "p",
  status,
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
  now
})

/** The error of a call with this one fault. */
const meant = (fault: Fault.Fault, response: Classify.Response, sender: Classify.Sender) =>
  Failure.make(Classify.classify(fault, response, sender), { attempts: 1, history: [] })

/** The error of a call with this one refusal. */
const refused = (raw: Refusal.Raw, sender: Classify.Sender) => meant({ _tag: "Refused", body: raw.body }, raw, sender)

const classify = (status: number, body: unknown, headers?: Refusal.Raw["headers"]): ProviderError.ProviderError =>
  refused(raw(status, body, headers), sender)

/** The tag, with the reason where the tag has one: `Transient RateLimited`. */
const name = (error: ProviderError.ProviderError): string =>
  "reason" in error ? `${error._tag} ${error.reason}` : error._tag

const openAi = (message: string, code: string | null = null, type = "invalid_request_error") => ({
  error: { message, type, param: null, code }
})
const anthropic = (type: string, message = type) => ({ type: "error", error: { type, message } })
const minimax = (status_code: number, status_msg = "said") => ({ base_resp: { status_code, status_msg } })

describe("by the status alone", () => {
  for (const [status, expected] of [
    [301, "InvalidResponse Redirect"],
    [302, "InvalidResponse Redirect"],
    [307, "InvalidResponse Redirect"],
    [308, "InvalidResponse Redirect"],
    [400, "InvalidRequest BadRequest"],
    [401, "AuthRejected"],
    [402, "QuotaExceeded"],
    [403, "AuthRejected"],
    [404, "InvalidRequest NotOffered"],
    [405, "InvalidRequest NotOffered"],
    [408, "Transient TimedOut"],
    [409, "Transient Conflict"],
    [413, "InvalidRequest TooLarge"],
    [415, "InvalidRequest BadRequest"],
    [418, "InvalidRequest BadRequest"],
    [421, "InvalidRequest ContentFiltered"],
    [422, "InvalidRequest BadRequest"],
    [425, "Transient Conflict"],
    [429, "Transient RateLimited"],
    [500, "Transient ServerError"],
    [501, "Transient ServerError"],
    [502, "Transient ServerError"],
    [503, "Transient Overloaded"],
    [504, "Transient TimedOut"],
    [520, "Transient ServerError"],
    [524, "Transient TimedOut"],
    [529, "Transient Overloaded"],
    [599, "Transient ServerError"]
  ] as const) {
    it(`${status} is ${expected} (O46, O105)`, () => {
      expect(name(classify(status, ""))).toBe(expected)
      expect(name(classify(status, "<html><title>no</title></html>"))).toBe(expected)
    })
  }
})

describe("by what the provider says", () => {
  for (const [title, status, body, expected] of [
    // MiMo
    [
      "MiMo, a refused key",
      401,
      { error: { message: "Invalid API Key", code: "401", type: "invalid_key" } },
      "AuthRejected"
    ],
    [
      "MiMo, region or risk control",
      403,
      { error: { message: "Illegal access", code: "403", type: "" } },
      "AuthRejected"
    ],
    [
      "MiMo, no such address",
      404,
      { error: { message: "No endpoints found", code: "404" } },
      "InvalidRequest NotOffered"
    ],
    [
      "MiMo, the plan is used up",
      429,
      { error: { message: "quota exceeded", code: "429", type: "limitation" } },
      "QuotaExceeded"
    ],
    [
      "MiMo, the plan is used up, as 401",
      401,
      { error: { message: "套餐额度已用完", code: "401", type: "invalid_key" } },
      "QuotaExceeded"
    ],
    [
      "MiMo, too many",
      429,
      { error: { message: "Too many requests", code: "429", type: "limitation" } },
      "Transient RateLimited"
    ],
    [
      "MiMo, the content filter",
      421,
      { error: { message: "high risk", code: "421" } },
      "InvalidRequest ContentFiltered"
    ],
    // DeepSeek
    [
      "DeepSeek, a refused key",
      401,
      openAi(
        "Authentication Fails, Your api key: ****1234 is invalid",
        "invalid_request_error",
        "authentication_error"
      ),
      "AuthRejected"
    ],
    [
      "DeepSeek, no balance",
      402,
      openAi("Insufficient Balance", "invalid_request_error", "unknown_error"),
      "QuotaExceeded"
    ],
    ["DeepSeek, too many at once", 429, openAi("Rate limit reached", "rate_limit_reached"), "Transient RateLimited"],
    ["DeepSeek, busy", 503, openAi("Service is too busy", "service_unavailable_error"), "Transient Overloaded"],
    // Anthropic
    [
      "Anthropic, credit, as 400",
      400,
      anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
      "QuotaExceeded"
    ],
    ["Anthropic, billing", 403, anthropic("billing_error"), "QuotaExceeded"],
    ["Anthropic, a refused key", 401, anthropic("authentication_error", "invalid x-api-key"), "AuthRejected"],
    ["Anthropic, no permission", 403, anthropic("permission_error"), "AuthRejected"],
    [
      "Anthropic, an unknown model",
      404,
      anthropic("not_found_error", "model: claude-9"),
      "InvalidRequest ModelNotFound"
    ],
    ["Anthropic, no such address", 404, anthropic("not_found_error", "Not Found"), "InvalidRequest NotOffered"],
    ["Anthropic, too large", 413, anthropic("request_too_large"), "InvalidRequest TooLarge"],
    [
      "Anthropic, too long",
      400,
      anthropic("invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
      "InvalidRequest ContextOverflow"
    ],
    [
      "Anthropic, a bad parameter (A2)",
      400,
      anthropic("invalid_request_error", "temperature: range: 0..1"),
      "InvalidRequest BadRequest"
    ],
    ["Anthropic, too many (V6)", 429, anthropic("rate_limit_error"), "Transient RateLimited"],
    ["Anthropic, its own fault", 500, anthropic("api_error"), "Transient ServerError"],
    ["Anthropic, too slow", 504, anthropic("timeout_error"), "Transient TimedOut"],
    ["Anthropic, overloaded (V55)", 529, anthropic("overloaded_error"), "Transient Overloaded"],
    // OpenAI
    ["OpenAI, a refused key", 401, openAi("Incorrect API key provided", "invalid_api_key"), "AuthRejected"],
    [
      "OpenAI, no quota",
      429,
      openAi("You exceeded your current quota, please check your plan", "insufficient_quota", "insufficient_quota"),
      "QuotaExceeded"
    ],
    [
      "OpenAI, too many (V7)",
      429,
      openAi("Rate limit reached for gpt-x", "rate_limit_exceeded", "requests"),
      "Transient RateLimited"
    ],
    [
      "OpenAI, too long",
      400,
      openAi("This model's maximum context length is 4097 tokens", "context_length_exceeded"),
      "InvalidRequest ContextOverflow"
    ],
    [
      "OpenAI, an unknown model",
      404,
      openAi("The model `x` does not exist or you do not have access to it.", "model_not_found"),
      "InvalidRequest ModelNotFound"
    ],
    [
      "OpenAI, a filtered prompt",
      400,
      openAi("Your request was rejected", "content_policy_violation"),
      "InvalidRequest ContentFiltered"
    ],
    [
      "OpenAI, an unsupported parameter is no unknown model",
      400,
      openAi("'max_tokens' is not supported with this model", "unsupported_parameter"),
      "InvalidRequest BadRequest"
    ],
    // Others
    ["Azure, filtered", 400, openAi("The response was filtered", "content_filter"), "InvalidRequest ContentFiltered"],
    [
      "Azure, too many",
      429,
      { error: { code: "RateLimitReached", message: "have exceeded rate limit" } },
      "Transient RateLimited"
    ],
    [
      "Moonshot, overloaded, as 429",
      429,
      { error: { message: "The engine is currently overloaded", type: "engine_overloaded_error" } },
      "Transient Overloaded"
    ],
    [
      "Moonshot, no quota",
      429,
      { error: { message: "suspended", type: "exceeded_current_quota_error" } },
      "QuotaExceeded"
    ],
    [
      "xAI, a wrong key, as 400",
      400,
      { code: "invalid-argument", error: "Incorrect API key provided: xa***. You can obtain one." },
      "AuthRejected"
    ],
    [
      "xAI, no credits, as 403",
      403,
      { code: "forbidden", error: "Your team doesn't have any credits yet." },
      "QuotaExceeded"
    ],
    [
      "OpenRouter, the upstream's limit",
      429,
      {
        error: { message: "Provider returned error", code: 429, metadata: { raw: "temporarily rate-limited upstream" } }
      },
      "Transient RateLimited"
    ],
    [
      "Groq, too large, though its code says rate limit",
      413,
      openAi("Request too large for model, tokens per minute", "rate_limit_exceeded", "tokens"),
      "InvalidRequest TooLarge"
    ],
    ["Mistral, a refused key", 401, { detail: "Unauthorized" }, "AuthRejected"],
    [
      "GLM, an unknown model",
      400,
      { error: { code: "1211", message: "模型不存在，请检查模型代码。" } },
      "InvalidRequest ModelNotFound"
    ],
    // Gateways
    ["a gateway, no quota, as 401", 401, openAi("insufficient_quota", "insufficient_quota"), "QuotaExceeded"],
    ["a gateway, no balance, as 403", 403, openAi("insufficient balance"), "QuotaExceeded"],
    ["a gateway, quota_exceeded as its code", 403, openAi("no", "quota_exceeded"), "QuotaExceeded"],
    ["a gateway, usage_limit_reached as its type", 429, openAi("no", null, "usage_limit_reached"), "QuotaExceeded"],
    ["a gateway, out of budget, as 401", 401, openAi("Key is out of budget"), "QuotaExceeded"],
    ["a gateway, out of credits, as 429", 429, openAi("You are out of credits"), "QuotaExceeded"],
    ["a gateway, 余额不足, as 403", 403, openAi("账户余额不足，请充值"), "QuotaExceeded"],
    ["a gateway, 额度 耗尽, as 401", 401, openAi("本月额度已经耗尽"), "QuotaExceeded"],
    ["a gateway, 配额 已达, as 429", 429, openAi("您的配额已达上限"), "QuotaExceeded"],
    ["a gateway, 已达 before 额度, as 429", 429, openAi("已达到本月额度上限"), "QuotaExceeded"],
    ["a gateway, 用完 before 额度, as 401", 401, openAi("您已用完全部额度"), "QuotaExceeded"],
    // Spend limits of 2026
    [
      "Anthropic, the tier's cap, though its type says rate limit",
      429,
      {
        type: "error",
        error: {
          type: "rate_limit_error",
          message: "You have reached your API usage limits: your organization has crossed its monthly threshold.",
          details: { error_code: "enforced_spend_limit_reached" }
        }
      },
      "QuotaExceeded"
    ],
    [
      "Anthropic, the contract's cap",
      429,
      {
        type: "error",
        error: { type: "rate_limit_error", message: "m", details: { error_code: "contract_spend_limit_reached" } }
      },
      "QuotaExceeded"
    ],
    [
      "Anthropic, one's own cap, as 400",
      400,
      anthropic(
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2026-06-01 at 00:00 UTC."
      ),
      "QuotaExceeded"
    ],
    [
      "Anthropic, a workspace's cap, as 400",
      400,
      anthropic("invalid_request_error", "You have reached your specified workspace API usage limits."),
      "QuotaExceeded"
    ],
    [
      "Anthropic, details of another kind",
      429,
      { type: "error", error: { type: "rate_limit_error", message: "m", details: { error_code: "x" } } },
      "Transient RateLimited"
    ],
    ...[
      "credit_balance_exhausted",
      "organization_spend_limit_exceeded",
      "project_spend_limit_exceeded",
      "organization_usage_limit_exceeded"
    ].map(
      (code) =>
        [
          `OpenAI, ${code}, by the code alone`,
          429,
          openAi("Too many requests", code, "rate_limit_error"),
          "QuotaExceeded"
        ] as const
    ),
    // Perplexity
    [
      "Perplexity, too long",
      400,
      {
        error: { message: "The total length of all messages is too long.", type: "too_many_prompt_tokens", code: 400 }
      },
      "InvalidRequest ContextOverflow"
    ],
    [
      "Perplexity, too long, by its type",
      400,
      openAi("User input tokens exceeds 4096 tokens", null, "too_many_prompt_tokens"),
      "InvalidRequest ContextOverflow"
    ],
    [
      "Perplexity, too long, by its words",
      400,
      openAi("The total length of all messages is too long"),
      "InvalidRequest ContextOverflow"
    ],
    [
      "llama.cpp, too long, as 500",
      500,
      { error: { code: 500, message: "Context size has been exceeded.", type: "server_error" } },
      "InvalidRequest ContextOverflow"
    ],
    [
      "a gateway, the wrong wire, as 401",
      401,
      openAi("Model mimo-v2.5-pro is not supported for format anthropic"),
      "InvalidRequest ModelNotFound"
    ],
    [
      "a gateway, the wrong wire, as 400",
      400,
      openAi("model x not supported for format openai"),
      "InvalidRequest ModelNotFound"
    ]
  ] as const) {
    it(`${title}: ${expected}`, () => {
      expect(name(classify(status, body))).toBe(expected)
    })
  }
})

describe("MiniMax, in a 200 and over HTTP", () => {
  for (const [code, expected] of [
    [1000, "Transient ServerError"],
    [1001, "Transient TimedOut"],
    [1002, "Transient RateLimited"],
    [1004, "AuthRejected"],
    [1008, "QuotaExceeded"],
    [1024, "Transient ServerError"],
    [1026, "InvalidRequest ContentFiltered"],
    [1027, "InvalidRequest ContentFiltered"],
    [1028, "QuotaExceeded"],
    [1030, "QuotaExceeded"],
    [2013, "InvalidRequest BadRequest"],
    // "invalid api key": MiniMax-AI/MiniMax-01 issue 37, MiniMax-AI/MiniMax-M2.5 issue 18.
    [2049, "AuthRejected"],
    [2056, "QuotaExceeded"],
    [2061, "InvalidRequest ModelNotFound"]
  ] as const) {
    it(`${code} is ${expected}`, () => {
      expect(name(classify(200, minimax(code)))).toBe(expected)
    })
  }

  it("an empty balance is quota, whatever status it comes with", () => {
    const said = { type: "error", error: { type: "api_error", message: "insufficient balance (1008)" } }
    for (const status of [200, 400, 401, 403, 429, 500]) expect(name(classify(status, said))).toBe("QuotaExceeded")
  })

  // MiniMax-AI/MiniMax-M2.7 issue 36.
  const usedUp =
    "usage limit exceeded, 5-hour usage limit reached for Token Plan Starter (0/0 used), resets at 2026-05-15T15:00:00Z (2056)"

  it("2056 is quota although its type says rate limit, and says when it resets", () => {
    const body = { type: "error", error: { type: "rate_limit_error", message: usedUp, http_code: "429" } }
    for (const error of [classify(429, body), classify(200, body), classify(200, minimax(2056, usedUp))]) {
      expect(name(error)).toBe("QuotaExceeded")
      const resetsAt = error._tag === "QuotaExceeded" ? error.resetsAt : undefined
      expect(resetsAt && DateTime.formatIso(resetsAt)).toBe("2026-05-15T15:00:00.000Z")
    }
  })

  for (const [title, said, resetsAt] of [
    ["a full stop behind the date", "quota exceeded, resets at 2026-05-15T15:00:00Z.", "2026-05-15T15:00:00.000Z"],
    [
      "a sentence behind the date",
      "quota exceeded, resets at 2026-05-15T15:00:00Z. Upgrade now.",
      "2026-05-15T15:00:00.000Z"
    ],
    ["an offset", "quota exceeded, resets at 2026-05-15T23:00:00+08:00 (2056)", "2026-05-15T15:00:00.000Z"],
    [
      "Anthropic's own words",
      "quota exceeded. You will regain access on 2026-06-01 at 00:00 UTC.",
      "2026-06-01T00:00:00.000Z"
    ],
    ["a day that is none", "quota exceeded, resets at 2026-13-45T00:00:00Z", undefined],
    ["no date at all", "quota exceeded", undefined],
    ["words instead of a date", "quota exceeded, resets at midnight", undefined],
    ["a bare number, which is no date", "quota exceeded, resets at 12", undefined]
  ] as const) {
    it(`${title}: resets at ${resetsAt}`, () => {
      const error = classify(429, openAi(said))
      expect(error._tag).toBe("QuotaExceeded")
      const at = error._tag === "QuotaExceeded" ? error.resetsAt : undefined
      expect(at && DateTime.formatIso(at)).toBe(resetsAt)
    })
  }
})

describe("the order of the rules", () => {
  it("quota before the key: exhausted credit as 401 is not a refused key", () => {
    expect(classify(401, openAi("Invalid key", "insufficient_quota"))._tag).toBe("QuotaExceeded")
  })

  it("the wrong format before the key", () => {
    expect(classify(401, openAi("invalid api key: model x not supported for format y"))._tag).toBe("InvalidRequest")
  })

  it("a rate_limit code before words about quota", () => {
    for (const code of ["rate_limit", "rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error"]) {
      expect(name(classify(429, openAi("quota exceeded: insufficient balance of credits", code)))).toBe(
        "Transient RateLimited"
      )
    }
  })

  it("402 before a rate_limit code: it can only mean money", () => {
    expect(name(classify(402, openAi("no", "rate_limit_exceeded")))).toBe("QuotaExceeded")
  })

  it("the status before words about a refused key: a 5xx that mentions keys is transient", () => {
    expect(name(classify(503, openAi("cannot check: invalid api key store")))).toBe("Transient Overloaded")
  })

  it("an error word refines the reason of a transient status, and makes no other status transient", () => {
    expect(name(classify(500, anthropic("overloaded_error")))).toBe("Transient Overloaded")
    expect(name(classify(500, anthropic("rate_limit_error")))).toBe("Transient RateLimited")
    expect(name(classify(400, anthropic("overloaded_error")))).toBe("InvalidRequest BadRequest")
  })
})

describe("what the user wrote decides nothing", () => {
  /** Words that mean something from a server, but in a prompt. */
  const prompts = [
    "insufficient balance",
    "insufficient_quota",
    "余额不足",
    "额度已用完",
    "usage limit reached",
    "quota exceeded",
    "you are out of credits",
    "Your credit balance is too low",
    "You have reached your specified API usage limits",
    "prompt is too long",
    "maximum context length",
    "Incorrect API key provided",
    "invalid api key",
    "insufficient balance (1008)",
    "usage limit exceeded (2056)",
    "was flagged"
  ]
  /** Where servers repeat it. */
  const echoes: ReadonlyArray<readonly [where: string, echo: (prompt: string) => unknown]> = [
    ["in a message", (prompt) => openAi(`cannot render: ${prompt}`)],
    ["at the end of a list of messages", (prompt) => openAi(`bad input: [{"role":"user","content":"${prompt}"}]`)],
    ["as FastAPI's input", (prompt) => ({ detail: [{ type: "x", loc: ["body"], msg: "no", input: prompt }] })],
    [
      "as FastAPI's input, an object",
      (prompt) => ({ detail: [{ msg: "no", input: { code: prompt, message: prompt } }] })
    ],
    ["as text of FastAPI's", (prompt) => ({ detail: `failed on ${prompt}` })],
    ["in an error that is a string", (prompt) => ({ error: `failed on ${prompt}` })],
    ["in a field of its own", (prompt) => ({ request: { prompt } })],
    ["as plain text", (prompt) => `Traceback: ${prompt}`],
    ["on a page", (prompt) => `<html><title>Error: ${prompt}</title></html>`]
  ]
  for (const [where, echo] of echoes) {
    for (const [status, expected] of [
      [422, "InvalidRequest"],
      [500, "Transient ServerError"],
      [502, "Transient ServerError"],
      [503, "Transient Overloaded"]
    ] as const) {
      it(`${where} of a ${status}`, () => {
        for (const prompt of prompts) {
          const error = classify(status, echo(prompt))
          expect([prompt, expected.includes(" ") ? name(error) : error._tag]).toEqual([prompt, expected])
        }
      })
    }

    it(`${where} of a 400: the request is wrong, not a key or an account`, () => {
      for (const prompt of prompts)
        expect([prompt, classify(400, echo(prompt))._tag]).toEqual([prompt, "InvalidRequest"])
    })

    it(`${where} of an error inside a 200 without a code`, () => {
      for (const prompt of prompts) {
        const body = echo(prompt)
        const fault: Fault.Fault = { _tag: "Refused", body: typeof body === "string" ? body : JSON.stringify(body) }
        const error = meant(fault, raw(200, ""), sender)
        const expected = where.includes("messages") || where === "in a message" ? "InvalidRequest" : "Transient"
        expect([prompt, error._tag]).toEqual([prompt, expected])
      }
    })
  }

  it("a refused key is one, even if the server mentions limits and credits", () => {
    for (const said of [
      "Invalid API key. Keys and usage limits are shown in your dashboard",
      "Invalid API key. Buy credits and see your quota in the console",
      "Unauthorized. Usage limits apply",
      "401 Invalid API key; no credits were charged"
    ]) {
      for (const status of [401, 403])
        expect([said, classify(status, openAi(said))._tag]).toEqual([said, "AuthRejected"])
    }
  })

  it("every row of free text names its statuses, but none at which servers repeat what they were sent", () => {
    for (const row of [...Rules.quota, ...Rules.request, ...Rules.auth]) {
      expect(row.from).not.toBe("")
      if (row.text === undefined) continue
      expect(row.status?.length).toBeGreaterThan(0)
      if (row.means._tag === "Quota") expect(row.status).not.toEqual(expect.arrayContaining([422]))
      // A 5xx or a 400 takes only what a message begins with.
      const repeats =
        row.status?.some((status) => status >= 500) || (row.means._tag !== "Request" && row.status?.includes(400))
      if (repeats) expect(row.text.source).toMatch(/^\^/)
    }
  })
})

describe("x-should-retry", () => {
  it("true makes a refused request worth another try, whatever its status (O29)", () => {
    for (const status of [400, 404, 413, 422]) {
      expect(name(classify(status, "", { "x-should-retry": "true" })), String(status)).toBe("Transient ServerError")
    }
  })

  it("true keeps the reason of a status that is transient anyway", () => {
    expect(name(classify(429, "", { "x-should-retry": "true" }))).toBe("Transient RateLimited")
  })

  it("true hides neither a refused key nor an empty balance", () => {
    expect(name(classify(401, "", { "x-should-retry": "true" }))).toBe("AuthRejected")
    expect(name(classify(402, "", { "x-should-retry": "true" }))).toBe("QuotaExceeded")
  })

  it("false is a fact of the error, which keeps its tag (O29)", () => {
    const error = classify(500, "", { "x-should-retry": "false" })
    expect(error).toMatchObject({ _tag: "Transient", reason: "ServerError", shouldRetry: false })
  })
})

describe("an error inside a 200", () => {
  for (const [title, body, expected] of [
    ["Anthropic's overload (A4, V56)", anthropic("overloaded_error"), "Transient Overloaded"],
    ["Anthropic's rate limit", anthropic("rate_limit_error"), "Transient RateLimited"],
    ["Anthropic's timeout", anthropic("timeout_error"), "Transient TimedOut"],
    ["Anthropic's api_error", anthropic("api_error"), "Transient ServerError"],
    ["Anthropic's refused key", anthropic("authentication_error"), "AuthRejected"],
    ["Anthropic's permission", anthropic("permission_error"), "AuthRejected"],
    ["Anthropic's bad request", anthropic("invalid_request_error"), "InvalidRequest BadRequest"],
    ["Anthropic's unknown model", anthropic("not_found_error", "model: x"), "InvalidRequest ModelNotFound"],
    ["Anthropic's size", anthropic("request_too_large"), "InvalidRequest TooLarge"],
    ["Anthropic's credit", anthropic("invalid_request_error", "credit balance is too low"), "QuotaExceeded"],
    ["OpenAI's server error (V67)", openAi("The server had an error", null, "server_error"), "Transient ServerError"],
    ["OpenAI's refused key", openAi("no", "invalid_api_key"), "AuthRejected"],
    ["OpenAI's rate limit", openAi("slow down", "rate_limit_exceeded", "tokens"), "Transient RateLimited"],
    ["OpenAI's quota", openAi("no", "insufficient_quota"), "QuotaExceeded"],
    ["a number that is a status (V67)", { error: { code: 400, message: "bad" } }, "InvalidRequest BadRequest"],
    ["a number that is a status, 401", { error: { code: 401, message: "who?" } }, "AuthRejected"],
    ["a number that is a status, 402", { error: { code: 402, message: "pay" } }, "QuotaExceeded"],
    ["a number that is a status, 429", { error: { code: 429, message: "slow" } }, "Transient RateLimited"],
    [
      "a number that is a status, 502 (OpenRouter)",
      { error: { code: 502, message: "upstream" } },
      "Transient ServerError"
    ],
    [
      "Groq's failed tool call",
      { error: { code: "tool_use_failed", status_code: 400, message: "no" } },
      "InvalidRequest BadRequest"
    ],
    [
      "GPUStack's field",
      { detail: "failed to decode, try again", error: { message: "failed to decode" } },
      "Transient ServerError"
    ],
    ["xAI's string (V70)", { code: "invalid-argument", error: "Incorrect API key provided" }, "AuthRejected"],
    ["Perplexity's length", openAi("no", null, "too_many_prompt_tokens"), "InvalidRequest ContextOverflow"],
    ["words of no known kind: the server broke off", { error: { message: "oops" } }, "Transient ServerError"],
    ["a payload that is null (O83)", null, "Transient ServerError"],
    ["a payload that is text (O83)", "oops", "Transient ServerError"],
    ["a payload that is a number (O83)", 7, "Transient ServerError"]
  ] as const) {
    it(`${title}: ${expected}, and the 200 is kept`, () => {
      const fault: Fault.Fault = { _tag: "Refused", body: typeof body === "string" ? body : JSON.stringify(body) }
      const error = meant(fault, raw(200, ""), sender)
      expect(name(error)).toBe(expected)
      expect(error.status).toBe(200)
    })
  }
})

describe("an answer that is not one", () => {
  const headers = { "content-type": "text/html", "x-request-id": "req-7" }
  const fault = (fault: Fault.Fault, body = "") => meant(fault, raw(200, body, headers), sender)

  it("malformed: what is wrong, and how it begins", () => {
    expect(fault({ _tag: "Malformed", reason: "NotTheProtocol", preview: "<html>".repeat(50) })).toMatchObject({
      _tag: "InvalidResponse",
      reason: "NotTheProtocol",
      contentType: "text/html",
      preview: "<html>".repeat(20),
      requestId: "req-7",
      status: 200
    })
  })

  it("overloaded: the provider's word is the code (DeepSeek)", () => {
    expect(fault({ _tag: "BrokenOff", code: "insufficient_system_resource", reason: "Overloaded" })).toMatchObject({
      _tag: "Transient",
      reason: "Overloaded",
      code: "insufficient_system_resource"
    })
  })

  it("cut: the system's word is the code, where there is one", () => {
    expect(fault({ _tag: "Cut", code: "ECONNRESET" })).toMatchObject({
      reason: "StreamInterrupted",
      code: "ECONNRESET"
    })
    expect(fault({ _tag: "Cut", code: undefined })).toMatchObject({ reason: "StreamInterrupted" })
    expect(fault({ _tag: "Cut", code: undefined })).not.toHaveProperty("code")
  })

  it("stalled: which clock ran out", () => {
    expect(fault({ _tag: "Stalled", clock: "idle" })).toMatchObject({ reason: "StreamStalled", clock: "idle" })
    expect(fault({ _tag: "Stalled", clock: "stall" })).toMatchObject({ reason: "StreamStalled", clock: "stall" })
  })

  it("what the model said is bounded, scrubbed and on one line, and crosses a boundary unchanged", () => {
    const said = `\u001b[31m${plantedKey}\u0007\u0000${"x".repeat(100_000)}`
    const [inputTokens, outputTokens] = [Number.POSITIVE_INFINITY, Number.NaN]
    const error = fault({
      _tag: "Malformed",
      reason: "Refused",
      preview: "",
      mismatch: said,
      refusal: said,
      tool: said,
      finishReason: said,
      usage: { inputTokens, outputTokens, totalTokens: 8, cachedInputTokens: 0, reasoningTokens: undefined }
    })
    assert(error._tag === "InvalidResponse")
    const texts = [error.mismatch, error.refusal, error.tool, error.finishReason]
    expect(texts.map((text) => text?.length)).toEqual([200, 800, 120, 120])
    for (const text of texts) {
      expect(text).not.toMatch(/\p{Cc}/u)
      expect(text).not.toContain(plantedKey.slice(3, 11))
    }
    expect(error.usage).toEqual({ totalTokens: 8, cachedInputTokens: 0 })
    const crossed = JSON.parse(JSON.stringify(Schema.encodeSync(ProviderError.schema)(error)))
    expect({ ...Schema.decodeUnknownSync(ProviderError.schema)(crossed) }).toEqual({ ...error })
  })

  it("what the model did not say is left out", () => {
    const error = fault({ _tag: "Malformed", reason: "NotJson", preview: "", tool: "", finishReason: "", refusal: "" })
    expect(error).toMatchObject({ reason: "NotJson" })
    for (const fact of ["tool", "finishReason", "refusal"]) expect(error).not.toHaveProperty(fact)
  })

  it("what was said before does not matter", () => {
    expect(
      name(fault({ _tag: "Cut", code: undefined }, JSON.stringify(openAi("insufficient_quota", "insufficient_quota"))))
    ).toBe("Transient StreamInterrupted")
  })
})

describe("a redirect", () => {
  const to = (location: string) => classify(307, "", { location, "content-type": "text/html" })

  it("is an InvalidResponse that names where it pointed (O105)", () => {
    expect(to("https://elsewhere.test/v1")).toMatchObject({
      _tag: "InvalidResponse",
      reason: "Redirect",
      status: 307,
      contentType: "text/html",
      location: "https://elsewhere.test/v1"
    })
  })

  it("without a location names none", () => {
    expect(classify(302, "")).toMatchObject({ reason: "Redirect" })
    for (const fact of ["location", "detail"]) expect(classify(302, "")).not.toHaveProperty(fact)
  })

  it("does not show a key in its location", () => {
    expect(JSON.stringify(to(`https://elsewhere.test/?key=${plantedKey}`))).not.toContain(plantedKey)
  })
})

describe("the facts", () => {
  const full = () =>
    classify(
      429,
      { error: { message: "Slow down", type: "requests", code: "rate_limit_exceeded", param: "tokens" } },
      { "x-request-id": "req-1", "retry-after": "7" }
    )

  it("status, code, message, request id and wait are the server's", () => {
    expect(full()).toMatchObject({
      provider: "p",
      attempts: 1,
      emitted: false,
      status: 429,
      code: "rate_limit_exceeded",
      detail: "Slow down: tokens",
      requestId: "req-1",
      retryAfter: Duration.seconds(7)
    })
  })

  it("a refused key is named by its source and fingerprint, and by whether it had been accepted", () => {
    const fingerprint = key._tag === "Key" ? key.fingerprint : ""
    expect(classify(401, "")).toMatchObject({ source: "MIMO_API_KEY", fingerprint, knownGood: true })
    const first = refused(raw(401, ""), { ...sender, knownGood: false })
    expect(first).toMatchObject({ _tag: "AuthRejected", knownGood: false })
  })

  it("401 and 403 without a key are AuthMissing", () => {
    for (const status of [401, 403]) {
      const error = refused(raw(status, ""), { ...sender, key: noKey })
      expect(error).toMatchObject({ _tag: "AuthMissing", source: "MIMO_API_KEY", problem: "Absent", status })
    }
  })

  it("emitted says whether output had reached the caller", () => {
    expect(
      refused(raw(200, anthropic("overloaded_error")), { ...sender, sofar: { partial: "", emitted: true } }).emitted
    ).toBe(true)
  })

  it("the server's words are cut at 800 characters, its code at 120, its request id at 200", () => {
    const error = classify(400, openAi("m".repeat(2000), "c".repeat(500)), { "x-request-id": "r".repeat(500) })
    expect([error.detail?.length, error.code?.length, error.requestId?.length]).toEqual([800, 120, 200])
  })

  it("a body without a message leaves out the detail", () => {
    expect(classify(500, "").detail).toBeUndefined()
  })

  for (const status of [200, 302, 400, 401, 402, 404, 429, 500]) {
    it(`${status}: an echoed key is in no field`, () => {
      const echo = { error: { message: `bad ${plantedKey}`, code: plantedKey, type: plantedKey, param: plantedKey } }
      const error = classify(status, echo, {
        "x-request-id": plantedKey,
        "content-type": `text/plain; key=${plantedKey}`,
        location: plantedKey
      })
      for (let i = 0; i + 8 <= plantedKey.length; i++) {
        expect(JSON.stringify(error).toLowerCase()).not.toContain(plantedKey.slice(i, i + 8).toLowerCase())
      }
    })
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// Whatever a server writes
// ---------------------------------------------------------------------------------------------------------------------

/** The most characters of each text that a server writes. */
const bounds = {
  detail: 800,
  code: 120,
  requestId: 200,
  contentType: 120,
  location: 800,
  preview: 120,
  mismatch: 200,
  refusal: 800,
  finishReason: 120
}

const spellings = [
  plantedKey,
  plantedKey.toUpperCase(),
  Array.from(plantedKey).join("\u200b"),
  plantedKey.replace(/./g, (letter) => `\u001b[1m${letter}`),
  Array.from(plantedKey, (letter) => `%${letter.charCodeAt(0).toString(16)}`).join("")
]

/** A text of anything: the key, its mask, control characters, half characters, and a lot of it. */
const said = fc
  .tuple(
    fc.array(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom(
          ...spellings,
          "**** ",
          "sk-1234567 ",
          "\u001b]0;x\u0007",
          "\u202e",
          "\ud83d",
          "\n",
          "insufficient_quota",
          "429"
        ),
        fc.constantFrom("resets at 2026-05-15T15:00:00Z", "resets at 9999-12-31T23:59:59-23:59", "(1008)")
      ),
      { maxLength: 6 }
    ),
    fc.constantFrom(1, 1, 1, 30, 200, 2000)
  )
  .map(([words, times]) => words.join("").repeat(times))

const field = fc.oneof(
  said,
  said,
  fc.constant(undefined),
  fc.integer(),
  fc.constant(null),
  fc.constant({ toString: 1 })
)
const body = fc.oneof(
  said,
  fc
    .record({
      message: field,
      code: field,
      type: field,
      param: field,
      request_id: field,
      status: field,
      details: field
    })
    .chain((error) =>
      fc.constantFrom<unknown>(
        { error },
        error,
        { base_resp: { status_code: 2056, status_msg: error.message }, trace_id: error.request_id },
        { detail: [{ msg: error.message, loc: [error.code, 1] }] },
        { error: error.message, request_id: error.request_id }
      )
    )
    .map((body) => JSON.stringify(body)),
  fc.json()
)

/** What HTTP lets through: anything in one line, and fetch less than that. */
const header = fc.oneof(said, fc.constantFrom(undefined, "1", "1e999", "Infinity", "9".repeat(400), "0"))
const headers = fc.record({
  "retry-after": header,
  "retry-after-ms": header,
  "x-request-id": header,
  "content-type": header,
  location: header,
  "x-should-retry": fc.constantFrom(undefined, "true", "false")
})
const status = fc.constantFrom(0, 200, 302, 400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529)

const count = fc.oneof(fc.integer(), fc.constantFrom(undefined, Number.POSITIVE_INFINITY, Number.NaN))
const fault: fc.Arbitrary<Fault.Fault> = fc.oneof(
  body.map((body) => ({ _tag: "Refused" as const, body })),
  fc.record({
    _tag: fc.constant("Malformed" as const),
    reason: fc.constantFrom(...ProviderError.InvalidResponseReason.literals),
    preview: said,
    mismatch: said,
    refusal: said,
    finishReason: said,
    usage: fc.record({
      inputTokens: count,
      outputTokens: count,
      totalTokens: count,
      cachedInputTokens: count,
      reasoningTokens: count
    })
  }),
  fc.record({
    _tag: fc.constant("BrokenOff" as const),
    code: said,
    reason: fc.constantFrom("Overloaded" as const, "ServerError" as const)
  }),
  fc.oneof(said, fc.constant(undefined)).map((code) => ({ _tag: "Cut" as const, code })),
  fc.constantFrom("idle" as const, "stall" as const).map((clock) => ({ _tag: "Stalled" as const, clock }))
)

const anyErrorWith = (...keys: ReadonlyArray<typeof key>) =>
  fc.oneof(
    fc
      .tuple(status, headers, body, fc.constantFrom(...keys))
      .map(([status, headers, body, key]) => refused(raw(status, body, headers), { ...sender, key })),
    fc.tuple(fault, headers, body).map(([fault, headers, body]) => meant(fault, raw(200, body, headers), sender))
  )

const anyError = anyErrorWith(key, noKey)

describe("whatever a server writes", () => {
  const { schema } = ProviderError
  const runs = { fastCheck: { numRuns: 1500 } }

  it.prop(
    "no text of an error is longer than its bound, has a character that does not show, or a piece of the key",
    [anyErrorWith(key)],
    ([error]) => {
      const facts: { readonly [name: string]: unknown } = { ...error }
      for (const [name, most] of Object.entries(bounds)) {
        const text = facts[name]
        if (typeof text !== "string") continue
        expect([name, text.length <= most]).toEqual([name, true])
        expect([name, /[\p{Cc}\p{Cs}\u202a-\u202e]/u.test(text)]).toEqual([name, false])
      }
      const shown = JSON.stringify(error).toLowerCase()
      for (let i = 0; i + 8 <= plantedKey.length; i++) {
        expect(shown).not.toContain(plantedKey.slice(i, i + 8).toLowerCase())
      }
    },
    runs
  )

  it.prop(
    "every error of every class survives a JSON round trip",
    [anyError],
    ([error]) => {
      const sent = JSON.stringify(Schema.encodeSync(schema)(error))
      const back = Schema.decodeUnknownSync(schema)(JSON.parse(sent))
      expect(back.constructor).toBe(error.constructor)
      expect(JSON.stringify(Schema.encodeSync(schema)(back))).toBe(sent)
      expect(back.message).toBe(error.message)
    },
    runs
  )

  it("all six classes occur", () => {
    const tags = new Set(fc.sample(anyError, { numRuns: 1500, seed: 1 }).map((error) => error._tag))
    expect([...tags].sort()).toEqual([
      "AuthMissing",
      "AuthRejected",
      "InvalidRequest",
      "InvalidResponse",
      "QuotaExceeded",
      "Transient"
    ])
  })

  it("a key that straddles a bound is not shown in part", () => {
    for (const [name, most] of Object.entries(bounds)) {
      for (let before = most - 40; before <= most; before++) {
        const text = "x ".repeat(400).slice(0, before) + plantedKey
        const error = meant(
          { _tag: "Malformed", reason: "NotJson", preview: text, mismatch: text, refusal: text, finishReason: text },
          raw(200, "", { "content-type": text, "x-request-id": text }),
          sender
        )
        const refused = classify(307, openAi(text, text), { location: text })
        for (const { [name]: shown } of [{ ...error }, { ...refused }] as ReadonlyArray<Record<string, unknown>>) {
          for (let i = 0; i + 8 <= plantedKey.length; i++)
            expect(String(shown)).not.toContain(plantedKey.slice(i, i + 8))
        }
      }
    }
  })

  it("the cost of an error is linear in what was written", () => {
    const words = (size: number) => "The key sk-1234 is *** wrong \u001b[1m. ".repeat(size / 36)
    const judge = (text: string) => {
      classify(400, openAi(text, text, text), { "x-request-id": text, "retry-after": text })
      classify(307, text, { location: text, "content-type": text })
      meant({ _tag: "Refused", body: JSON.stringify(openAi(text)) }, raw(200, text), sender)
    }
    const judging = (size: number) => {
      const text = words(size)
      return () => judge(text)
    }
    expect(Cost.growth(judging(72_000), judging(288_000))).toBeLessThan(8)
  })
})

describe("the recorded refusals", () => {
  interface Recorded {
    readonly id: string
    readonly provider: string
    readonly status: number
    readonly headers: { readonly [name: string]: string }
    readonly body: string | null
  }

  const file = new URL("../../../shared/recordings/errors.json", import.meta.url)
  const present = existsSync(file)
  const all: ReadonlyArray<Recorded> = present ? JSON.parse(readFileSync(file, "utf8")) : []
  const recorded = all.filter((entry): entry is Recorded & { readonly body: string } => entry.body !== null)

  /** What each means, judged by reading it. The ids name provider and case; the folder's README names the sources. */
  const expected: { readonly [id: string]: string } = {
    "deepseek--deepseek-v4-flash-anthropic-error-empty.r": "InvalidRequest BadRequest",
    "deepseek--deepseek-v4-flash-anthropic-error-model.r": "InvalidRequest ModelNotFound",
    "deepseek--deepseek-v4-flash-error-model.r": "InvalidRequest ModelNotFound",
    "deepseek--deepseek-v4-flash-error-tool-format.r": "InvalidRequest BadRequest",
    "deepseek--deepseek-v4-pro-error-tool-format.r": "InvalidRequest BadRequest",
    "zai--glm-4.7-anthropic-error-auth.r": "AuthRejected",
    "zai--glm-4.7-anthropic-error-model.r": "InvalidRequest ModelNotFound",
    "zai--glm-4.7-error-empty.r": "InvalidRequest BadRequest",
    "zai--glm-4.7-error-model.r": "InvalidRequest ModelNotFound",
    "zai--glm-5.2-anthropic-error-empty.r": "InvalidRequest BadRequest",
    "mimo--mimo-v2.5-pro-anthropic-error-auth.r": "AuthRejected",
    "mimo--mimo-v2.5-pro-anthropic-error-model.r": "InvalidRequest ModelNotFound",
    "mimo--mimo-v2.5-pro-error-auth.r": "AuthRejected",
    "mimo--mimo-v2.5-pro-error-model.r": "InvalidRequest ModelNotFound",
    "minimax--minimax-m2.7-anthropic-error-empty.r": "InvalidRequest BadRequest",
    "minimax--minimax-m2.7-error-auth.r": "AuthRejected",
    "minimax--minimax-m2.7-error-empty.r": "InvalidRequest BadRequest",
    "minimax--minimax-m2.7-error-model.r": "InvalidRequest ModelNotFound",
    "minimax--minimax-m2.7-error-tool-format.r": "InvalidRequest BadRequest",
    "minimax--minimax-m3-anthropic-error-auth.r": "AuthRejected",
    "minimax--minimax-m3-error-tool-format.r": "InvalidRequest BadRequest",
    // A parameter that this model does not accept; the model itself exists.
    "openai--reasoning-model-legacy-parameter.r": "InvalidRequest BadRequest",
    "anthropic--400-iku-4-5-handles-context-length-exceeded-errors-3d60.r": "InvalidRequest ContextOverflow",
    "anthropic--404-model-name-suggestion-anthropic-cdc2.r": "InvalidRequest ModelNotFound",
    "anthropic--401-auth-rejection-carries-identity-10f4.r": "AuthRejected",
    "anthropic--400-validation-error-carries-identity-6cee.r": "InvalidRequest BadRequest",
    "anthropic--404-existent-model-error-preserves-status-and-body-c634.r": "InvalidRequest ModelNotFound",
    "anthropic--404-treaming-connect-4xx-matches-blocking-richness-e896.r": "InvalidRequest ModelNotFound",
    "anthropic--400-cyclic-root-ref-aliases-are-rejected-239e.r": "InvalidRequest BadRequest",
    "azure--429-reasoning-handles-context-length-exceeded-err-5ac6.r": "Transient RateLimited",
    // An image for a model that reads none: a bad request, but the model exists.
    "deepseek--400-blocking-image-base64-part-reaches-the-wire-98bc.r": "InvalidRequest BadRequest",
    "deepseek--400-eepseek-handles-context-length-exceeded-errors-d74c.r": "InvalidRequest ContextOverflow",
    "deepseek--401-ion-rejects-a-bogus-key-with-the-provider-body-d197.r": "AuthRejected",
    "deepseek--400-ejects-an-unknown-model-with-the-provider-body-ff18.r": "InvalidRequest ModelNotFound",
    "doubleword--403-invalid-key-blocking-6905.r": "AuthRejected",
    "doubleword--400-invalid-temperature-blocking-ad32.r": "InvalidRequest BadRequest",
    "groq--404-tool-regular-error-5d03.r": "InvalidRequest ModelNotFound",
    "groq--400-tool-use-failed-error-with-text-94a2.r": "InvalidRequest BadRequest",
    // llama.cpp answers what it was built without as 500; a 5xx is the server's matter.
    "llamacpp--500-unfetchable-image-url-db01.r": "Transient ServerError",
    "llamacpp--500-tools-without-jinja-5616.r": "Transient ServerError",
    "llamacpp--500-schema-and-grammar-conflict-300a.r": "Transient ServerError",
    "llamacpp--401-missing-api-key-is-401-e4b0.r": "AuthRejected",
    "llamacpp--400-malformed-request-field-af56.r": "InvalidRequest BadRequest",
    "mistral--401-mistral-small-laraises-appropriate-auth-error-a2e4.r": "AuthRejected",
    "mistral--400-blocking-ministral-3b-51b5.r": "InvalidRequest BadRequest",
    "ollama--400-ss-120b-handles-context-length-exceeded-errors-43f3.r": "InvalidRequest ContextOverflow",
    "openai--400-openai-web-search-tool-model-not-supported-7592.r": "InvalidRequest BadRequest",
    "openai--404-model-name-suggestion-openai-chat-080a.r": "InvalidRequest ModelNotFound",
    "openai--400-return-matrix-direct-binary-audio-openai-chat-e025.r": "InvalidRequest BadRequest",
    "openrouter--401-claude-haiku-4-5-raises-appropriate-auth-error-fb2b.r": "AuthRejected",
    "openrouter--400-iku-4-5-handles-context-length-exceeded-errors-1f66.r": "InvalidRequest ContextOverflow",
    "openrouter--400-routed-failure-error-shape-d862.r": "InvalidRequest ModelNotFound",
    "perplexity--401-perplexity-sonar-raises-appropriate-auth-error-0627.r": "AuthRejected",
    "venice--404-existent-model-error-preserves-status-and-body-f4e1.r": "InvalidRequest ModelNotFound",
    "xai--400-model-responses-endpoint.r": "InvalidRequest ModelNotFound",
    "openai--401-auth-responses-endpoint.r": "AuthRejected",
    "openai--400-context-length-responses-endpoint.r": "InvalidRequest ContextOverflow",
    // Reported in issue threads.
    "t-mimo-400-reasoning-passback": "InvalidRequest BadRequest",
    "t-mimo-429-limitation": "Transient RateLimited",
    "t-mimo-500-html-in-json": "Transient ServerError",
    "t-deepseek-400-reasoning-passback": "InvalidRequest BadRequest",
    "t-deepseek-400-thinking-passback-anthropic": "InvalidRequest BadRequest",
    "t-deepseek-400-octet-stream": "InvalidRequest BadRequest",
    "t-minimax-429-balance": "QuotaExceeded",
    "t-minimax-500-balance-anthropic": "QuotaExceeded",
    "t-minimax-200-base-resp-1004": "AuthRejected",
    "t-moonshot-401": "AuthRejected",
    "t-moonshot-429-overloaded": "Transient Overloaded",
    "t-moonshot-429-rate": "Transient RateLimited",
    "t-anthropic-529-overloaded": "Transient Overloaded",
    "t-anthropic-529-overloaded-no-request-id": "Transient Overloaded",
    "t-anthropic-200-midstream-overloaded": "Transient Overloaded",
    "t-anthropic-400-credit": "QuotaExceeded",
    "t-anthropic-520-cloudflare-html": "Transient ServerError",
    "t-generic-502-nginx": "Transient ServerError",
    "t-openai-429-rpm": "Transient RateLimited",
    "t-openai-400-context": "InvalidRequest ContextOverflow",
    "t-openrouter-429-upstream": "Transient RateLimited",
    // More tokens in one request than a minute allows: waiting does not help.
    "t-groq-413-too-large": "InvalidRequest TooLarge",
    "t-vllm-400-context": "InvalidRequest ContextOverflow"
  }

  /** An error that is an event of a stream has its JSON in the event. */
  const bodyOf = ({ body, headers }: { readonly body: string; readonly headers: Recorded["headers"] }): string => {
    if (!/event-stream/.test(headers["content-type"] ?? "")) return body
    let data = ""
    Sse.make({ onEvent: (said) => (data = said) }).feed(new TextEncoder().encode(body))
    return data
  }

  it.skipIf(!present)("../shared/recordings: each has a row in the table, and each row has a recording", () => {
    expect(recorded.map((entry) => entry.id).sort()).toEqual(Object.keys(expected).sort())
  })

  for (const [id, meaning] of Object.entries(expected)) {
    it.skipIf(!present)(`../shared/recordings: ${id} is ${meaning}`, () => {
      const entry = recorded.find((entry) => entry.id === id)
      if (entry === undefined) throw new Error(`there is no recording ${id}`)
      const error = classify(entry.status, bodyOf(entry), entry.headers)
      expect(name(error)).toBe(meaning)
      expect(error.status).toBe(entry.status)
      expect(error.detail).not.toBe("")
    })
  }
})
