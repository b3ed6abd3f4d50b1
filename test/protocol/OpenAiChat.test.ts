/**
 * OpenAI's wire: the complete body for every feature on every host with a preset, and answers of which there is no
 * recording.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as WireReader from "../../src/answer/WireReader.js"
import { Chat, type Provider, Tool } from "../../src/index.js"
import type * as Protocol from "../../src/Protocol.js"
import * as OpenAiChat from "../../src/protocol/OpenAiChat.js"
import * as Fault from "../../src/refusal/Fault.js"
import * as Cost from "../Cost.js"
import { body, type Name, sent } from "./Bodies.js"

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

const hosts = ["openai", "deepseek", "mimo", "minimax", "groq", "openrouter", "bare"] as const
type Host = (typeof hosts)[number]
type Fields = { readonly [field: string]: unknown }

const hi: ReadonlyArray<Chat.Message> = [Chat.user("hi")]

/** What every body of this host has. */
const always = (host: Host): Fields => ({
  model: "m",
  messages: [{ role: "user", content: "hi" }],
  stream: false,
  ...(host === "minimax" ? { reasoning_split: true } : undefined)
})

/** The same fields on every host. */
const everywhere = (fields: Fields): { readonly [host in Host]: Fields } => ({
  openai: fields,
  deepseek: fields,
  mimo: fields,
  minimax: fields,
  groq: fields,
  openrouter: fields,
  bare: fields
})

const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false
}
const looseSchema = { type: "object", properties: { city: { type: "string" } } }

const asJson = { role: "system", content: "Answer with JSON and nothing else." }
const asSchema = {
  role: "system",
  content: `Answer with JSON and nothing else. It must match this JSON Schema: ${JSON.stringify(schema)}`
}
const said = { role: "user", content: "hi" }
const inSchema = (name: string, of: unknown, strict: boolean) => ({
  response_format: { type: "json_schema", json_schema: { name, schema: of, strict } }
})

const effort = (reasoning_effort: string): Fields => ({ reasoning_effort })
const thinking = (type: string, fields: Fields = {}): Fields => ({ thinking: { type }, ...fields })

/** One setting, and the fields that it adds to the body of each host. */
interface Row {
  readonly name: string
  readonly request: Partial<Chat.Request>
  readonly fields: { readonly [host in Host]: Fields }
}

const settings: ReadonlyArray<Row> = [
  { name: "nothing", request: {}, fields: everywhere({}) },
  { name: "a model of its own", request: { model: "other" }, fields: everywhere({ model: "other" }) },
  {
    name: "maxTokens",
    request: { maxTokens: 100 },
    fields: {
      ...everywhere({ max_tokens: 100 }),
      openai: { max_completion_tokens: 100 },
      mimo: { max_completion_tokens: 100 },
      minimax: { max_completion_tokens: 100 }
    }
  },
  { name: "temperature", request: { temperature: 0 }, fields: everywhere({ temperature: 0 }) },
  { name: "topP", request: { topP: 0.5 }, fields: everywhere({ top_p: 0.5 }) },
  { name: "stop", request: { stop: ["a", "b"] }, fields: everywhere({ stop: ["a", "b"] }) },
  { name: "seed", request: { seed: 7 }, fields: everywhere({ seed: 7 }) },
  { name: "user", request: { user: "user-1" }, fields: everywhere({ user: "user-1" }) },
  {
    name: "reasoning, no effort",
    request: { reasoning: { effort: "none" } },
    fields: {
      openai: effort("none"),
      deepseek: thinking("disabled"),
      mimo: thinking("disabled"),
      minimax: thinking("disabled"),
      groq: effort("none"),
      openrouter: { reasoning: { effort: "none" } },
      bare: {}
    }
  },
  {
    name: "reasoning, minimal effort",
    request: { reasoning: { effort: "minimal" } },
    fields: {
      openai: effort("minimal"),
      deepseek: thinking("enabled", effort("minimal")),
      mimo: thinking("enabled", effort("low")),
      minimax: thinking("adaptive"),
      groq: effort("minimal"),
      openrouter: { reasoning: { effort: "minimal" } },
      bare: {}
    }
  },
  {
    name: "reasoning, high effort",
    request: { reasoning: { effort: "high" } },
    fields: {
      openai: effort("high"),
      deepseek: thinking("enabled", effort("high")),
      mimo: thinking("enabled", effort("high")),
      minimax: thinking("adaptive"),
      groq: effort("high"),
      openrouter: { reasoning: { effort: "high" } },
      bare: {}
    }
  },
  {
    name: "reasoning, very high effort",
    request: { reasoning: { effort: "xhigh" } },
    fields: {
      openai: effort("xhigh"),
      deepseek: thinking("enabled", effort("xhigh")),
      mimo: thinking("enabled", effort("high")),
      minimax: thinking("adaptive"),
      groq: effort("xhigh"),
      openrouter: { reasoning: { effort: "xhigh" } },
      bare: {}
    }
  },
  {
    name: "reasoning, the most effort",
    request: { reasoning: { effort: "max" } },
    fields: {
      openai: effort("max"),
      deepseek: thinking("enabled", effort("max")),
      mimo: thinking("enabled", effort("high")),
      minimax: thinking("adaptive"),
      groq: effort("max"),
      openrouter: { reasoning: { effort: "max" } },
      bare: {}
    }
  },
  {
    name: "reasoning, a budget of tokens where the host takes one",
    request: { reasoning: { budgetTokens: 2000 } },
    fields: {
      openai: {},
      deepseek: thinking("enabled"),
      mimo: thinking("enabled"),
      minimax: thinking("adaptive"),
      groq: {},
      openrouter: { reasoning: { max_tokens: 2000 } },
      bare: {}
    }
  },
  {
    name: "output, a schema that a model can be held to",
    request: { output: { schema } },
    fields: {
      ...everywhere(inSchema("output", schema, true)),
      deepseek: { messages: [asSchema, said], response_format: { type: "json_object" } },
      mimo: { messages: [asSchema, said], response_format: { type: "json_object" } },
      minimax: { messages: [asSchema, said] }
    }
  },
  {
    name: "extra fields, which cannot replace what the request sets",
    request: {
      temperature: 1,
      extra: { top_k: 5, temperature: 2, top_p: 0.1, model: "evil", messages: [], stream: true, reasoning_split: false }
    },
    fields: everywhere({ temperature: 1, top_k: 5, top_p: 0.1, reasoning_split: false })
  },
  {
    name: "a tool",
    request: { tools: [{ name: "weather", description: "of a city", parameters: schema }] },
    fields: everywhere({
      tools: [{ type: "function", function: { name: "weather", description: "of a city", parameters: schema } }]
    })
  },
  {
    name: "a tool without a description, and a cache mark that this wire does not have",
    request: { tools: [{ name: "weather", parameters: schema, cache: "1h" }] },
    fields: everywhere({ tools: [{ type: "function", function: { name: "weather", parameters: schema } }] })
  },
  ...(["auto", "none", "required"] as const).map((toolChoice) => ({
    name: `toolChoice ${toolChoice}`,
    request: { tools: [{ name: "weather", parameters: schema }], toolChoice },
    fields: everywhere({
      tools: [{ type: "function", function: { name: "weather", parameters: schema } }],
      tool_choice: toolChoice
    })
  })),
  {
    name: "toolChoice of one tool",
    request: { tools: [{ name: "weather", parameters: schema }], toolChoice: { name: "weather" } },
    fields: everywhere({
      tools: [{ type: "function", function: { name: "weather", parameters: schema } }],
      tool_choice: { type: "function", function: { name: "weather" } }
    })
  }
]

