/** Anthropic's wire: the complete body for every feature, and answers of which there is no recording. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Redacted, Schema, Stream } from "effect"
import * as FastCheck from "effect/FastCheck"
import * as WireReader from "../../src/answer/WireReader.js"
import { Anthropic, Chat, Tool } from "../../src/index.js"
import type * as Protocol from "../../src/Protocol.js"
import * as AnthropicMessages from "../../src/protocol/AnthropicMessages.js"
import * as Fault from "../../src/refusal/Fault.js"
import * as History from "../../src/request/History.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { body, sent } from "./Bodies.js"

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

const wire = AnthropicMessages.make()

type Fields = { readonly [field: string]: unknown }

const hi: ReadonlyArray<Chat.Message> = [Chat.user("hi")]
const text = (text: string, rest: Fields = {}) => ({ type: "text", text, ...rest })

/** What every body has. */
const always: Fields = {
  model: "m",
  max_tokens: 4096,
  messages: [{ role: "user", content: [text("hi")] }],
  stream: false
}

const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false
}
const tool = { name: "weather", input_schema: schema }
const fiveMinutes = { cache_control: { type: "ephemeral" } }
const oneHour = { cache_control: { type: "ephemeral", ttl: "1h" } }

const settings: ReadonlyArray<readonly [name: string, request: Partial<Chat.Request>, fields: Fields]> = [
  ["nothing", {}, {}],
  ["a model of its own", { model: "other" }, { model: "other" }],
  ["maxTokens", { maxTokens: 100 }, { max_tokens: 100 }],
  ["temperature", { temperature: 0 }, { temperature: 0 }],
  ["topP", { topP: 0.5 }, { top_p: 0.5 }],
  ["stop", { stop: ["a", "b"] }, { stop_sequences: ["a", "b"] }],
  ["seed, which this wire does not have", { seed: 7 }, {}],
  ["user", { user: "user-1" }, { metadata: { user_id: "user-1" } }],
  ["reasoning, no effort", { reasoning: { effort: "none" } }, { thinking: { type: "disabled" } }],
  [
    "reasoning, minimal effort: the least that the wire knows",
    { reasoning: { effort: "minimal" } },
    { thinking: { type: "adaptive" }, output_config: { effort: "low" } }
  ],
  ...(["low", "medium", "high", "xhigh", "max"] as const).map(
    (effort) =>
      [
        `reasoning, ${effort} effort`,
        { reasoning: { effort } },
        { thinking: { type: "adaptive" }, output_config: { effort } }
      ] as const
  ),
  [
    "reasoning, a budget of tokens",
    { reasoning: { budgetTokens: 2000 }, maxTokens: 3000 },
    { thinking: { type: "enabled", budget_tokens: 2000 }, max_tokens: 3000 }
  ],
  [
    "output, a schema",
    { output: { name: "place", schema } },
    { output_config: { format: { type: "json_schema", schema } } }
  ],
  [
    "output, a schema with effort",
    { output: { schema }, reasoning: { effort: "high" } },
    { thinking: { type: "adaptive" }, output_config: { effort: "high", format: { type: "json_schema", schema } } }
  ],
  [
    "output, JSON without a schema: in words, because the wire has no field for it",
    { output: "json" },
    { system: [text("Answer with JSON and nothing else.")] }
  ],
  [
    "extra fields, which cannot replace what the request sets",
    {
      temperature: 1,
      extra: { top_k: 5, temperature: 2, top_p: 0.1, model: "evil", messages: [], max_tokens: 1, stream: true }
    },
    { temperature: 1, top_k: 5, top_p: 0.1 }
  ],
  [
    "a tool",
    { tools: [{ name: "weather", description: "of a city", parameters: schema }] },
    { tools: [{ name: "weather", description: "of a city", input_schema: schema }] }
  ],
  [
    "a tool that ends a cached prefix",
    {
      tools: [
        { name: "weather", parameters: schema },
        { name: "news", parameters: schema, cache: "1h" }
      ]
    },
    { tools: [tool, { name: "news", input_schema: schema, ...oneHour }] }
  ],
  [
    "toolChoice auto",
    { tools: [{ name: "weather", parameters: schema }], toolChoice: "auto" },
    { tools: [tool], tool_choice: { type: "auto" } }
  ],
  [
    "toolChoice none",
    { tools: [{ name: "weather", parameters: schema }], toolChoice: "none" },
    { tools: [tool], tool_choice: { type: "none" } }
  ],
  [
    "toolChoice required",
    { tools: [{ name: "weather", parameters: schema }], toolChoice: "required" },
    { tools: [tool], tool_choice: { type: "any" } }
  ],
  [
    "toolChoice of one tool",
    { tools: [{ name: "weather", parameters: schema }], toolChoice: { name: "weather" } },
    { tools: [tool], tool_choice: { type: "tool", name: "weather" } }
  ]
]

describe("settings", () => {
  for (const [name, request, fields] of settings) {
    it.effect(name, () =>
      Effect.gen(function* () {
        expect(yield* body("anthropic", { messages: hi, ...request })).toEqual({ ...always, ...fields })
      })
    )
  }

  it.effect(
    "what is empty is not sent: stop sequences, a tool choice without tools, a system text of white space",
    () =>
      Effect.gen(function* () {
        for (const toolChoice of ["auto", "none", "required", { name: "weather" }] as const) {
          for (const tools of [undefined, []]) {
            const messages = [Chat.system(""), ...hi, Chat.system(" \n", { cache: "1h" })]
            expect(yield* body("anthropic", { messages, stop: [], toolChoice, tools })).toEqual(always)
          }
        }
      })
  )

  it.effect("an empty system text does not take another one with it", () =>
    Effect.gen(function* () {
      const messages = [Chat.system(""), Chat.system("be brief"), ...hi]
      expect(yield* body("anthropic", { messages })).toEqual({ ...always, system: [text("be brief")] })
    })
  )

  it.effect("a choice among tools in the extra fields is sent", () =>
    Effect.gen(function* () {
      const extra = { tools: [{ type: "web_search_20250305", name: "web_search" }] }
      expect(yield* body("anthropic", { messages: hi, toolChoice: "required", extra })).toEqual({
        ...always,
        ...extra,
        tool_choice: { type: "any" }
      })
    })
  )

  it.effect("a stream is requested, and its usage arrives unasked", () =>
    Effect.gen(function* () {
      expect(yield* body("anthropic", { messages: hi }, { stream: true })).toEqual({ ...always, stream: true })
    })
  )

  it.effect(
    "max_tokens leaves room for more than the thinking budget, because the wire refuses a budget that is not below it",
    () =>
      Effect.gen(function* () {
        for (const budgetTokens of [1024, 4096, 20_000]) {
          const sentBody = yield* body("anthropic", { messages: hi, reasoning: { budgetTokens } })
          const { max_tokens, thinking } = yield* Schema.decodeUnknown(Budgeted)(sentBody)
          expect(thinking).toEqual({ type: "enabled", budget_tokens: budgetTokens })
          expect(max_tokens).toBeGreaterThan(budgetTokens)
        }
      })
  )

  it.effect("all at once", () =>
    Effect.gen(function* () {
      const request: Chat.Request = {
        messages: [Chat.system("s"), ...hi],
        tools: [{ name: "weather", parameters: schema }],
        toolChoice: "auto",
        maxTokens: 10,
        temperature: 1,
        topP: 0.9,
        stop: ["end"],
        seed: 1,
        reasoning: { effort: "low" },
        output: { schema },
        user: "u",
        extra: { service_tier: "auto" }
      }
      expect(yield* body("anthropic", request, { stream: true })).toEqual({
        model: "m",
        max_tokens: 10,
        system: [text("s")],
        messages: [{ role: "user", content: [text("hi")] }],
        stream: true,
        tools: [tool],
        tool_choice: { type: "auto" },
        temperature: 1,
        top_p: 0.9,
        stop_sequences: ["end"],
        metadata: { user_id: "u" },
        thinking: { type: "adaptive" },
        output_config: { effort: "low", format: { type: "json_schema", schema } },
        service_tier: "auto"
      })
    })
  )
})

