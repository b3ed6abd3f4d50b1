/** What a refused request says, read out of every shape of body that gateways answer with, and out of the headers. */
import { afterEach, describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Refusal from "../../src/refusal/Refusal.js"
import * as Cost from "../Cost.js"

const now = Date.UTC(2026, 0, 15, 12, 0, 0)

const read = (body: string, raw: Partial<Refusal.Raw> = {}): Refusal.Refusal =>
  Refusal.read({ provider: "p", status: 400, headers: {}, now, ...raw, body })

describe("the body", () => {
  for (const [title, body, expected] of [
    [
      "an error object (OpenAI)",
      { error: { message: "No such model", type: "invalid_request_error", param: "model", code: "model_not_found" } },
      { message: "No such model", code: "model_not_found", words: ["model_not_found", "invalid_request_error"] }
    ],
    [
      "an error object in an envelope (Anthropic)",
      { type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req_1" },
      { message: "Overloaded", code: "overloaded_error", words: ["overloaded_error"], requestId: "req_1" }
    ],
    [
      "a status as the code, which is not the word worth showing (MiMo)",
      { error: { message: "Invalid API Key", param: "Please provide it", code: "401", type: "invalid_key" } },
      { code: "invalid_key", words: ["401", "invalid_key"], text: "Invalid API Key: Please provide it" }
    ],
    [
      "a number as the code (OpenRouter, llama.cpp)",
      { error: { message: "Missing Authentication header", code: 401 } },
      { message: "Missing Authentication header", code: "401", words: ["401"] }
    ],
    [
      "the upstream's own words beside the relay's (OpenRouter)",
      {
        error: {
          message: "Provider returned error",
          code: 429,
          metadata: { raw: "limited upstream", provider_name: "x" }
        }
      },
      { message: "Provider returned error", text: "Provider returned error: limited upstream" }
    ],
    [
      "an error that is a string (Venice)",
      { error: "Specified model not found" },
      { message: "Specified model not found", code: undefined, words: [] }
    ],
    [
      "an error that is a string, with a code beside it (xAI)",
      { code: "invalid-argument", error: "Incorrect API key provided" },
      { message: "Incorrect API key provided", code: "invalid-argument", words: ["invalid-argument"] }
    ],
    ["a detail that is a string (Mistral)", { detail: "Invalid API Key" }, { message: "Invalid API Key", words: [] }],
    [
      "a detail that is a list (FastAPI)",
      { detail: [{ loc: ["body", "model"], msg: "field required" }] },
      { message: "body.model: field required", text: "body.model: field required", words: [] }
    ],
    [
      "a list of details, of which only place and words are the server's (Pydantic)",
      {
        detail: [
          { type: "missing", loc: ["body", "model"], msg: "Field required", input: "insufficient balance" },
          {
            type: "list_type",
            loc: ["body", 0],
            msg: "not a list",
            input: { code: "insufficient_quota" },
            ctx: { a: 1 }
          },
          { msg: "no" },
          { input: "余额不足" },
          "more",
          7
        ]
      },
      { message: "body.model: Field required; body.0: not a list; no; more", words: [] }
    ],
    [
      "a detail that is an object",
      { detail: { message: "no balance", code: "quota_exceeded" } },
      { message: "no balance", code: "quota_exceeded", words: ["quota_exceeded"] }
    ],
    [
      "a detail with an error in it",
      { detail: { error: { message: "slow down", type: "rate_limit" } } },
      { message: "slow down", words: ["rate_limit"] }
    ],
    [
      "an error in a list (Google)",
      [{ error: { code: 429, message: "slow down", status: "RESOURCE_EXHAUSTED" } }],
      { message: "slow down", words: ["429"] }
    ],
    [
      "Anthropic's code in the details (spend limits)",
      {
        type: "error",
        error: { type: "rate_limit_error", message: "m", details: { error_code: "enforced_spend_limit_reached" } }
      },
      { code: "enforced_spend_limit_reached", words: ["enforced_spend_limit_reached", "rate_limit_error"] }
    ],
    ["details that are text (Azure)", { error: { code: "E", message: "m", details: "d" } }, { words: ["E"] }],
    [
      "an object of no known shape is shown, and is no reason",
      { input: "insufficient_quota" },
      { message: '{"input":"insufficient_quota"}', text: "", words: [] }
    ],
    [
      "all fields flat (vLLM, Mistral)",
      { object: "error", message: "Too long", type: "BadRequestError", param: null, code: 400 },
      { message: "Too long", code: "BadRequestError", words: ["400", "BadRequestError"], text: "Too long" }
    ],
    ["a message under `msg`", { msg: "no", code: "E7" }, { message: "no", code: "E7" }],
    [
      "MiniMax's base_resp",
      { base_resp: { status_code: 1004, status_msg: "login fail" }, trace_id: "t-1" },
      { message: "login fail", code: "minimax:1004", words: ["minimax:1004"], requestId: "t-1" }
    ],
    [
      "MiniMax's number in brackets behind the message",
      { type: "error", error: { type: "api_error", message: "insufficient balance (1008)" }, request_id: "r-1" },
      { message: "insufficient balance (1008)", words: ["api_error", "minimax:1008"], requestId: "r-1" }
    ],
    ["brackets in the middle are not MiniMax's", { error: { message: "tokens (1008) left" } }, { words: [] }],
    ["brackets behind words that are not MiniMax's", { error: { message: "cannot parse: (1008)" } }, { words: [] }],
    [
      "HTML inside JSON (MiMo relays a 502 so)",
      { error: { code: "500", message: "<html><head><title>502 Bad Gateway</title></head></html>" } },
      { message: "502 Bad Gateway", words: ["500"] }
    ],
    [
      "empty strings and nulls say nothing",
      { error: { message: "", code: null, type: "" }, message: "m" },
      { message: "m", words: [] }
    ],
    ["white space is folded", { error: { message: " a\n\n  b\t" } }, { message: "a b" }]
  ] as const) {
    it(title, () => {
      expect(read(JSON.stringify(body))).toMatchObject(expected)
    })
  }

  it("the title of an HTML page is the message", () => {
    const page = "<html>\r\n<head><title>502 Bad\r\nGateway</title></head>\r\n<body><h1>no</h1></body></html>"
    expect(read(page)).toMatchObject({ message: "502 Bad Gateway", words: [], code: undefined })
  })

  it("an HTML page without a title gives its text", () => {
    expect(read("<html><body><h1>Access denied</h1><p>by the proxy</p></body></html>").message).toBe(
      "Access denied by the proxy"
    )
  })

  it("plain text is the message", () => {
    expect(read("upstream connect error\n").message).toBe("upstream connect error")
  })

  it("a less-than sign in a sentence is not HTML", () => {
    const said = "temperature must be < 2 and top_p > 0"
    expect(read(JSON.stringify({ error: { message: said } })).message).toBe(said)
  })

  it("truncated JSON still gives its message and the codes before the cut", () => {
    const whole = JSON.stringify({
      error: { type: "rate_limit_error", code: "rate_limit_exceeded", message: `Too many: ${"x".repeat(5000)}` }
    })
    const { message, ...rest } = read(whole.slice(0, 4096))
    expect(rest).toMatchObject({ code: "rate_limit_exceeded", words: ["rate_limit_exceeded", "rate_limit_error"] })
    expect(message).toMatch(/^Too many: x{3900,}…$/)
  })

  it("JSON that was truncated before any message is shown as it is", () => {
    expect(read('{"error":{"code":"rate_li')).toMatchObject({ message: '{"error":{"code":"rate_li', words: [] })
  })

  it("truncated JSON is read by its own structure, not by what the user wrote", () => {
    const whole = JSON.stringify({
      detail: [
        {
          type: "missing",
          loc: ["body", "model"],
          msg: "Field required",
          input: { message: "insufficient balance", code: "insufficient_quota", type: "insufficient_quota" }
        }
      ]
    })
    for (let end = 1; end < whole.length; end++) {
      const { message, text, words } = read(whole.slice(0, end))
      expect(words).toEqual([])
      expect(text).not.toContain("insufficient")
      if (end > whole.indexOf('"input"')) expect(message).toBe("body.model: Field required")
    }
  })

  it("JSON that was truncated inside a code has no code, wherever that is", () => {
    const whole = '{"error":{"message":"a \\"b\\" \\u00e9","code":"insufficient_quota_later","n":429}}'
    const { message, text, words } = read(whole)
    for (let end = whole.indexOf(',"code"'); end < whole.length; end++) {
      const half = read(whole.slice(0, end))
      expect({ message: half.message, text: half.text }).toEqual({ message, text })
      expect([[], words]).toContainEqual(half.words)
    }
  })

  for (const body of [
    "",
    " \n",
    "null",
    "[]",
    "42",
    '"text"',
    "{}",
    "[null]",
    '{"error":null}',
    '{"error":[]}',
    '{"error":7}'
  ]) {
    it(`${JSON.stringify(body)} has no codes, and does not fail`, () => {
      expect(read(body)).toMatchObject({ words: [], code: undefined, requestId: undefined, status: 400 })
    })
  }

  it("an empty body says nothing", () => {
    expect(read("")).toMatchObject({ message: "", text: "" })
  })

  for (const [title, piece] of [
    ["of tags that do not end", "<"],
    ["of titles", "<title>"],
    ["of white space", " "],
    ["of white space and numbers in brackets", "(1008)  "],
    ["of quoted quotes", '"'],
    ["of brackets", "["],
    ["of objects that begin", '{"a":'],
    ["of commas", ","],
    ["of words of models", "model "],
    ["of digits", "1"]
  ] as const) {
    it(`the cost is linear in the body: ${title}`, () => {
      const bodies = (size: number) => {
        const words = piece.repeat(size / piece.length)
        const error = { message: words, code: words, type: words, param: words, metadata: { raw: words } }
        return [
          words,
          JSON.stringify({ error, request_id: words }),
          JSON.stringify({ error, request_id: words }).slice(0, -3),
          `{"error":{"message":"m","a":${words}`,
          JSON.stringify({ detail: Array.from({ length: 10 }, () => ({ loc: [words], msg: words })) })
        ]
      }
      const reading = (size: number) => {
        // Several times, so that there is something to measure; longer bodies would measure how V8 fetches memory.
        const all = Array.from({ length: 6 }, () => bodies(size)).flat()
        return () => {
          for (const body of all) {
            const headers = { "retry-after": body, "retry-after-ms": body, "x-request-id": body }
            read(body, { status: 200, headers })
          }
        }
      }
      // Where each sign is a new beginning, four times the length takes 16 times as long.
      expect(Cost.growth(reading(12_000), reading(48_000))).toBeLessThan(8)
    })
  }

  for (const field of [
    "code",
    "type",
    "status_code",
    "http_code",
    "status",
    "message",
    "param",
    "details",
    "metadata"
  ]) {
    it(`an object with its own methods as ${field} is not a code`, () => {
      const body = JSON.stringify({
        error: { message: "m", [field]: { toString: 1, valueOf: 1, error_code: { toString: 1 } } }
      })
      expect(read(body, { status: 200 }).words).toEqual([])
      expect(read(`[${body}]`, { status: 200 }).words).toEqual([])
    })
  }

  it("a text of megabytes is cut when it is read", () => {
    const words = "x".repeat(4_000_000)
    const { code, message, requestId, text } = read(
      JSON.stringify({
        error: { message: words, code: words, param: words, metadata: { raw: words } },
        request_id: words
      })
    )
    expect(Math.max(message.length, text.length, code?.length ?? 0, requestId?.length ?? 0)).toBeLessThan(64_000)
  })

  it.prop("nothing makes it throw", [FastCheck.oneof(FastCheck.json(), FastCheck.string())], ([body]) => {
    expect(typeof read(body).message).toBe("string")
    expect(typeof read(JSON.stringify({ error: body })).message).toBe("string")
  })
})

describe("the status", () => {
  it("is the answer's own if the answer is a refusal, whatever the body says", () => {
    expect(read('{"error":{"code":"500"}}', { status: 429 })).toMatchObject({ status: 429, httpStatus: 429 })
  })

  for (const [title, error, status] of [
    ["status_code (Groq)", { status_code: 400 }, 400],
    ["http_code, as a string (MiniMax)", { http_code: "401" }, 401],
    ["code, as a number (OpenRouter)", { code: 429 }, 429],
    ["code, as a string (MiMo)", { code: "402" }, 402],
    ["type (GLM)", { type: "401" }, 401],
    ["status", { status: 503 }, 503]
  ] as const) {
    it(`of an error inside a 200 is in its ${title}`, () => {
      const body = JSON.stringify({ error: { message: "m", ...error } })
      expect(read(body, { status: 200 })).toMatchObject({ status, httpStatus: 200 })
    })
  }

  it("of an error inside a 200 is unknown if no field is an HTTP status", () => {
    for (const error of [{}, { code: "rate_limit" }, { code: 200 }, { code: 1004 }, { code: null }, { code: "" }]) {
      expect(read(JSON.stringify({ error }), { status: 200 }).status).toBeUndefined()
    }
  })

  it("of a flat error inside a 200 is in raw_status_code (Mistral)", () => {
    const body = JSON.stringify({ object: "error", message: "m", code: "3051", raw_status_code: 400 })
    expect(read(body, { status: 200 }).status).toBe(400)
  })
})

describe("the request id", () => {
  for (const name of ["x-request-id", "request-id", "trace-id", "x-trace-id", "trace_id"]) {
    it(`is in ${name}`, () => {
      expect(Refusal.requestId({ [name]: "id-1" })).toBe("id-1")
      expect(read("{}", { headers: { [name]: "id-1" } }).requestId).toBe("id-1")
    })
  }

  it("of a header comes before the body's", () => {
    expect(read('{"request_id":"body"}', { headers: { "request-id": "header" } }).requestId).toBe("header")
  })

  it("is the body's if no header has one, and an empty header does not count", () => {
    const headers = { "x-request-id": "" }
    expect(read('{"request_id":"a"}', { headers }).requestId).toBe("a")
    expect(read('{"trace_id":"b"}', { headers }).requestId).toBe("b")
    expect(read('{"error":{"request_id":"c"}}', { headers }).requestId).toBe("c")
    expect(read('{"request_id":null}', { headers }).requestId).toBeUndefined()
  })
})

describe("retry-after", () => {
  for (const [title, headers, wait] of [
    ["milliseconds (V1, O8)", { "retry-after-ms": "1234" }, 1234],
    ["seconds (V2, O7)", { "retry-after": "7" }, 7000],
    ["parts of a second, rounded up to whole milliseconds (O7)", { "retry-after": "0.1004" }, 101],
    ["milliseconds before seconds (V9)", { "retry-after-ms": "5", "retry-after": "7" }, 5],
    ["milliseconds before a date (O31)", { "retry-after-ms": "5", "retry-after": "Thu, 15 Jan 2026 12:00:07 GMT" }, 5],
    ["white space around it", { "retry-after": " 7 " }, 7000],
    ["a date (V10, O30)", { "retry-after": "Thu, 15 Jan 2026 12:00:42 GMT" }, 42_000],
    ["a date in the format of RFC 850", { "retry-after": "Thursday, 15-Jan-26 12:00:42 GMT" }, 42_000],
    ["a date in the format of ISO 8601", { "retry-after": "2026-01-15T12:00:42Z" }, 42_000],
    ["a date that is over", { "retry-after": "Thu, 15 Jan 2026 11:59:59 GMT" }, undefined],
    ["zero", { "retry-after": "0" }, undefined],
    ["zero milliseconds beside a second, as Azure sends", { "retry-after-ms": "0", "retry-after": "1" }, 1000],
    ["a negative number (V11)", { "retry-after": "-5" }, undefined],
    ["negative milliseconds (V11)", { "retry-after-ms": "-5" }, undefined],
    ["no number and no date (V5)", { "retry-after": "not-a-number", "retry-after-ms": "invalid" }, undefined],
    ["other ways to write a number", { "retry-after": "1e3", "retry-after-ms": "0x10" }, undefined],
    ["infinity", { "retry-after": "Infinity" }, undefined],
    ["more digits than a number has", { "retry-after": "9".repeat(400), "retry-after-ms": "9".repeat(400) }, undefined],
    ["more than a year", { "retry-after": "99999999999", "retry-after-ms": "99999999999999" }, undefined],
    ["a date that nobody will see", { "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT" }, undefined],
    ["an absurd number of milliseconds beside seconds", { "retry-after-ms": "9".repeat(30), "retry-after": "7" }, 7000],
    ["a month, as a plan may say", { "retry-after": "2592000" }, 2_592_000_000],
    ["a megabyte of digits", { "retry-after": "1".repeat(1_000_000) }, undefined],
    ["nothing", { "retry-after": "" }, undefined],
    ["no header (V4)", {}, undefined]
  ] as const) {
    it(`${title}: ${wait ?? "no wait"}`, () => {
      expect(Refusal.retryAfter(headers, now)).toBe(wait)
      expect(read("{}", { headers }).retryAfter).toBe(wait)
    })
  }

  describe("on a machine that is not on GMT", () => {
    const zone = process.env["TZ"]
    afterEach(() => {
      if (zone === undefined) delete process.env["TZ"]
      else process.env["TZ"] = zone
    })

    for (const value of [
      "Thu, 15 Jan 2026 12:00:42 GMT",
      "Thursday, 15-Jan-26 12:00:42 GMT",
      // The third form of an HTTP date (RFC 9110, section 5.6.7) names no zone, and means GMT all the same.
      "Thu Jan 15 12:00:42 2026"
    ]) {
      it(`${value} is 42 s from now`, () => {
        process.env["TZ"] = "Asia/Shanghai"
        expect(Refusal.retryAfter({ "retry-after": value }, now)).toBe(42_000)
      })
    }
  })
})

describe("x-should-retry", () => {
  for (const [value, expected] of [
    ["true", true],
    ["false", false],
    ["", undefined],
    ["maybe", undefined],
    [undefined, undefined]
  ] as const) {
    it(`${JSON.stringify(value)} means ${expected}`, () => {
      expect(read("{}", { headers: { "x-should-retry": value } }).shouldRetry).toBe(expected)
    })
  }
})