describe("settings", () => {
  for (const { fields, name, request } of settings) {
    for (const host of hosts) {
      it.effect(`${name}: ${host}`, () =>
        Effect.gen(function* () {
          expect(yield* body(host, { messages: hi, ...request })).toEqual({ ...always(host), ...fields[host] })
        })
      )
    }
  }

  it.effect("JSON without a schema is always requested in words, and in a field if the host has one", () =>
    Effect.gen(function* () {
      // OpenAI refuses `json_object` unless the messages contain the word JSON (API reference, `response_format`).
      const told = { messages: [asJson, said] }
      const field = { response_format: { type: "json_object" } }
      for (const host of hosts) {
        const wanted = host === "minimax" ? told : { ...told, ...field }
        expect([host, yield* body(host, { messages: hi, output: "json" })]).toEqual([
          host,
          { ...always(host), ...wanted }
        ])
      }
    })
  )

  it.effect("a schema that allows more than it lists is not strict, and keeps its own name", () =>
    Effect.gen(function* () {
      const output = { name: "place", schema: looseSchema }
      expect(yield* body("openai", { messages: hi, output })).toEqual({
        ...always("openai"),
        ...inSchema("place", looseSchema, false)
      })
    })
  )

  it.effect("an empty list of tools is not sent: OpenAI answers it with a 400, Mistral with a 422", () =>
    Effect.gen(function* () {
      expect(yield* body("openai", { messages: hi, tools: [] })).toEqual(always("openai"))
    })
  )

  it.effect(
    "what is empty is not sent: stop sequences, a tool choice without tools, a system text of white space",
    () =>
      Effect.gen(function* () {
        for (const host of hosts) {
          for (const toolChoice of ["auto", "none", "required", { name: "weather" }] as const) {
            for (const tools of [undefined, []]) {
              const messages = [Chat.system(""), ...hi, Chat.system(" \n")]
              const sentBody = yield* body(host, { messages, stop: [], toolChoice, tools })
              expect([host, sentBody]).toEqual([host, always(host)])
            }
          }
        }
      })
  )

  it.effect("a choice among tools in the extra fields is sent", () =>
    Effect.gen(function* () {
      const extra = { tools: [{ type: "web_search" }] }
      expect(yield* body("openai", { messages: hi, toolChoice: "required", extra })).toEqual({
        ...always("openai"),
        ...extra,
        tool_choice: "required"
      })
      expect(yield* body("openai", { messages: hi, toolChoice: "required", extra: { tools: [] } })).toEqual({
        ...always("openai"),
        tools: []
      })
    })
  )

  it.effect("a stream asks for its usage, unless the host does not know how", () =>
    Effect.gen(function* () {
      for (const host of hosts) {
        const usage = host === "bare" ? undefined : { stream_options: { include_usage: true } }
        const wanted = { ...always(host), stream: true, ...usage }
        expect([host, yield* body(host, { messages: hi }, { stream: true })]).toEqual([host, wanted])
      }
    })
  )

  it.effect("all at once", () =>
    Effect.gen(function* () {
      const request: Chat.Request = {
        messages: hi,
        model: "mimo-v2.5",
        tools: [{ name: "weather", parameters: schema }],
        toolChoice: "required",
        maxTokens: 10,
        temperature: 0.3,
        topP: 0.9,
        stop: ["end"],
        seed: 1,
        reasoning: { effort: "low" },
        output: "json",
        user: "u",
        extra: { custom: { a: 1 } }
      }
      expect(yield* body("mimo", request, { stream: true })).toEqual({
        model: "mimo-v2.5",
        messages: [asJson, said],
        stream: true,
        stream_options: { include_usage: true },
        tools: [{ type: "function", function: { name: "weather", parameters: schema } }],
        tool_choice: "required",
        max_completion_tokens: 10,
        temperature: 0.3,
        top_p: 0.9,
        stop: ["end"],
        seed: 1,
        thinking: { type: "enabled" },
        reasoning_effort: "low",
        response_format: { type: "json_object" },
        user: "u",
        custom: { a: 1 }
      })
    })
  )
})