const Budgeted = Schema.Struct({ max_tokens: Schema.Number, thinking: Schema.Unknown })

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

const london: Chat.ToolCall = { id: "call-1", name: "weather", input: { city: "London" } }
const paris: Chat.ToolCall = { id: "call-2", name: "weather", input: { city: "Paris" } }
const asked = (toolCalls: ReadonlyArray<Chat.ToolCall>) => Chat.assistant("", { toolCalls })

const wireLondon = { type: "tool_use", id: "call-1", name: "weather", input: { city: "London" } }
const wireParis = { type: "tool_use", id: "call-2", name: "weather", input: { city: "Paris" } }

const byUrl = { url: "https://example.org/cat.png" }
const inBase64 = { base64: "AAAA", mediaType: "image/png" }
const wireByUrl = { type: "image", source: { type: "url", url: "https://example.org/cat.png" } }
const wireInBase64 = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }

const user = (...content: ReadonlyArray<unknown>) => ({ role: "user", content })
const assistant = (...content: ReadonlyArray<unknown>) => ({ role: "assistant", content })
const result = (tool_use_id: string, content: unknown, rest: Fields = {}) => ({
  type: "tool_result",
  tool_use_id,
  content,
  ...rest
})

const now = (id: string): Chat.ToolCall => ({ id, name: "now", input: {} })
const wireNow = (id: string) => ({ type: "tool_use", id, name: "now", input: {} })

const thought = { type: "thinking", thinking: "hm", signature: "c2ln" }
const redacted = { type: "redacted_thinking", data: "cmVk" }