describe("an undefined field", () => {
  const request: Chat.Request = {
    messages: hi,
    model: undefined,
    tools: undefined,
    toolChoice: undefined,
    maxTokens: undefined,
    temperature: undefined,
    topP: undefined,
    stop: undefined,
    seed: undefined,
    reasoning: undefined,
    output: undefined,
    user: undefined,
    extra: undefined
  }
  const provider: Provider.Options = {
    keySource: undefined,
    baseUrl: undefined,
    policy: undefined,
    timeouts: undefined,
    headers: undefined,
    extra: undefined,
    concurrency: undefined,
    coolDown: undefined,
    allowInsecure: undefined,
    credential: undefined
  }
  for (const host of [...hosts, "anthropic"] as const) {
    it.effect(`in a request or in the options is like a missing one: ${host}`, () =>
      Effect.gen(function* () {
        // These hosts get their address from the test.
        const { baseUrl: _, ...others } = provider
        const options = host === "groq" || host === "openrouter" || host === "bare" ? others : provider
        const [plain, explicit] = [
          yield* sent(host, { messages: hi }),
          yield* sent(host, request, { provider: options })
        ]
        expect({ ...explicit, at: 0 }).toEqual({ ...plain, at: 0 })
      })
    )
  }
})

describe("extra fields of the layer", () => {
  it.effect("are in every body; the request's own win", () =>
    Effect.gen(function* () {
      const options = { provider: { extra: { top_k: 1, service_tier: "flex" } } }
      expect(yield* body("openai", { messages: hi, extra: { top_k: 2 } }, options)).toEqual({
        ...always("openai"),
        top_k: 2,
        service_tier: "flex"
      })
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

const london: Chat.ToolCall = { id: "call-1", name: "weather", input: { city: "London" } }
const paris: Chat.ToolCall = { id: "call-2", name: "weather", input: { city: "Paris" } }
const asked = (toolCalls: ReadonlyArray<Chat.ToolCall>, options = {}) => Chat.assistant("", { toolCalls, ...options })

const wireLondon = { id: "call-1", type: "function", function: { name: "weather", arguments: '{"city":"London"}' } }
const wireParis = { id: "call-2", type: "function", function: { name: "weather", arguments: '{"city":"Paris"}' } }

const byUrl = Chat.image({ url: "https://example.org/cat.png" })
const inBase64 = Chat.image({ base64: "AAAA", mediaType: "image/png" })
const wireByUrl = { type: "image_url", image_url: { url: "https://example.org/cat.png" } }
const wireInBase64 = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }

const conversations: ReadonlyArray<{
  readonly name: string
  readonly messages: ReadonlyArray<Chat.Message>
  readonly wire: ReadonlyArray<Fields>
}> = [
  {
    name: "system, user, assistant, user",
    messages: [Chat.system("be brief"), Chat.user("hi"), Chat.assistant("hello"), Chat.user("bye")],
    wire: [
      { role: "system", content: "be brief" },
      { role: "user", content: "hi" },
      { role: "assistant", content: "hello" },
      { role: "user", content: "bye" }
    ]
  },
  {
    name: "the assistant's parts are one text, because not every host takes a list of them",
    messages: [
      Chat.user("hi"),
      Chat.assistant([Chat.text("hel", { cache: "5m" }), Chat.text("lo")]),
      Chat.assistant([Chat.text("let me see")], { toolCalls: [london] }),
      Chat.toolResult(london, "rain")
    ],
    wire: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "hello" },
      { role: "assistant", content: "let me see", tool_calls: [wireLondon] },
      { role: "tool", tool_call_id: "call-1", content: "rain" }
    ]
  },
  {
    name: "images by address and in base64",
    messages: [Chat.user([Chat.text("what is this?"), byUrl, inBase64])],
    wire: [{ role: "user", content: [{ type: "text", text: "what is this?" }, wireByUrl, wireInBase64] }]
  },
  {
    name: "cache marks, which this wire does not have",
    messages: [Chat.system("s", { cache: "1h" }), Chat.user([Chat.text("t", { cache: "5m" })], { cache: "5m" })],
    wire: [
      { role: "system", content: "s" },
      { role: "user", content: [{ type: "text", text: "t" }] }
    ]
  },
  {
    name: "parallel tool calls and their results",
    messages: [
      Chat.user("hi"),
      asked([london, paris]),
      Chat.toolResult(london, "rain"),
      Chat.toolResult(paris, { sky: "clear" })
    ],
    wire: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "", tool_calls: [wireLondon, wireParis] },
      { role: "tool", tool_call_id: "call-1", content: "rain" },
      { role: "tool", tool_call_id: "call-2", content: '{"sky":"clear"}' }
    ]
  },
  {
    name: "a failed call: this wire has no mark for it",
    messages: [Chat.user("hi"), asked([london]), Chat.toolResult(london, "no network", { isError: true })],
    wire: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "", tool_calls: [wireLondon] },
      { role: "tool", tool_call_id: "call-1", content: "no network" }
    ]
  },
  {
    name: "images in a tool result follow as the user's",
    messages: [
      Chat.user("hi"),
      asked([london]),
      {
        role: "tool",
        toolCallId: "call-1",
        name: "weather",
        content: [Chat.text("a"), byUrl, Chat.text("b"), inBase64]
      }
    ],
    wire: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "", tool_calls: [wireLondon] },
      { role: "tool", tool_call_id: "call-1", content: "a\nb" },
      { role: "user", content: [wireByUrl, wireInBase64] }
    ]
  },
  {
    name: "images in parallel tool results follow when all results are told, because nothing may stand between them",
    messages: [
      Chat.user("hi"),
      asked([london, paris]),
      { role: "tool", toolCallId: "call-1", name: "weather", content: [Chat.text("a"), byUrl] },
      { role: "tool", toolCallId: "call-2", name: "weather", content: [Chat.text("b"), inBase64] },
      Chat.user("and?")
    ],
    wire: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "", tool_calls: [wireLondon, wireParis] },
      { role: "tool", tool_call_id: "call-1", content: "a" },
      { role: "tool", tool_call_id: "call-2", content: "b" },
      { role: "user", content: [wireByUrl, wireInBase64] },
      { role: "user", content: "and?" }
    ]
  },
  {
    name: "a call without arguments",
    messages: [
      Chat.user("hi"),
      asked([{ id: "c", name: "now", input: {} }]),
      Chat.toolResult({ id: "c", name: "now" }, 1)
    ],
    wire: [
      { role: "user", content: "hi" },
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "c", type: "function", function: { name: "now", arguments: "{}" } }]
      },
      { role: "tool", tool_call_id: "c", content: "1" }
    ]
  }
]

describe("messages", () => {
  for (const { messages, name, wire } of conversations) {
    it.effect(name, () =>
      Effect.gen(function* () {
        expect(yield* body("openai", { messages })).toEqual({ ...always("openai"), messages: wire })
      })
    )
  }

  it.effect("tool messages for MiMo contain the tool's name", () =>
    Effect.gen(function* () {
      const messages = [Chat.user("hi"), asked([london], { reasoning: "hm" }), Chat.toolResult(london, "rain")]
      expect(yield* body("mimo", { messages })).toEqual({
        ...always("mimo"),
        messages: [
          { role: "user", content: "hi" },
          { role: "assistant", content: "", reasoning_content: "hm", tool_calls: [wireLondon] },
          { role: "tool", tool_call_id: "call-1", name: "weather", content: "rain" }
        ]
      })
    })
  )
})

describe("reasoning in the history", () => {
  const turns: ReadonlyArray<readonly [name: string, message: Chat.AssistantMessage, reasoning: string | undefined]> = [
    ["with a tool call", asked([london], { reasoning: "hm" }), "hm"],
    ["with a tool call that had none: an empty one counts, an absent one is a 400", asked([london]), ""],
    ["with text", Chat.assistant("hello", { reasoning: "hm" }), "hm"],
    ["with text and none", Chat.assistant("hello"), undefined]
  ]
  for (const [name, message, reasoning] of turns) {
    it.effect(`${name}: it goes to DeepSeek and MiMo, and to no host that refuses it`, () =>
      Effect.gen(function* () {
        const answer = message.toolCalls === undefined ? [] : [Chat.toolResult(london, "rain")]
        const messages = [Chat.user("hi"), message, ...answer, Chat.user("go on")]
        for (const host of hosts) {
          const wanted = host === "deepseek" || host === "mimo" ? reasoning : undefined
          const turn = yield* body(host, { messages }).pipe(Effect.flatMap(assistantTurn))
          expect([host, turn]).toEqual([
            host,
            {
              role: "assistant",
              content: message.content,
              ...(wanted === undefined ? undefined : { reasoning_content: wanted }),
              ...(message.toolCalls === undefined ? undefined : { tool_calls: [wireLondon] })
            }
          ])
        }
      })
    )
  }

  it.effect("what another wire signed is not sent", () =>
    Effect.gen(function* () {
      const replay = { protocol: "anthropic-messages", content: [{ type: "thinking", thinking: "t", signature: "s" }] }
      const messages = [Chat.user("hi"), Chat.assistant("hello", { replay }), Chat.user("go on")]
      const turn = yield* body("openrouter", { messages }).pipe(Effect.flatMap(assistantTurn))
      expect(turn).toEqual({ role: "assistant", content: "hello" })
    })
  )

  it.effect("OpenRouter's details go back as they came", () =>
    Effect.gen(function* () {
      const content = [{ type: "reasoning.encrypted", data: "xyz", index: 0 }]
      const messages = [
        Chat.user("hi"),
        Chat.assistant("hello", { replay: { protocol: "openai-chat", content } }),
        Chat.user("go on")
      ]
      const turn = yield* body("openrouter", { messages }).pipe(Effect.flatMap(assistantTurn))
      expect(turn).toEqual({ role: "assistant", content: "hello", reasoning_details: content })
    })
  )
})