const conversations: ReadonlyArray<{
  readonly name: string
  readonly messages: ReadonlyArray<Chat.Message>
  readonly wire: ReadonlyArray<unknown>
  readonly system?: ReadonlyArray<unknown>
}> = [
  {
    name: "system messages stand apart, wherever they were",
    messages: [Chat.system("a"), Chat.user("hi"), Chat.assistant("hello"), Chat.system("b"), Chat.user("bye")],
    system: [text("a"), text("b")],
    wire: [user(text("hi")), assistant(text("hello")), user(text("bye"))]
  },
  {
    name: "images by address and in base64",
    messages: [Chat.user([Chat.text("what is this?"), Chat.image(byUrl), Chat.image(inBase64)])],
    wire: [user(text("what is this?"), wireByUrl, wireInBase64)]
  },
  {
    name: "cache marks on system, user, part and tool result",
    messages: [
      Chat.system("a", { cache: "1h" }),
      Chat.user("hi", { cache: "5m" }),
      asked([london]),
      { ...Chat.toolResult(london, "rain"), cache: "5m" },
      Chat.user([Chat.text("t", { cache: "5m" }), Chat.image(byUrl, { cache: "1h" })])
    ],
    system: [text("a", oneHour)],
    wire: [
      user(text("hi", fiveMinutes)),
      assistant(wireLondon),
      user(result("call-1", "rain", fiveMinutes), text("t", fiveMinutes), { ...wireByUrl, ...oneHour })
    ]
  },
  {
    name: "a cache mark on a message of parts ends the prefix behind its last part",
    messages: [Chat.user([Chat.text("a"), Chat.image(byUrl)], { cache: "1h" })],
    wire: [user(text("a"), { ...wireByUrl, ...oneHour })]
  },
  {
    name: "parallel tool calls: all results in one message, and what the user says behind them",
    messages: [
      Chat.user("hi"),
      asked([london, paris]),
      Chat.toolResult(london, "rain"),
      Chat.toolResult(paris, { sky: "clear" }),
      Chat.user("and?")
    ],
    wire: [
      user(text("hi")),
      assistant(wireLondon, wireParis),
      user(result("call-1", "rain"), result("call-2", '{"sky":"clear"}'), text("and?"))
    ]
  },
  {
    name: "a failed call",
    messages: [Chat.user("hi"), asked([london]), Chat.toolResult(london, "no network", { isError: true })],
    wire: [user(text("hi")), assistant(wireLondon), user(result("call-1", "no network", { is_error: true }))]
  },
  {
    name: "images in a tool result stay in it",
    messages: [
      Chat.user("hi"),
      asked([london]),
      {
        role: "tool",
        toolCallId: "call-1",
        name: "weather",
        content: [Chat.text("a"), Chat.image(byUrl), Chat.image(inBase64)]
      }
    ],
    wire: [user(text("hi")), assistant(wireLondon), user(result("call-1", [text("a"), wireByUrl, wireInBase64]))]
  },
  {
    name: "text before a call",
    messages: [Chat.user("hi"), Chat.assistant("let me see", { toolCalls: [london] }), Chat.toolResult(london, "rain")],
    wire: [user(text("hi")), assistant(text("let me see"), wireLondon), user(result("call-1", "rain"))]
  },
  {
    name: "signed and redacted thinking goes back exactly as it came, in its place",
    messages: [
      Chat.user("hi"),
      Chat.assistant("let me see", {
        reasoning: "hm",
        toolCalls: [london],
        replay: { protocol: "anthropic-messages", content: [redacted, thought, text("let me see"), wireLondon] }
      }),
      Chat.toolResult(london, "rain")
    ],
    wire: [
      user(text("hi")),
      assistant(redacted, thought, text("let me see"), wireLondon),
      user(result("call-1", "rain"))
    ]
  },
  {
    name: "reasoning that nobody signed cannot go back, nor what another wire wants to see again",
    messages: [
      Chat.user("hi"),
      Chat.assistant("hello", {
        reasoning: "hm",
        replay: { protocol: "openai-chat", content: [{ type: "reasoning.text", text: "hm" }] }
      }),
      Chat.user("bye")
    ],
    wire: [user(text("hi")), assistant(text("hello")), user(text("bye"))]
  },
  {
    name: "the assistant's parts stay apart, each with its cache mark",
    messages: [
      Chat.user("hi"),
      Chat.assistant([Chat.text("let me", { cache: "1h" }), Chat.text(" see", { cache: "5m" })], {
        toolCalls: [london]
      }),
      Chat.toolResult(london, "rain")
    ],
    wire: [
      user(text("hi")),
      assistant(
        { ...text("let me"), cache_control: { type: "ephemeral", ttl: "1h" } },
        { ...text(" see"), cache_control: { type: "ephemeral" } },
        wireLondon
      ),
      user(result("call-1", "rain"))
    ]
  },
  {
    name: "text of nothing but white space is left out, because it is a 400",
    messages: [
      Chat.user("hi"),
      Chat.assistant([Chat.text(" "), Chat.text("")]),
      Chat.assistant("\n\n", { toolCalls: [london] }),
      Chat.toolResult(london, "rain"),
      Chat.assistant(" "),
      Chat.user("bye")
    ],
    wire: [user(text("hi")), assistant(wireLondon), user(result("call-1", "rain"), text("bye"))]
  },
  {
    name: "the id of a call from another wire is written so that this one takes it: letters, digits, _ and -",
    messages: [
      Chat.user("hi"),
      asked([{ id: "functions.now:0", name: "now", input: {} }]),
      Chat.toolResult({ id: "functions.now:0", name: "now" }, 1)
    ],
    wire: [
      user(text("hi")),
      assistant({ type: "tool_use", id: "functions_now_0", name: "now", input: {} }),
      user(result("functions_now_0", "1"))
    ]
  },
  {
    name: "ids that read alike once they are written for this wire stay two, in a turn and across turns",
    messages: [
      Chat.user("hi"),
      asked([now("a.b"), now("a:b"), now("a_b")]),
      Chat.toolResult(now("a:b"), 2),
      Chat.toolResult(now("a.b"), 1),
      Chat.toolResult(now("a_b"), 3),
      asked([now("a b")]),
      Chat.toolResult(now("a b"), 4)
    ],
    wire: [
      user(text("hi")),
      assistant(wireNow("a_b"), wireNow("a_b_2"), wireNow("a_b_3")),
      user(result("a_b_2", "2"), result("a_b", "1"), result("a_b_3", "3")),
      assistant(wireNow("a_b_4")),
      user(result("a_b_4", "4"))
    ]
  },
  {
    name: "an id that a server gives twice is two ids, because this wire answers a repeated one with a 400",
    messages: [
      Chat.user("hi"),
      asked([now("call_0"), now("call_0")]),
      Chat.toolResult(now("call_0"), "first"),
      Chat.toolResult(now("call_0"), "second"),
      asked([now("call_0")]),
      Chat.toolResult(now("call_0"), "third")
    ],
    wire: [
      user(text("hi")),
      assistant(wireNow("call_0"), wireNow("call_0_2")),
      user(result("call_0", "first"), result("call_0_2", "second")),
      assistant(wireNow("call_0_3")),
      user(result("call_0_3", "third"))
    ]
  },
  {
    name: "an id that this wire takes goes as it is, however long",
    messages: [Chat.user("hi"), asked([now("x".repeat(200))]), Chat.toolResult(now("x".repeat(200)), 1)],
    wire: [user(text("hi")), assistant(wireNow("x".repeat(200))), user(result("x".repeat(200), "1"))]
  },
  {
    name: "an empty id is one that this wire takes",
    messages: [Chat.user("hi"), asked([now("")]), Chat.toolResult(now(""), 1)],
    wire: [user(text("hi")), assistant(wireNow("call")), user(result("call", "1"))]
  },
  {
    name: "after a thinking turn a call and its result bear one id, also one that this wire does not take as it is",
    messages: [
      Chat.user("hi"),
      Chat.assistant("", {
        toolCalls: [now("functions.x:0"), now("functions.x.0")],
        replay: {
          protocol: "anthropic-messages",
          content: [thought, wireNow("functions.x:0"), wireNow("functions.x.0")]
        }
      }),
      Chat.toolResult(now("functions.x:0"), "first"),
      Chat.toolResult(now("functions.x.0"), "second")
    ],
    wire: [
      user(text("hi")),
      assistant(thought, wireNow("functions_x_0"), wireNow("functions_x_0_2")),
      user(result("functions_x_0", "first"), result("functions_x_0_2", "second"))
    ]
  },
  {
    name: "turns of one side that follow each other are one",
    messages: [Chat.user("a"), Chat.user("b"), Chat.assistant("c"), Chat.assistant("d"), Chat.user("e")],
    wire: [user(text("a"), text("b")), assistant(text("c"), text("d")), user(text("e"))]
  },
  {
    name: "a call without arguments",
    messages: [
      Chat.user("hi"),
      asked([{ id: "c", name: "now", input: undefined }]),
      Chat.toolResult({ id: "c", name: "now" }, 1)
    ],
    wire: [user(text("hi")), assistant({ type: "tool_use", id: "c", name: "now", input: {} }), user(result("c", "1"))]
  }
]

describe("messages", () => {
  for (const { messages, name, system, wire } of conversations) {
    it.effect(name, () =>
      Effect.gen(function* () {
        expect(yield* body("anthropic", { messages })).toEqual({
          ...always,
          messages: wire,
          ...(system === undefined ? undefined : { system })
        })
      })
    )
  }

  // By the API reference, the input of a `tool_use` is an object, even if the program rejected the call.
  for (const input of ["London", 7, true, ["London"], null]) {
    it.effect(`the input ${JSON.stringify(input)} of a misfit call is sent as an object`, () =>
      Effect.gen(function* () {
        const call = { id: "call-1", name: "weather", input }
        const messages = [Chat.user("hi"), asked([call]), Chat.toolResult(call, "no object", { isError: true })]
        const { messages: turns } = yield* Schema.decodeUnknown(Wire)(yield* body("anthropic", { messages }))
        const sentInput = turns[1]?.content[0]?.["input"]
        expect([typeof sentInput, sentInput === null, Array.isArray(sentInput)]).toEqual(["object", false, false])
      })
    )
  }
})