const Wire = Schema.Struct({ messages: Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown })) })

/** The only assistant turn of a body. */
const assistantTurn = (sentBody: unknown) =>
  Effect.map(Schema.decodeUnknown(Wire)(sentBody), ({ messages }) =>
    messages.find((message) => message["role"] === "assistant")
  )

// ---------------------------------------------------------------------------------------------------------------------
// Tools and headers
// ---------------------------------------------------------------------------------------------------------------------

describe("Tool.make", () => {
  it.effect("goes into the request as it is, but its schema and decoder are not sent", () =>
    Effect.gen(function* () {
      const weather = Tool.make({
        name: "weather",
        description: "of a city",
        parameters: Schema.Struct({ city: Schema.String })
      })
      expect(yield* body("deepseek", { messages: hi, tools: [weather] })).toEqual({
        ...always("deepseek"),
        tools: [{ type: "function", function: { name: "weather", description: "of a city", parameters: schema } }]
      })
    })
  )
})

describe("the request line", () => {
  const lines: ReadonlyArray<readonly [host: Name, url: string, header: string, value: string]> = [
    ["openai", "https://api.openai.com/v1/chat/completions", "authorization", "Bearer key-of-the-test"],
    ["deepseek", "https://api.deepseek.com/chat/completions", "authorization", "Bearer key-of-the-test"],
    ["mimo", "https://api.xiaomimimo.com/v1/chat/completions", "api-key", "key-of-the-test"],
    ["minimax", "https://api.minimax.io/v1/chat/completions", "authorization", "Bearer key-of-the-test"],
    ["groq", "https://gateway.test/openai/v1/chat/completions", "authorization", "Bearer key-of-the-test"],
    ["bare", "http://127.0.0.1:8080/v1/chat/completions", "authorization", "Bearer key-of-the-test"]
  ]
  for (const [host, url, header, value] of lines) {
    it.effect(`${host}: address and headers`, () =>
      Effect.gen(function* () {
        const {
          body: sentBody,
          headers,
          method,
          ...request
        } = yield* sent(host, { messages: hi }, { provider: { headers: { "X-Title": "t" } } })
        expect([method, request.url]).toEqual(["POST", url])
        expect(headers).toEqual({
          [header]: value,
          accept: "application/json",
          "content-length": String(JSON.stringify(sentBody).length),
          "content-type": "application/json",
          "x-title": "t"
        })
      })
    )
  }

  it.effect("a stream asks for an event stream", () =>
    Effect.gen(function* () {
      const { headers } = yield* sent("openai", { messages: hi }, { stream: true })
      expect(headers["accept"]).toBe("text/event-stream")
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Answers that no recording shows
// ---------------------------------------------------------------------------------------------------------------------

const answer = (message: unknown, finish_reason: unknown = "stop", rest: object = {}) => ({
  id: "a-1",
  model: "m-1",
  choices: [{ index: 0, message, finish_reason }],
  ...rest
})

const whole = (value: unknown) => WireReader.decodeBody(OpenAiChat.make().decoder(), JSON.stringify(value))

/** The events of a body that is one. */
const read = (value: unknown): ReadonlyArray<Chat.Event> => {
  const events = whole(value)
  if (Fault.isFault(events)) throw new Error(`a fault: ${JSON.stringify(events)}`)
  return events
}

/** Feeds these data lines, and ends the body. */
const streamed = (data: ReadonlyArray<unknown>, dialect: OpenAiChat.Dialect = {}) => {
  const decoder = OpenAiChat.make(dialect).decoder()
  const events: Array<Chat.Event> = []
  let step: Protocol.Step = "more"
  for (const item of data) {
    if (step !== "more") break
    step = decoder.step(typeof item === "string" ? item : JSON.stringify(item), "", events)
  }
  return { step: step === "more" ? decoder.end(events) : step, events }
}

const chunk = (delta: unknown, finish_reason: unknown = null, rest: object = {}) => ({
  id: "a-1",
  model: "m-1",
  choices: [{ index: 0, delta, finish_reason }],
  ...rest
})

const call = (index: number, id: string | null, name: string | null, args: string) => ({
  tool_calls: [{ index, id, type: "function", function: { name, arguments: args } }]
})

describe("Gemini's thought signatures", () => {
  const extra_content = { google: { thought_signature: "c2ln" }, other: { kept: [1] } }
  const signed = { ...call(0, "a", "f", "{}").tool_calls[0], extra_content }
  const unsigned = { ...call(1, "b", "g", "{}").tool_calls[0] }
  const { index: _, ...signedWhole } = signed

  const answers: ReadonlyArray<readonly [name: string, events: () => ReadonlyArray<Chat.Event>]> = [
    ["whole", () => read(answer({ content: "", tool_calls: [signed, unsigned] }, "tool_calls"))],
    [
      "streamed",
      () => streamed([chunk({ tool_calls: [signed] }), chunk({ tool_calls: [unsigned] }, "tool_calls")]).events
    ],
    [
      "streamed, the signature in a later piece",
      () =>
        streamed([
          chunk(call(0, "a", "f", "{}")),
          chunk({ tool_calls: [unsigned] }),
          chunk({ tool_calls: [{ index: 0, extra_content: { google: extra_content.google } }] }),
          chunk({ tool_calls: [{ index: 0, extra_content: { other: extra_content.other } }] }, "tool_calls")
        ]).events
    ]
  ]

  /** The calls of the assistant's turn that goes back for this answer. */
  const callsSentBack = (
    events: ReadonlyArray<Chat.Event>,
    model: string,
    dialect: OpenAiChat.Dialect = {},
    through = (messages: ReadonlyArray<Chat.Message>) => messages
  ) => {
    const reply = Chat.reply(events)
    if (reply === undefined) throw new Error("the answer has no end")
    const messages = through([Chat.user("hi"), reply.message, ...reply.toolCalls.map((one) => Chat.toolResult(one, 1))])
    const encoded = OpenAiChat.make(dialect).encode({ messages }, { model, stream: false })
    return Schema.decodeUnknownSync(Wire)(encoded).messages[1]?.["tool_calls"]
  }

  const wireUnsigned = { id: "b", type: "function", function: { name: "g", arguments: "{}" } }
  const wireBare = { id: "a", type: "function", function: { name: "f", arguments: "{}" } }

  for (const [name, events] of answers) {
    it(`go back with their own calls, and with no other: ${name}`, () => {
      for (const model of ["gemini-3-pro-preview", "google/gemini-3.5-flash", "models/Gemini-4"]) {
        expect(callsSentBack(events(), model)).toEqual([signedWhole, wireUnsigned])
      }
    })

    it(`do not go to another maker's model, because strict hosts answer them with a 400: ${name}`, () => {
      for (const model of ["mistral-large", "gpt-5.6", "accounts/fireworks/models/glm-5"]) {
        expect(callsSentBack(events(), model)).toEqual([wireBare, wireUnsigned])
      }
    })
  }

  const [[, events] = ["", () => []]] = answers

  it("are sent or not as the host's dialect says, whatever the model's name", () => {
    expect(callsSentBack(events(), "fast", { replaysExtraContent: true })).toEqual([signedWhole, wireUnsigned])
    expect(callsSentBack(events(), "gemini-3", { replaysExtraContent: false })).toEqual([wireBare, wireUnsigned])
  })

  it("survive in a history that is kept as JSON", () => {
    const kept = (messages: ReadonlyArray<Chat.Message>) => JSON.parse(JSON.stringify(messages))
    expect(callsSentBack(events(), "gemini-3", {}, kept)).toEqual([signedWhole, wireUnsigned])
  })

  it.effect("are dropped on Anthropic's wire, and still go back when the conversation returns", () =>
    Effect.gen(function* () {
      const reply = Chat.reply(events())
      if (reply === undefined) return yield* Effect.dieMessage("the answer has no end")
      const messages = [
        Chat.user("hi"),
        reply.message,
        ...reply.toolCalls.map((one) => Chat.toolResult(one, 1)),
        Chat.user("and?")
      ]
      expect(JSON.stringify(yield* body("anthropic", { messages }))).not.toMatch(/signature|extra/)
      expect(JSON.stringify(yield* body("groq", { messages, model: "gemini-3" }))).toContain("c2ln")
    })
  )

  for (const odd of [null, "x", 1, [], [1], true]) {
    it(`of an unknown form are ignored: ${JSON.stringify(odd)}`, () => {
      const one = { ...signed, extra_content: odd }
      const events = read(answer({ content: "", tool_calls: [one] }, "tool_calls"))
      expect(callsSentBack(events, "gemini-3")).toEqual([wireBare])
    })
  }
})

const tags = (events: ReadonlyArray<Chat.Event>) => events.map((event) => event._tag)
const calls = (events: ReadonlyArray<Chat.Event>) =>
  events.flatMap((event) => (event._tag === "ToolCall" ? [[event.id, event.name, event.input]] : []))
const finish = (events: ReadonlyArray<Chat.Event>) => events.find((event) => event._tag === "Finish")

describe("tool calls in pieces", () => {
  it("two calls with mixed pieces are told apart by their index", () => {
    const { events, step } = streamed([
      chunk(call(0, "a", "f", "")),
      chunk(call(1, "b", "g", '{"y"')),
      chunk(call(0, null, null, '{"x":1')),
      chunk(call(1, null, null, ":2}")),
      chunk(call(0, null, null, "}")),
      chunk({}, "tool_calls"),
      "[DONE]"
    ])
    expect(step).toBe("done")
    expect(calls(events)).toEqual([
      ["a", "f", { x: 1 }],
      ["b", "g", { y: 2 }]
    ])
  })

  it("arguments that arrive parsed are accepted", () => {
    const events = read(answer({ tool_calls: [{ id: "a", function: { name: "f", arguments: { x: 1 } } }] }))
    expect(calls(events)).toEqual([["a", "f", { x: 1 }]])
  })

  it("a call without an id gets one that no other call of the answer has", () => {
    const f = { function: { name: "f", arguments: "{}" } }
    const events = read(answer({ tool_calls: [f, f] }))
    const ids = events.flatMap((event) => (event._tag === "ToolCall" ? [event.id] : []))
    expect(new Set(ids).size).toBe(2)
  })

  it("keys that would pollute a prototype are dropped at every depth", () => {
    const args = '{"__proto__":{"a":1},"b":{"constructor":{"prototype":{}},"c":[{"\\u005f_proto__":1,"d":2}]}}'
    const events = read(answer({ tool_calls: [{ id: "a", function: { name: "f", arguments: args } }] }))
    expect(calls(events)).toEqual([["a", "f", { b: { c: [{ d: 2 }] } }]])
  })

  it("arguments that are not JSON fail the answer", () => {
    const { step } = streamed([chunk(call(0, "a", "f", "{x")), chunk({}, "tool_calls"), "[DONE]"])
    expect(step).toMatchObject({ _tag: "Malformed" })
  })

  // The model was stopped in the middle of a call: by the limit, by a filter, by MiMo's guard against repetition.
  for (const reason of ["length", "content_filter", "repetition_truncation"]) {
    it(`a call that ${reason} cut off is dropped, and the answer is complete`, () => {
      const { events, step } = streamed([
        chunk({ content: "let me see" }),
        chunk(call(0, "a", "f", '{"x":1}')),
        chunk(call(1, "b", "g", '{"y')),
        chunk({}, reason),
        "[DONE]"
      ])
      expect(step).toBe("done")
      expect(calls(events)).toEqual([["a", "f", { x: 1 }]])
      expect(finish(events)).toMatchObject({ rawReason: reason })
    })
  }

  it("the time for many calls is linear in their number", () => {
    const calls = (count: number) => {
      const tool_calls = Array.from({ length: count }, (_, index) => ({
        index,
        id: `c-${index}`,
        function: { name: "f", arguments: "{}" }
      }))
      const body = answer({ tool_calls }, "tool_calls")
      return () => expect(read(body)).toHaveLength(2 * count + 1)
    }
    expect(Cost.growth(calls(10_000), calls(40_000))).toBeLessThan(9)
  })
})

describe("the reason", () => {
  const reasons: ReadonlyArray<readonly [word: unknown, reason: Chat.FinishReason]> = [
    ["stop", "stop"],
    ["length", "length"],
    ["tool_calls", "tool-calls"],
    ["content_filter", "content-filter"],
    ["repetition_truncation", "length"],
    ["a word of tomorrow", "other"],
    ["constructor", "other"],
    ["toString", "other"],
    ["__proto__", "other"],
    [null, "other"]
  ]
  for (const [word, reason] of reasons) {
    it(`${JSON.stringify(word)} is ${reason}`, () => {
      const events = read(answer({ content: "x" }, word))
      expect(finish(events)).toMatchObject({ reason, rawReason: word ?? "" })
    })
  }

  it("insufficient_system_resource is Overloaded, not an end", () => {
    const { events, step } = streamed([chunk({ content: "x" }), chunk({}, "insufficient_system_resource"), "[DONE]"])
    expect(step).toEqual({ _tag: "BrokenOff", code: "insufficient_system_resource", reason: "Overloaded" })
    expect(tags(events)).toEqual(["TextDelta"])
  })
})

describe("the end of a stream", () => {
  it("is a finish reason, even without [DONE]", () => {
    expect(streamed([chunk({ content: "x" }, "stop")]).step).toBe("done")
  })

  it("is [DONE], even without a finish reason", () => {
    expect(streamed([chunk({ content: "x" }), "[DONE]"]).step).toBe("done")
  })

  it("is a cut without either", () => {
    expect(streamed([chunk({ content: "x" })]).step).toEqual({ _tag: "Cut", code: undefined })
  })

  it("is not [DONE] with more behind it", () => {
    for (const almost of ["[DONE] ", "[DONE]xyz", "[done]"]) {
      expect(streamed([chunk({ content: "x" }), almost]).step).toMatchObject({ _tag: "Malformed" })
    }
  })

  it("is malformed if it is [DONE] without an answer", () => {
    expect(streamed(["[DONE]"]).step).toMatchObject({ _tag: "Malformed" })
  })

  it("may have usage after the finish reason", () => {
    const { events } = streamed([
      chunk({ content: "x" }, "stop"),
      { choices: [], usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 } },
      "[DONE]"
    ])
    expect(finish(events)).toMatchObject({ usage: { inputTokens: 3, outputTokens: 1, totalTokens: 4 } })
  })
})

describe("errors inside a 200", () => {
  const errors: ReadonlyArray<readonly [name: string, event: object]> = [
    ["an error object", { error: { message: "overloaded", code: 503 } }],
    ["an error that is a string", { error: "overloaded" }],
    ["an error that is a number", { error: 503 }],
    ["an error that is true", { error: true }],
    ["an error beside choices", chunk({ content: "x" }, null, { error: { message: "overloaded" } })],
    ["MiniMax's base_resp", { base_resp: { status_code: 1002, status_msg: "rate limit" } }]
  ]
  for (const [name, event] of errors) {
    it(`${name} is a refusal, streamed or not`, () => {
      expect(streamed([event]).step).toEqual({ _tag: "Refused", body: JSON.stringify(event) })
      expect(whole(event)).toEqual({ _tag: "Refused", body: JSON.stringify(event) })
    })
  }

  const noErrors = [null, "", false, 0].map((error) => ({ error }))
  for (const rest of [...noErrors, { base_resp: { status_code: 0, status_msg: "" } }]) {
    it(`${JSON.stringify(rest)} beside an answer is not an error`, () => {
      expect(streamed([chunk({ content: "x" }, "stop", rest)]).step).toBe("done")
    })
  }

  it("an event named error is a refusal, even if it says [DONE]", () => {
    const events: Array<Chat.Event> = []
    const decoder = OpenAiChat.make().decoder()
    decoder.step(JSON.stringify(chunk({ content: "x" })), "", events)
    expect(decoder.step("[DONE]", "error", events)).toEqual({ _tag: "Refused", body: "[DONE]" })
  })
})

describe("reasoning", () => {
  const said: ReadonlyArray<readonly [name: string, delta: object, reasoning: string]> = [
    ["reasoning_content", { reasoning_content: "hm" }, "hm"],
    ["reasoning", { reasoning: "hm" }, "hm"],
    ["both: once", { reasoning_content: "hm", reasoning: "hm" }, "hm"],
    ["an empty one beside a full one", { reasoning_content: "", reasoning: "hm" }, "hm"],
    ["details alone", { reasoning_details: [{ type: "reasoning.text", text: "hm" }] }, "hm"],
    ["details beside their text: once", { reasoning: "hm", reasoning_details: [{ text: "hm" }] }, "hm"],
    ["parts, as Mistral's", { content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }] }, "hm"],
    ["<think>, unless the dialect says so", { content: "<think>hm</think>" }, ""]
  ]
  for (const [name, delta, reasoning] of said) {
    it(name, () => {
      const { events } = streamed([chunk(delta), chunk({ content: "." }, "stop")])
      expect(Chat.reply(events)?.reasoning).toBe(reasoning)
    })
  }

  it("pieces of one detail are joined, and details of two calls stay apart", () => {
    const { events } = streamed([
      chunk({ reasoning_details: [{ type: "reasoning.text", text: "h", index: 0 }] }),
      chunk({ reasoning_details: [{ type: "reasoning.text", text: "m", index: 0, signature: "s" }] }),
      chunk({ reasoning_details: [{ type: "reasoning.encrypted", data: "x", id: "call-1", index: 0 }] }),
      chunk({ reasoning_details: [{ type: "reasoning.encrypted", data: "y", id: "call-2", index: 0 }] }),
      chunk({ content: "." }, "stop")
    ])
    expect(finish(events)).toMatchObject({
      replay: {
        protocol: "openai-chat",
        content: [
          { type: "reasoning.text", text: "hm", index: 0, signature: "s" },
          { type: "reasoning.encrypted", data: "x", id: "call-1", index: 0 },
          { type: "reasoning.encrypted", data: "y", id: "call-2", index: 0 }
        ]
      }
    })
  })
})

describe("<think>, if the dialect has it", () => {
  const texts: ReadonlyArray<readonly [text: string, reasoning: string, rest: string]> = [
    ["<think>hm</think>\n\nhello", "hm", "\n\nhello"],
    ["\n<think>hm</think>hello", "hm", "hello"],
    ["<think></think>hello", "", "hello"],
    ["<think>hm", "hm", ""],
    ["<think>a < b </thin", "a < b </thin", ""],
    ["hello <think>no</think>", "", "hello <think>no</think>"],
    ["<thinker> is a name", "", "<thinker> is a name"],
    ["<thi", "", "<thi"],
    ["  ", "", "  "]
  ]
  for (const [text, reasoning, rest] of texts) {
    it(`${JSON.stringify(text)}, at once and a character at a time`, () => {
      for (const pieces of [[text], [...text]]) {
        const { events } = streamed([...pieces.map((content) => chunk({ content })), chunk({}, "stop")], {
          thinkTags: true
        })
        const reply = Chat.reply(events)
        expect([reply?.reasoning, reply?.text]).toEqual([reasoning, rest])
      }
    })
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

describe("models", () => {
  const none = { name: undefined, ownedBy: undefined, contextWindow: undefined, created: undefined }
  const rows: ReadonlyArray<readonly [who: string, item: object, model: object]> = [
    [
      "OpenAI",
      { id: "gpt", object: "model", created: 5, owned_by: "openai" },
      { id: "gpt", ownedBy: "openai", created: 5 }
    ],
    ["OpenRouter", { id: "x/y", name: "X: Y", context_length: 10 }, { id: "x/y", name: "X: Y", contextWindow: 10 }],
    ["Groq", { id: "llama", context_window: 11 }, { id: "llama", contextWindow: 11 }],
    ["Mistral", { id: "small", max_context_length: 12 }, { id: "small", contextWindow: 12 }],
    ["vLLM", { id: "qwen", max_model_len: 13 }, { id: "qwen", contextWindow: 13 }],
    ["a name and no id", { name: "gemma" }, { id: "gemma", name: "gemma" }]
  ]
  for (const [who, item, model] of rows) {
    it(`as ${who} lists them`, () => {
      expect(OpenAiChat.make().decodeModels(JSON.stringify({ object: "list", data: [item] }))).toEqual([
        { ...none, ...model }
      ])
    })
  }

  it("a list without an envelope, or under `models`", () => {
    for (const list of [[{ id: "a" }], { models: [{ id: "a" }] }]) {
      expect(OpenAiChat.make().decodeModels(JSON.stringify(list))).toEqual([{ id: "a", ...none }])
    }
  })

  it("an entry that is not a model is left out; a body that is not a list is malformed", () => {
    expect(OpenAiChat.make().decodeModels(JSON.stringify({ data: [null, 1, "x", {}, { id: "" }] }))).toEqual([])
    for (const value of [{}, { data: "x" }, null, 1, "x"]) {
      expect(OpenAiChat.make().decodeModels(JSON.stringify(value))).toMatchObject({ _tag: "Malformed" })
    }
  })
})