const Wire = Schema.Struct({
  messages: Schema.Array(
    Schema.Struct({ content: Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown })) })
  )
})

describe("a conversation from another wire", () => {
  /** Ids as servers make them: some are equal, some become equal when rewritten for this wire. */
  const id = FastCheck.oneof(
    FastCheck.constantFrom("", "a.b", "a:b", "a_b", "a_b_2", "call_0", "functions.now:0", "toolu_1", "é", "__proto__"),
    FastCheck.string({ maxLength: 80 })
  )
  /** A turn of calls, spoken on this wire with signed thinking, or on another; and whether a result is lost. */
  const turn = FastCheck.record({
    ids: FastCheck.array(id, { minLength: 1, maxLength: 4 }),
    wire: FastCheck.constantFrom("anthropic", "other"),
    lost: FastCheck.boolean()
  })

  const spoken = (ids: ReadonlyArray<string>, wire: string): Chat.AssistantMessage => {
    const toolCalls = ids.map(now)
    return wire === "other"
      ? { ...asked(toolCalls), reasoning: "hm" }
      : {
          ...asked(toolCalls),
          replay: { protocol: "anthropic-messages", content: [thought, ...ids.map(wireNow)] }
        }
  }

  it("has ids that this wire accepts, each once, and every result after its own call", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(turn, { maxLength: 8 }), (turns) => {
        const messages = turns.flatMap(({ ids, lost, wire }, at) => [
          Chat.user("hi"),
          spoken(ids, wire),
          ...ids.slice(lost ? 1 : 0).map((one, place) => Chat.toolResult(now(one), `${at}.${lost ? place + 1 : place}`))
        ])
        const encoded = wire.encode({ messages: History.repair(messages) }, { model: "m", stream: false })
        const wired = Schema.decodeUnknownSync(Wire)(encoded).messages
        const called = wired.map(({ content }) => content.filter(({ type }) => type === "tool_use").map(({ id }) => id))
        const all = called.flat()
        expect(new Set(all).size).toBe(all.length)
        for (const one of all) expect(one).toMatch(/^[a-zA-Z0-9_-]+$/)
        for (const [at, { content }] of wired.entries()) {
          const results = content.filter(({ type }) => type === "tool_result")
          expect(results.map(({ tool_use_id }) => tool_use_id)).toEqual(called[at - 1] ?? [])
        }
      })
    )
  })
})

describe("a long history of calls with one id", () => {
  it("is encoded in linear time, and every result finds its call", () => {
    const messages = Array.from({ length: 10_000 }, (_, turn) => [
      Chat.user("hi"),
      asked([now("functions.now:0")]),
      Chat.toolResult(now("functions.now:0"), turn)
    ]).flat()
    const encoded = wire.encode({ messages }, { model: "m", stream: false })
    const blocks = Schema.decodeUnknownSync(Wire)(encoded).messages.flatMap(({ content }) => content)
    const called = blocks.flatMap(({ id, type }) => (type === "tool_use" ? [id] : []))
    const answered = blocks.flatMap(({ content, tool_use_id, type }) =>
      type === "tool_result" ? [[tool_use_id, content]] : []
    )
    expect(new Set(called).size).toBe(10_000)
    expect(answered).toEqual(called.map((id, turn) => [id, String(turn)]))
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Tools and headers
// ---------------------------------------------------------------------------------------------------------------------

describe("Tool.make", () => {
  it.effect("goes into the request as it is, but its schema and decoder are not sent", () =>
    Effect.gen(function* () {
      const weather = Tool.make({ name: "weather", parameters: Schema.Struct({ city: Schema.String }) })
      expect(yield* body("anthropic", { messages: hi, tools: [{ ...weather, cache: "5m" }] })).toEqual({
        ...always,
        tools: [{ ...tool, ...fiveMinutes }]
      })
    })
  )
})

describe("the request line", () => {
  it.effect("address and headers", () =>
    Effect.gen(function* () {
      const headers = { "anthropic-beta": "some-beta", "Anthropic-Version": "1999-01-01" }
      const recorded = yield* sent("anthropic", { messages: hi }, { provider: { headers } })
      expect([recorded.method, recorded.url]).toEqual(["POST", "https://api.anthropic.com/v1/messages"])
      expect(recorded.headers).toEqual({
        "x-api-key": "key-of-the-test",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "some-beta",
        accept: "application/json",
        "content-type": "application/json",
        "content-length": String(JSON.stringify(recorded.body).length)
      })
    })
  )

  for (const [baseUrl, url] of [
    ["https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"],
    ["https://api.xiaomimimo.com/anthropic", "https://api.xiaomimimo.com/anthropic/v1/messages"],
    ["https://api.deepseek.com/anthropic/", "https://api.deepseek.com/anthropic/v1/messages"]
  ] as const) {
    it.effect(`${baseUrl} leads to ${url}`, () =>
      Effect.gen(function* () {
        const recorded = yield* sent("anthropic", { messages: hi }, { provider: { baseUrl } })
        expect(recorded.url).toBe(url)
      })
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// Versions, and what they and the models refuse
// ---------------------------------------------------------------------------------------------------------------------

type Own = Partial<Anthropic.Options>

/** The request that was sent, or the error if none was. */
const outcome = (options: Own, request: Partial<Chat.Request>, stream = false) =>
  Effect.gen(function* () {
    const provider = yield* Anthropic.make({ apiKey: Redacted.make("key-of-the-test"), model: "m", ...options })
    const whole = { messages: hi, ...request }
    const result = yield* Effect.either(stream ? Stream.runDrain(provider.stream(whole)) : provider.complete(whole))
    const [recorded] = yield* Gateway.requests
    return { recorded, error: Either.isLeft(result) ? result.left : undefined }
  }).pipe(Effect.provide(Gateway.layer([Gateway.status(400)])))

const newest = "2026-10-21"

describe("the version", () => {
  for (const [version, header] of [
    [undefined, "2023-06-01"],
    ["2023-06-01", "2023-06-01"],
    [newest, newest],
    ["2027-05-01", "2027-05-01"]
  ] as const) {
    it.effect(`${version} is sent as ${header}`, () =>
      Effect.gen(function* () {
        const { recorded } = yield* outcome({ version, headers: { "anthropic-version": "1999-01-01" } }, {})
        expect(recorded?.headers["anthropic-version"]).toBe(header)
      })
    )
  }

  it.effect("that no header can carry is an error with its name, and nothing is sent", () =>
    Effect.gen(function* () {
      const { error, recorded } = yield* outcome({ version: "2026\n" }, {})
      expect([recorded, error]).toMatchObject([undefined, { problem: "BadHeader", subject: "anthropic-version" }])
    })
  )
})

describe("what the version or the model refuses is not sent", () => {
  type Refused = readonly [options: Own, request: Partial<Chat.Request>, subject: string | undefined]
  const at = "https://gateway.test/anthropic"
  const rows: ReadonlyArray<Refused> = [
    // The version: not even the default values.
    [{ version: newest }, { temperature: 1 }, "temperature"],
    [{ version: newest }, { temperature: 0 }, "temperature"],
    [{ version: newest }, { topP: 0.999 }, "topP"],
    [{ version: newest }, { extra: { top_k: 5 } }, "top_k"],
    [{ version: newest }, { extra: { temperature: 0.5 } }, "temperature"],
    [{ version: newest, extra: { top_p: 0.5 } }, {}, "topP"],
    [{ version: newest, baseUrl: at }, { temperature: 1 }, "temperature"],
    [{ version: "2027-05-01" }, { temperature: 1 }, "temperature"],
    [{ version: newest }, { temperature: undefined, topP: undefined, extra: { top_k: undefined } }, undefined],
    [{ version: newest }, { maxTokens: 5, stop: ["a"], reasoning: { effort: "xhigh" } }, undefined],
    [{}, { temperature: 0, topP: 0.1, extra: { top_k: 5 } }, undefined],
    // Models from 4.7 on: other values than the default, at the old version.
    [{ model: "claude-opus-4-7" }, { temperature: 0.5 }, "temperature"],
    [{ model: "claude-opus-4-7" }, { temperature: 1 }, undefined],
    [{ model: "claude-opus-4-7" }, { topP: 0.5 }, "topP"],
    [{ model: "claude-opus-4-7" }, { topP: 0.99 }, undefined],
    [{ model: "claude-opus-4-7" }, { extra: { top_k: 1 } }, "top_k"],
    [{ model: "claude-opus-4-7" }, { reasoning: { budgetTokens: 2000 } }, "budgetTokens"],
    [{ model: "claude-opus-4-7" }, { reasoning: { effort: "xhigh" } }, undefined],
    [{ model: "claude-opus-4-7" }, { reasoning: { effort: "none" } }, undefined],
    [{ model: "claude-opus-4-7-20260416" }, { temperature: 0 }, "temperature"],
    [{ model: "claude-sonnet-5" }, { temperature: 0 }, "temperature"],
    [{ model: "claude-haiku-5-5" }, { temperature: 0 }, "temperature"],
    [{ model: "claude-fable-10-1" }, { temperature: 0 }, "temperature"],
    [{ model: "m" }, { model: "claude-opus-5-5", temperature: 0 }, "temperature"],
    [{ model: "claude-opus-5-5" }, { model: "claude-sonnet-4-6", temperature: 0 }, undefined],
    [{ model: "claude-sonnet-4-6" }, { temperature: 0, topP: 0.1, extra: { top_k: 5 } }, undefined],
    [{ model: "claude-sonnet-4-6" }, { reasoning: { budgetTokens: 2000 } }, undefined],
    [{ model: "claude-sonnet-4-6" }, { reasoning: { effort: "high" } }, undefined],
    // Models before 4.6 know no effort.
    [{ model: "claude-haiku-4-5-20251001" }, { reasoning: { effort: "high" } }, "effort"],
    [{ model: "claude-opus-4-5" }, { reasoning: { effort: "low" } }, "effort"],
    [{ model: "claude-opus-4-20250514" }, { reasoning: { effort: "low" } }, "effort"],
    [{ model: "claude-haiku-4-5" }, { reasoning: { effort: "none" } }, undefined],
    [{ model: "claude-haiku-4-5" }, { reasoning: { budgetTokens: 2000 } }, undefined],
    [{ model: "claude-haiku-4-5" }, { temperature: 0 }, undefined],
    // Names that do not tell, and hosts that may take more than Anthropic does.
    [{ model: "claude-mythos-preview" }, { temperature: 0, reasoning: { budgetTokens: 2000 } }, undefined],
    [{ model: "claude-3-7-sonnet-20250219" }, { temperature: 0, reasoning: { effort: "low" } }, undefined],
    [{ model: "my-claude-opus-4-7" }, { temperature: 0 }, undefined],
    [{ model: "claude-opus-4-7", baseUrl: at }, { temperature: 0, reasoning: { budgetTokens: 2000 } }, undefined],
    [{ model: "claude-haiku-4-5", baseUrl: at }, { reasoning: { effort: "low" } }, undefined],
    [{ model: "claude-opus-4-7", baseUrl: "https://api.anthropic.com/v1" }, { temperature: 0 }, "temperature"],
    [{ model: "claude-opus-4-7", baseUrl: "not a url" }, { temperature: 0 }, undefined]
  ]
  for (const [options, request, subject] of rows) {
    it.effect(`${JSON.stringify(options)} ${JSON.stringify(request)}: ${subject ?? "nothing"}`, () =>
      Effect.gen(function* () {
        for (const stream of [false, true]) {
          const { error, recorded } = yield* outcome(options, request, stream)
          if (subject === undefined) expect(error).not.toMatchObject({ problem: "Unsupported" })
          else {
            expect(recorded).toBeUndefined()
            expect(error).toMatchObject({
              _tag: "InvalidRequest",
              reason: "BadRequest",
              problem: "Unsupported",
              subject,
              attempts: 0,
              history: [],
              emitted: false
            })
          }
        }
      })
    )
  }

  it.effect("nor is the request of verify, if the layer adds such a field", () =>
    Effect.gen(function* () {
      const extra = { temperature: 0 }
      const provider = yield* Anthropic.make({ apiKey: Redacted.make("k"), model: "m", version: newest, extra })
      expect(yield* Effect.flip(provider.verify)).toMatchObject({ problem: "Unsupported", subject: "temperature" })
      expect(yield* Gateway.requests).toEqual([])
    }).pipe(Effect.provide(Gateway.layer([])))
  )

  it.effect("but models are listed at any version", () =>
    Effect.gen(function* () {
      const extra = { temperature: 0 }
      const provider = yield* Anthropic.make({ apiKey: Redacted.make("k"), model: "m", version: newest, extra })
      expect(yield* provider.models).toEqual([])
    }).pipe(Effect.provide(Gateway.layer([Gateway.json({ data: [] })])))
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Answers that no recording shows
// ---------------------------------------------------------------------------------------------------------------------

const answer = (content: ReadonlyArray<unknown>, stop_reason: unknown = "end_turn", rest: object = {}) => ({
  type: "message",
  role: "assistant",
  id: "msg-1",
  model: "m-1",
  content,
  stop_reason,
  ...rest
})

/** The events of a body that is one. */
const read = (value: unknown): ReadonlyArray<Chat.Event> => {
  const events = WireReader.decodeBody(wire.decoder(), JSON.stringify(value))
  if (Fault.isFault(events)) throw new Error(`a fault: ${JSON.stringify(events)}`)
  return events
}

/** Feeds these events, and ends the body. */
const streamed = (data: ReadonlyArray<object>) => {
  const decoder = wire.decoder()
  const events: Array<Chat.Event> = []
  let step: Protocol.Step = "more"
  for (const item of data) {
    if (step !== "more") break
    step = decoder.step(JSON.stringify(item), "type" in item ? String(item.type) : "", events)
  }
  return { step: step === "more" ? decoder.end(events) : step, events }
}

const begin = { type: "message_start", message: { id: "msg-1", model: "m-1", usage: { input_tokens: 3 } } }
const open = (index: number, content_block: object) => ({ type: "content_block_start", index, content_block })
const delta = (index: number, delta: object) => ({ type: "content_block_delta", index, delta })
const close = (index: number) => ({ type: "content_block_stop", index })
const stop = (stop_reason: string | null, rest: object = {}) => ({
  type: "message_delta",
  delta: { stop_reason, ...rest },
  usage: { output_tokens: 2 }
})
const end = { type: "message_stop" }

const calls = (events: ReadonlyArray<Chat.Event>) =>
  events.flatMap((event) => (event._tag === "ToolCall" ? [[event.id, event.name, event.input]] : []))

/** The assistant's turn that goes back for this answer, and the results that follow, as the wire is sent them. */
const sentBack = (events: ReadonlyArray<Chat.Event>) =>
  Effect.gen(function* () {
    const reply = Chat.reply(events)
    if (reply === undefined) return yield* Effect.dieMessage("the answer has no end")
    const results = reply.toolCalls.map((call) => Chat.toolResult(call, "done"))
    const messages = [Chat.user("hi"), reply.message, ...results, Chat.user("go on")]
    const { messages: turns } = yield* Schema.decodeUnknown(Wire)(yield* body("anthropic", { messages }))
    return turns
  })

describe("a streamed answer", () => {
  it.effect("with every kind of block goes back as it came", () =>
    Effect.gen(function* () {
      const { events, step } = streamed([
        begin,
        open(0, { type: "redacted_thinking", data: "cmVk" }),
        close(0),
        open(1, { type: "thinking", thinking: "", signature: "" }),
        delta(1, { type: "thinking_delta", thinking: "h" }),
        { type: "ping" },
        delta(1, { type: "thinking_delta", thinking: "m" }),
        delta(1, { type: "signature_delta", signature: "c2" }),
        delta(1, { type: "signature_delta", signature: "ln" }),
        close(1),
        open(2, { type: "text", text: "" }),
        delta(2, { type: "text_delta", text: "let me " }),
        delta(2, { type: "text_delta", text: "see" }),
        close(2),
        open(3, { type: "tool_use", id: "call-1", name: "weather", input: {} }),
        delta(3, { type: "input_json_delta", partial_json: "" }),
        delta(3, { type: "input_json_delta", partial_json: '{"city":' }),
        delta(3, { type: "input_json_delta", partial_json: '"London"}' }),
        close(3),
        stop("tool_use"),
        end
      ])
      expect(step).toBe("done")
      expect(Chat.reply(events)).toMatchObject({
        text: "let me see",
        reasoning: "hm",
        toolCalls: [london],
        reason: "tool-calls",
        usage: { inputTokens: 3, outputTokens: 2 }
      })
      expect((yield* sentBack(events))[1]?.content).toEqual([redacted, thought, text("let me see"), wireLondon])
    })
  )

  it.effect("with a call that has no id goes back with the id that the program was given", () =>
    Effect.gen(function* () {
      const { events } = streamed([
        begin,
        open(0, { type: "thinking", thinking: "hm", signature: "c2ln" }),
        open(1, { type: "tool_use", name: "now", input: {} }),
        open(2, { type: "tool_use", name: "now", input: {} }),
        stop("tool_use"),
        end
      ])
      const [, turn, answers] = yield* sentBack(events)
      const ids = turn?.content.slice(1).map(({ id }) => id)
      expect(ids).toEqual(["msg-1_0", "msg-1_1"])
      expect(answers?.content.slice(0, 2).map(({ tool_use_id }) => tool_use_id)).toEqual(ids)
    })
  )

  it.effect("that begins the same call twice at one index has one call, and goes back with one", () =>
    Effect.gen(function* () {
      const london = open(1, { type: "tool_use", id: "call-1", name: "weather", input: {} })
      const { events } = streamed([
        begin,
        open(0, { type: "thinking", thinking: "hm", signature: "c2ln" }),
        london,
        london,
        delta(1, { type: "input_json_delta", partial_json: '{"city":"London"}' }),
        stop("tool_use"),
        end
      ])
      expect(calls(events)).toEqual([["call-1", "weather", { city: "London" }]])
      expect((yield* sentBack(events))[1]?.content).toEqual([thought, wireLondon])
    })
  )

  it.effect("with two calls of one id, the second cut off, has only the first, and goes back with only that", () =>
    Effect.gen(function* () {
      const { events } = streamed([
        begin,
        open(0, { type: "thinking", thinking: "hm", signature: "c2ln" }),
        open(1, { type: "tool_use", id: "call-1", name: "weather", input: {} }),
        delta(1, { type: "input_json_delta", partial_json: '{"city":"London"}' }),
        open(2, { type: "tool_use", id: "call-1", name: "weather", input: {} }),
        delta(2, { type: "input_json_delta", partial_json: '{"city":"Pa' }),
        stop("max_tokens"),
        end
      ])
      expect(calls(events)).toEqual([["call-1", "weather", { city: "London" }]])
      const [, turn, answers] = yield* sentBack(events)
      expect(turn?.content).toEqual([thought, wireLondon])
      expect(answers?.content).toEqual([result("call-1", "done"), text("go on")])
    })
  )

  it.effect("with the server's own tools goes back with them, and they are not calls for the program", () =>
    Effect.gen(function* () {
      const found = { type: "web_search_tool_result", tool_use_id: "srv-1", content: [{ url: "https://example.org" }] }
      const { events } = streamed([
        begin,
        open(0, { type: "server_tool_use", id: "srv-1", name: "web_search", input: {} }),
        delta(0, { type: "input_json_delta", partial_json: '{"query":"x"}' }),
        close(0),
        open(1, found),
        close(1),
        open(2, { type: "text", text: "" }),
        delta(2, { type: "text_delta", text: "found" }),
        close(2),
        stop("end_turn"),
        end
      ])
      expect(calls(events)).toEqual([])
      expect((yield* sentBack(events))[1]?.content).toEqual([
        { type: "server_tool_use", id: "srv-1", name: "web_search", input: { query: "x" } },
        found,
        text("found")
      ])
    })
  )

  it.effect("with citations goes back with them", () =>
    Effect.gen(function* () {
      const citation = { type: "web_search_result_location", url: "https://example.org", encrypted_index: "ZQ==" }
      const { events } = streamed([
        begin,
        open(0, { type: "server_tool_use", id: "srv-1", name: "web_search", input: { query: "x" } }),
        close(0),
        open(1, { type: "text", text: "", citations: [] }),
        delta(1, { type: "text_delta", text: "found" }),
        delta(1, { type: "citations_delta", citation }),
        close(1),
        stop("end_turn"),
        end
      ])
      expect((yield* sentBack(events))[1]?.content[1]).toEqual(text("found", { citations: [citation] }))
    })
  )

  it.effect("with a compaction goes back with all of it", () =>
    Effect.gen(function* () {
      const { events } = streamed([
        begin,
        open(0, { type: "compaction", content: null }),
        delta(0, { type: "compaction_delta", content: "So ", encrypted_content: "YQ==" }),
        delta(0, { type: "compaction_delta", content: "far.", encrypted_content: "YWI=" }),
        delta(0, { type: "compaction_delta", content: null, encrypted_content: null }),
        close(0),
        open(1, { type: "text", text: "" }),
        delta(1, { type: "text_delta", text: "x" }),
        stop("end_turn"),
        end
      ])
      expect(Chat.reply(events)?.text).toBe("x")
      expect((yield* sentBack(events))[1]?.content).toEqual([
        { type: "compaction", content: "So far.", encrypted_content: "YWI=" },
        text("x")
      ])
    })
  )

  it.effect("with a failed compaction goes back with it: null, not the word", () =>
    Effect.gen(function* () {
      const failed = { type: "compaction", content: null }
      const { events } = streamed([
        begin,
        open(0, failed),
        delta(0, { type: "compaction_delta", content: null }),
        stop("compaction"),
        end
      ])
      expect(Chat.reply(events)?.reason).toBe("pause")
      expect((yield* sentBack(events))[1]?.content).toEqual([failed])
    })
  )

  it.effect("with unknown deltas goes back with what they said, as far as can be told", () =>
    Effect.gen(function* () {
      const { events } = streamed([
        begin,
        open(0, { type: "hologram", data: "a", parts: [1], depth: 1, kept: "k" }),
        delta(0, { type: "hologram_delta", data: "b", parts: [2, 3], depth: 2, label: "x", kept: null, fresh: null }),
        delta(0, JSON.parse('{"type":"hologram_delta","data":"c","label":"y","__proto__":{"bad":1}}')),
        open(1, { type: "text", text: "x" }),
        delta(1, { type: "hologram_delta", data: "y", text: "z" }),
        stop("end_turn"),
        end
      ])
      expect((yield* sentBack(events))[1]?.content).toEqual([
        { type: "hologram", data: "abc", parts: [1, 2, 3], depth: 2, label: "xy", kept: "k", fresh: null },
        text("x")
      ])
      expect(Object.hasOwn(Object.prototype, "bad")).toBe(false)
    })
  )

  it("of 10,000 deltas of every kind, and a list of a million citations, is read", () => {
    const many = (piece: object) => Array.from({ length: 10_000 }, () => piece)
    const { events, step } = streamed([
      begin,
      open(0, { type: "compaction", content: null }),
      ...many(delta(0, { type: "compaction_delta", content: "ab", list: [1] })),
      open(1, { type: "text", text: "x", citations: Array.from({ length: 1_000_000 }, () => 0) }),
      ...many(delta(1, { type: "citations_delta", citation: 1 })),
      open(2, { type: "hologram", parts: [] }),
      ...many(delta(2, { type: "hologram_delta", parts: [1] })),
      stop("end_turn"),
      end
    ])
    expect(step).toBe("done")
    const content = Chat.reply(events)?.message.replay?.content
    const [compaction, said, hologram] = Array.isArray(content) ? content : []
    expect(compaction.content).toBe("ab".repeat(10_000))
    expect([said.citations.length, hologram.parts.length]).toEqual([1_010_000, 10_000])
  })

  it.effect("with an empty text block goes back without it, because it would be a 400", () =>
    Effect.gen(function* () {
      const { events } = streamed([
        begin,
        open(0, { type: "thinking", thinking: "hm", signature: "c2ln" }),
        close(0),
        open(1, { type: "text", text: "" }),
        close(1),
        open(2, { type: "tool_use", id: "call-1", name: "weather", input: { city: "London" } }),
        close(2),
        stop("tool_use"),
        end
      ])
      expect((yield* sentBack(events))[1]?.content).toEqual([thought, wireLondon])
    })
  )

  // The model was stopped in the middle of a call: by the limit, by the window, by a classifier.
  for (const reason of ["max_tokens", "model_context_window_exceeded", "refusal"]) {
    it.effect(`that ${reason} cut off in a call lacks that call, and goes back without it`, () =>
      Effect.gen(function* () {
        const { events, step } = streamed([
          begin,
          open(0, { type: "thinking", thinking: "hm", signature: "c2ln" }),
          close(0),
          open(1, { type: "tool_use", id: "call-1", name: "weather", input: {} }),
          delta(1, { type: "input_json_delta", partial_json: '{"city":"London"}' }),
          close(1),
          open(2, { type: "tool_use", id: "call-2", name: "weather", input: {} }),
          delta(2, { type: "input_json_delta", partial_json: '{"city":"Pa' }),
          stop(reason),
          end
        ])
        expect(step).toBe("done")
        expect(calls(events)).toEqual([["call-1", "weather", { city: "London" }]])
        const [, turn, answers] = yield* sentBack(events)
        expect(turn?.content).toEqual([thought, wireLondon])
        expect(answers?.content).toEqual([result("call-1", "done"), text("go on")])
      })
    )
  }

  it.effect("that was cut off before the first argument of a call lacks that call, and goes back without it", () =>
    Effect.gen(function* () {
      const { events } = streamed([
        begin,
        open(0, { type: "thinking", thinking: "hm", signature: "c2ln" }),
        close(0),
        open(1, { type: "text", text: "let me see" }),
        close(1),
        open(2, { type: "tool_use", id: "call-1", name: "weather", input: {} }),
        stop("max_tokens"),
        end
      ])
      expect(calls(events)).toEqual([])
      expect((yield* sentBack(events))[1]?.content).toEqual([thought, text("let me see")])
    })
  )

  it("is complete with message_stop or a stop reason, and cut without either", () => {
    const said = [begin, open(0, { type: "text", text: "x" })]
    expect(streamed([...said, stop("end_turn")]).step).toBe("done")
    expect(streamed([...said, end]).step).toBe("done")
    expect(streamed(said).step).toEqual({ _tag: "Cut", code: undefined })
    expect(streamed([...said, stop(null)]).step).toEqual({ _tag: "Cut", code: undefined })
  })

  it("that begins a second message is malformed", () => {
    expect(streamed([begin, { type: "message_start", message: { id: "msg-2" } }]).step).toMatchObject({
      _tag: "Malformed"
    })
  })

  it("without a message is malformed", () => {
    expect(streamed([end]).step).toMatchObject({ _tag: "Malformed" })
  })

  it("may have unknown events", () => {
    const { events, step } = streamed([
      begin,
      { type: "novelty", value: 1 },
      open(0, { type: "hologram", data: "x" }),
      delta(0, { type: "hologram_delta", data: "y" }),
      open(1, { type: "text", text: "x" }),
      stop("end_turn"),
      end
    ])
    expect([step, Chat.reply(events)?.text]).toEqual(["done", "x"])
  })

  it("includes cached tokens in its input tokens", () => {
    const usage = { input_tokens: 1, cache_read_input_tokens: 10, cache_creation_input_tokens: 100, output_tokens: 1 }
    const { events } = streamed([
      { type: "message_start", message: { id: "msg-1", usage } },
      open(0, { type: "text", text: "x" }),
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn" },
        usage: { output_tokens: 7, output_tokens_details: { thinking_tokens: 5 } }
      },
      end
    ])
    expect(Chat.reply(events)?.usage).toEqual({
      inputTokens: 111,
      outputTokens: 7,
      totalTokens: undefined,
      cachedInputTokens: 10,
      reasoningTokens: 5
    })
  })
})

describe("a refusal", () => {
  const stop_details = { type: "refusal", category: "cyber", explanation: "This could enable harm." }

  it("is explained in the reply, streamed or not", () => {
    const { events } = streamed([begin, open(0, { type: "text", text: "I" }), stop("refusal", { stop_details }), end])
    for (const said of [events, read(answer([text("I")], "refusal", { stop_details }))]) {
      expect(Chat.reply(said)).toMatchObject({
        text: "I",
        reason: "content-filter",
        refusal: "This could enable harm."
      })
    }
  })

  for (const details of [undefined, null, {}, { ...stop_details, explanation: null }, { explanation: "" }, "x", []]) {
    it(`without an explanation has none in the reply: ${JSON.stringify(details)}`, () => {
      const reply = Chat.reply(read(answer([], "refusal", { stop_details: details })))
      expect([reply?.reason, reply?.refusal]).toEqual(["content-filter", undefined])
    })
  }
})

describe("the reason", () => {
  const reasons: ReadonlyArray<readonly [word: unknown, reason: Chat.FinishReason]> = [
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool-calls"],
    ["refusal", "content-filter"],
    ["pause_turn", "pause"],
    ["compaction", "pause"],
    ["a word of tomorrow", "other"],
    ["constructor", "other"],
    ["__proto__", "other"],
    [null, "other"]
  ]
  for (const [word, reason] of reasons) {
    it(`${JSON.stringify(word)} is ${reason}`, () => {
      const finish = read(answer([text("x")], word)).find((event) => event._tag === "Finish")
      expect(finish).toMatchObject({ reason, rawReason: word ?? "" })
    })
  }
})

describe("errors inside a 200", () => {
  const errors: ReadonlyArray<readonly [name: string, event: object]> = [
    ["an error object", { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
    ["an error object without a type", { error: { message: "Overloaded" } }],
    ["an error that is a string", { error: "Overloaded" }],
    ["an error that is a number", { error: 529 }],
    ["an error that is true", { error: true }],
    ["MiniMax's base_resp", { base_resp: { status_code: 1002, status_msg: "rate limit" } }]
  ]
  for (const [name, event] of errors) {
    it(`${name} is a refusal, streamed or not`, () => {
      expect(streamed([begin, event]).step).toEqual({ _tag: "Refused", body: JSON.stringify(event) })
      expect(WireReader.decodeBody(wire.decoder(), JSON.stringify(event))).toEqual({
        _tag: "Refused",
        body: JSON.stringify(event)
      })
    })
  }

  const noErrors = [null, "", false, 0].map((error) => ({ error }))
  for (const rest of [...noErrors, { base_resp: { status_code: 0, status_msg: "" } }]) {
    it(`${JSON.stringify(rest)} beside an answer is not an error`, () => {
      expect(Chat.reply(read(answer([text("x")], "end_turn", rest)))?.text).toBe("x")
    })
  }

  it("an event named error is a refusal, even if it says [DONE]", () => {
    const events: Array<Chat.Event> = []
    const decoder = wire.decoder()
    decoder.step(JSON.stringify(begin), "message_start", events)
    expect(decoder.step("[DONE]", "error", events)).toEqual({ _tag: "Refused", body: "[DONE]" })
  })
})

describe("a call's input", () => {
  it("loses keys that would pollute a prototype", () => {
    const input = JSON.parse('{"__proto__":{"a":1},"b":{"constructor":{},"c":1}}')
    expect(calls(read(answer([{ type: "tool_use", id: "a", name: "f", input }], "tool_use")))).toEqual([
      ["a", "f", { b: { c: 1 } }]
    ])
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

describe("models", () => {
  it("as Anthropic lists them", () => {
    const item = {
      type: "model",
      id: "claude",
      display_name: "Claude",
      created_at: "2025-02-19T00:00:00Z",
      max_input_tokens: 9
    }
    expect(wire.decodeModels(JSON.stringify({ data: [item], has_more: false }))).toEqual([
      { id: "claude", name: "Claude", ownedBy: undefined, contextWindow: 9, created: 1_739_923_200 }
    ])
  })

  it("an entry that is not a model is left out; a body that is not a list is malformed", () => {
    expect(wire.decodeModels(JSON.stringify({ data: [null, 1, "x", {}, { id: "" }] }))).toEqual([])
    for (const value of [{}, { data: "x" }, null, 1, []]) {
      expect(wire.decodeModels(JSON.stringify(value))).toMatchObject({ _tag: "Malformed" })
    }
  })
})
