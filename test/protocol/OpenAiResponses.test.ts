/**
 * OpenAI's Responses: the whole body of every feature, and what answers say. No answer here is recorded. Events and
 * items have the shapes of OpenAI's OpenAPI document (openai-openapi, f85dbe22) and of its SDK's types (openai-node,
 * 7b7d6ca7, `src/resources/responses/responses.ts`); where a shape is from elsewhere, it is said beside it.
 */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Random, Redacted, Schema, Stream, TestClock } from "effect"
import * as WireReader from "../../src/answer/WireReader.js"
import { Chat, OpenAi, Provider, Tool } from "../../src/index.js"
import type * as Protocol from "../../src/Protocol.js"
import * as OpenAiResponses from "../../src/protocol/OpenAiResponses.js"
import * as Fault from "../../src/refusal/Fault.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Cost from "../Cost.js"
import { patiently } from "../Wire.js"
import { body, sent, service } from "./Bodies.js"

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

type Fields = { readonly [field: string]: unknown }

const hi: ReadonlyArray<Chat.Message> = [Chat.user("hi")]
const said = { role: "user", content: "hi" }

/** What every body has. */
const always: Fields = {
  model: "m",
  input: [said],
  stream: false,
  store: false,
  include: ["reasoning.encrypted_content"]
}

const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false
}
const looseSchema = { type: "object", properties: { city: { type: "string" } } }
const asJson = { role: "system", content: "Answer with JSON and nothing else." }

const weather: Chat.ToolDefinition = { name: "weather", description: "of a city", parameters: schema }
/** `strict` is said, because this wire makes a schema strict where nothing is. */
const wireWeather = { type: "function", name: "weather", description: "of a city", parameters: schema, strict: false }

const settings: ReadonlyArray<readonly [name: string, request: Partial<Chat.Request>, fields: Fields]> = [
  ["nothing", {}, {}],
  ["a model of its own", { model: "other" }, { model: "other" }],
  ["maxTokens", { maxTokens: 100 }, { max_output_tokens: 100 }],
  ["temperature", { temperature: 0 }, { temperature: 0 }],
  ["topP", { topP: 0.5 }, { top_p: 0.5 }],
  ["a seed, which the wire has no field for", { seed: 7 }, {}],
  ["no stop sequence", { stop: [] }, {}],
  ["user", { user: "user-1" }, { safety_identifier: "user-1" }],
  ["reasoning, no effort", { reasoning: { effort: "none" } }, { reasoning: { effort: "none" } }],
  ["reasoning, the most effort", { reasoning: { effort: "max" } }, { reasoning: { effort: "max" } }],
  ["reasoning by tokens, which the wire has no field for", { reasoning: { budgetTokens: 1000 } }, {}],
  ["JSON", { output: "json" }, { input: [asJson, said], text: { format: { type: "json_object" } } }],
  [
    "a schema",
    { output: { schema } },
    { text: { format: { type: "json_schema", name: "output", schema, strict: true } } }
  ],
  [
    "a schema that allows more than it lists, under a name",
    { output: { name: "place", schema: looseSchema } },
    { text: { format: { type: "json_schema", name: "place", schema: looseSchema, strict: false } } }
  ],
  ["tools", { tools: [weather] }, { tools: [wireWeather] }],
  ["no tools", { tools: [], toolChoice: "required" }, {}],
  ["any tool", { tools: [weather], toolChoice: "required" }, { tools: [wireWeather], tool_choice: "required" }],
  ["no tool now", { tools: [weather], toolChoice: "none" }, { tools: [wireWeather], tool_choice: "none" }],
  [
    "one tool",
    { tools: [weather], toolChoice: { name: "weather" } },
    { tools: [wireWeather], tool_choice: { type: "function", name: "weather" } }
  ],
  [
    "a tool of OpenAI's own, in the extra fields",
    { extra: { tools: [{ type: "web_search" }] }, toolChoice: "auto" },
    { tools: [{ type: "web_search" }], tool_choice: "auto" }
  ],
  [
    "one call at a time",
    { extra: { parallel_tool_calls: false }, tools: [weather] },
    { parallel_tool_calls: false, tools: [wireWeather] }
  ],
  [
    "a summary of the reasoning beside its effort",
    { extra: { reasoning: { summary: "auto" } }, reasoning: { effort: "low" } },
    { reasoning: { summary: "auto", effort: "low" } }
  ],
  ["a summary alone", { extra: { reasoning: { summary: "auto" } } }, { reasoning: { summary: "auto" } }],
  [
    "verbosity beside a schema",
    { extra: { text: { verbosity: "low" } }, output: { schema } },
    { text: { verbosity: "low", format: { type: "json_schema", name: "output", schema, strict: true } } }
  ],
  [
    "more to include",
    { extra: { include: ["web_search_call.results", "reasoning.encrypted_content"] } },
    { include: ["web_search_call.results", "reasoning.encrypted_content"] }
  ],
  ["answers that OpenAI keeps", { extra: { store: true } }, { store: true }]
]

describe("settings", () => {
  for (const [name, request, fields] of settings) {
    it.effect(name, () =>
      Effect.gen(function* () {
        expect(yield* body("responses", { messages: hi, ...request })).toEqual({ ...always, ...fields })
      })
    )
  }

  it.effect("a stream is asked for, and its usage comes by itself", () =>
    Effect.gen(function* () {
      expect(yield* body("responses", { messages: hi }, { stream: true })).toEqual({ ...always, stream: true })
    })
  )

  it.effect("stop sequences, which this wire does not have, are named, and nothing is sent", () =>
    Effect.gen(function* () {
      const provider = yield* service("responses")
      const error = yield* Effect.flip(provider.complete({ messages: hi, stop: ["a"] }))
      expect(error).toMatchObject({ _tag: "InvalidRequest", problem: "Unsupported", subject: "stop", attempts: 0 })
      expect(yield* Gateway.requests).toEqual([])
    }).pipe(Effect.provide(Gateway.layer([])))
  )
})

describe("encrypted reasoning", () => {
  // "Encrypted content is not supported with this model", a 400: pydantic-ai issues 2865 and 3326, draive issue 399.
  for (const model of [
    "gpt-4o",
    "gpt-4.1-mini",
    "openai/gpt-4o",
    "ft:gpt-4o-2024-08-06:acme::x",
    "gpt-5-chat-latest"
  ]) {
    it.effect(`is not asked of ${model}, which does not reason and refuses it`, () =>
      Effect.gen(function* () {
        const { include: _, ...rest } = always
        expect(yield* body("responses", { messages: hi, model })).toEqual({ ...rest, model })
      })
    )
  }

  for (const model of ["gpt-5", "gpt-5.5", "gpt-5.6-sol", "o3", "o4-mini", "codex-mini-latest", "gpt-oss-120b"]) {
    it.effect(`is asked of ${model}`, () =>
      Effect.gen(function* () {
        expect(yield* body("responses", { messages: hi, model })).toEqual({ ...always, model })
      })
    )
  }

  it("is asked for, or is not, as the host's dialect says, whatever the model is called", () => {
    const included = (dialect: OpenAiResponses.Dialect, model: string) =>
      OpenAiResponses.make(dialect).encode({ messages: hi }, { model, stream: false })["include"]
    expect(included({ replaysReasoning: false }, "o3")).toBeUndefined()
    expect(included({ replaysReasoning: true }, "gpt-4o")).toEqual(["reasoning.encrypted_content"])
  })
})

const picture = { base64: "AAAA", mediaType: "image/png" }
const call: Chat.ToolCall = { id: "call-1", name: "weather", input: { city: "Rome" } }
const wireCall = { type: "function_call", call_id: "call-1", name: "weather", arguments: '{"city":"Rome"}' }
const output = (output: unknown, call_id = "call-1") => ({ type: "function_call_output", call_id, output })

const thought = { id: "rs_1", type: "reasoning", summary: [], encrypted_content: "c2VhbGVk" }
const replayed = (...content: ReadonlyArray<unknown>): Chat.Replay => ({ protocol: "openai-responses", content })

const messages: ReadonlyArray<readonly [name: string, ReadonlyArray<Chat.Message>, input: ReadonlyArray<unknown>]> = [
  [
    "instructions, wherever they stand, and none of nothing",
    [Chat.system("be brief"), Chat.system(" "), ...hi, Chat.system("in French")],
    [{ role: "system", content: "be brief" }, said, { role: "system", content: "in French" }]
  ],
  [
    "text and pictures",
    [Chat.user([Chat.text("what?"), Chat.image({ url: "https://a.test/b.png" }), Chat.image(picture)])],
    [
      {
        role: "user",
        content: [
          { type: "input_text", text: "what?" },
          { type: "input_image", image_url: "https://a.test/b.png", detail: "auto" },
          { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "auto" }
        ]
      }
    ]
  ],
  [
    "what a model said, as one text",
    [...hi, Chat.assistant([Chat.text("hel"), Chat.text("lo")]), Chat.user("more")],
    [said, { role: "assistant", content: "hello" }, { role: "user", content: "more" }]
  ],
  [
    "a call before its result",
    [...hi, Chat.assistant("", { toolCalls: [call] }), Chat.toolResult(call, "rain")],
    [said, wireCall, output("rain")]
  ],
  [
    "two calls and their results, behind the text",
    [
      ...hi,
      Chat.assistant("I look.", { toolCalls: [call, { ...call, id: "call-2", input: undefined }] }),
      Chat.toolResult(call, "rain"),
      Chat.toolResult({ ...call, id: "call-2" }, { celsius: 21 })
    ],
    [
      said,
      { role: "assistant", content: "I look." },
      wireCall,
      { ...wireCall, call_id: "call-2", arguments: "{}" },
      output("rain"),
      output('{"celsius":21}', "call-2")
    ]
  ],
  [
    "a result with a picture, which this wire takes as it is",
    [
      ...hi,
      Chat.assistant("", { toolCalls: [call] }),
      { role: "tool", toolCallId: "call-1", name: "weather", content: [Chat.text("see"), Chat.image(picture)] }
    ],
    [
      said,
      wireCall,
      output([
        { type: "input_text", text: "see" },
        { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "auto" }
      ])
    ]
  ],
  [
    "reasoning before its call, as it came",
    [
      ...hi,
      Chat.assistant("", { toolCalls: [call], replay: replayed(thought, wireCall) }),
      Chat.toolResult(call, "rain")
    ],
    [said, thought, wireCall, output("rain")]
  ],
  [
    "reasoning without the field that the wire demands of it",
    [...hi, Chat.assistant("ok", { replay: replayed({ type: "reasoning", encrypted_content: "c" }, said) })],
    [said, { summary: [], type: "reasoning", encrypted_content: "c" }, said]
  ],
  [
    "reasoning that only OpenAI could look up, and keeps nothing of: left out",
    [...hi, Chat.assistant("ok", { replay: replayed({ ...thought, encrypted_content: null }, said) })],
    [said, said]
  ],
  [
    "what another wire has to see: left out",
    [...hi, Chat.assistant("ok", { toolCalls: [call], replay: { protocol: "openai-chat", content: [thought] } })],
    [said, { role: "assistant", content: "ok" }, wireCall, output("The call was interrupted; there is no result.")]
  ],
  [
    "a replay that is none",
    [...hi, Chat.assistant("ok", { replay: { protocol: "openai-responses", content: "?" } })],
    [said]
  ]
]

describe("messages", () => {
  for (const [name, given, input] of messages) {
    it.effect(name, () =>
      Effect.gen(function* () {
        expect(yield* body("responses", { messages: given })).toEqual({ ...always, input })
      })
    )
  }

  it.effect("reasoning by its id alone goes back where OpenAI keeps the answers", () =>
    Effect.gen(function* () {
      const kept = { id: "rs_1", type: "reasoning", summary: [] }
      const given = [...hi, Chat.assistant("ok", { replay: replayed(kept, said) })]
      expect(yield* body("responses", { messages: given, extra: { store: true } })).toEqual({
        ...always,
        store: true,
        input: [said, kept, said]
      })
    })
  )

  it.effect("reasoning does not go to a model that does not reason, which answers it with a 400", () =>
    Effect.gen(function* () {
      const given = [...hi, Chat.assistant("ok", { replay: replayed(thought, said) })]
      expect(yield* body("responses", { messages: given, model: "gpt-4o" })).toMatchObject({ input: [said, said] })
    })
  )

  it("a message of a kind that there is not is Unencodable, not a defect", () => {
    const odd: Chat.Message = JSON.parse('{"role":"narrator","content":"x"}')
    expect(() => OpenAiResponses.make().encode({ messages: [odd] }, { model: "m", stream: false })).toThrow(TypeError)
  })
})

describe("ids of calls", () => {
  const idsOf = (given: ReadonlyArray<Chat.Message>): ReadonlyArray<string> => {
    const { input } = OpenAiResponses.make().encode({ messages: given }, { model: "m", stream: false })
    return Array.isArray(input) ? input.flatMap(({ call_id }) => (typeof call_id === "string" ? [call_id] : [])) : []
  }

  // `call_id` has 1 to 64 characters (OpenAPI); a longer one is a 400 (decolua/9router issue 393).
  it("of another wire are cut to what this one takes, each once, and every result finds its call", () => {
    const long = "x".repeat(70)
    const calls = [`${long}a`, `${long}b`, "", "call_0"].map((id) => ({ ...call, id }))
    const turn = [Chat.assistant("", { toolCalls: calls }), ...calls.map((call) => Chat.toolResult(call, call.id))]
    const ids = idsOf([...hi, ...turn, ...turn])
    expect(ids).toHaveLength(16)
    expect(ids.every((id) => id.length >= 1 && id.length <= 64)).toBe(true)
    expect(new Set(ids).size).toBe(8)
    expect(ids.slice(0, 4)).toEqual(ids.slice(4, 8))
    expect(ids.slice(8, 12)).toEqual(ids.slice(12))
    expect(ids[3]).toBe("call_0")
  })

  it("in what goes back are those of the results", () => {
    const turn = [
      Chat.assistant("", { toolCalls: [call], replay: replayed(thought, wireCall) }),
      Chat.toolResult(call, "rain")
    ]
    expect(idsOf([...hi, ...turn, ...turn])).toEqual(["call-1", "call-1", "call-1_2", "call-1_2"])
  })

  it("of 20,000 calls of one name take linear time", () => {
    const history = (turns: number) =>
      Array.from({ length: turns }, () => [Chat.assistant("", { toolCalls: [call] }), Chat.toolResult(call, "")]).flat()
    const [few, many] = [history(5000), history(20_000)]
    expect(
      Cost.growth(
        () => idsOf(few),
        () => idsOf(many)
      )
    ).toBeLessThan(10)
  })
})

describe("Tool.make", () => {
  it.effect("goes into the request as it is, and its schema and decoder stay at home", () =>
    Effect.gen(function* () {
      const tool = Tool.make({
        name: "weather",
        description: "of a city",
        parameters: Schema.Struct({ city: Schema.String })
      })
      expect(yield* body("responses", { messages: hi, tools: [tool] })).toEqual({ ...always, tools: [wireWeather] })
    })
  )
})

describe("the request line", () => {
  it.effect("address and headers", () =>
    Effect.gen(function* () {
      const { body: sentBody, headers, method, url } = yield* sent("responses", { messages: hi })
      expect([method, url]).toEqual(["POST", "https://api.openai.com/v1/responses"])
      expect(headers).toEqual({
        authorization: "Bearer key-of-the-test",
        accept: "application/json",
        "content-length": String(JSON.stringify(sentBody).length),
        "content-type": "application/json"
      })
    })
  )

  it.effect("the other wire is asked where nothing is said", () =>
    Effect.gen(function* () {
      for (const wire of [undefined, "chat"] as const) {
        const provider = yield* OpenAi.make({ model: "m", apiKey: Redacted.make("k"), wire })
        yield* Effect.exit(provider.complete({ messages: hi }))
      }
      const urls = (yield* Gateway.requests).map(({ url }) => url)
      expect(urls).toEqual(Array(2).fill("https://api.openai.com/v1/chat/completions"))
    }).pipe(Effect.provide(Gateway.layer(() => Gateway.status(400))))
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

const response = (fields: object = {}) => ({
  id: "resp_1",
  object: "response",
  created_at: 1741290958,
  status: "completed",
  error: null,
  incomplete_details: null,
  model: "gpt-5.5-2026-01-01",
  output: [],
  usage: null,
  ...fields
})

const text = (text: string, fields: object = {}) => ({ type: "output_text", text, annotations: [], ...fields })
const message = (content: ReadonlyArray<unknown>, fields: object = {}) => ({
  id: "msg_1",
  type: "message",
  status: "completed",
  role: "assistant",
  content,
  ...fields
})
const reasoning = (summary: ReadonlyArray<string>, fields: object = {}) => ({
  id: "rs_1",
  type: "reasoning",
  summary: summary.map((text) => ({ type: "summary_text", text })),
  encrypted_content: "c2VhbGVk",
  ...fields
})
const called = (args: string, fields: object = {}) => ({
  id: "fc_1",
  type: "function_call",
  status: "completed",
  call_id: "call_1",
  name: "weather",
  arguments: args,
  ...fields
})
const usage = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 64, cache_write_tokens: 0 },
  output_tokens: 50,
  output_tokens_details: { reasoning_tokens: 32 },
  total_tokens: 150
}

const event = (type: string, fields: object = {}) => ({ type, ...fields })
const created = event("response.created", { response: response({ status: "in_progress" }) })
const added = (output_index: number, item: object) => event("response.output_item.added", { output_index, item })
const done = (output_index: number, item: object) => event("response.output_item.done", { output_index, item })
const delta = (kind: string, output_index: number, item_id: string, delta: string, fields: object = {}) =>
  event(`response.${kind}.delta`, { output_index, item_id, content_index: 0, delta, ...fields })
const completed = (fields: object = {}) => event("response.completed", { response: response(fields) })
const incomplete = (reason: string | undefined, fields: object = {}) =>
  event("response.incomplete", {
    response: response({ status: "incomplete", incomplete_details: { reason }, ...fields })
  })

const whole = (value: unknown) => WireReader.decodeBody(OpenAiResponses.make().decoder(), JSON.stringify(value))

const read = (value: unknown): ReadonlyArray<Chat.Event> => {
  const events = whole(value)
  if (Fault.isFault(events)) throw new Error(`a fault: ${JSON.stringify(events)}`)
  return events
}

/** Feeds these events, and ends the body. */
const streamed = (data: ReadonlyArray<unknown>) => {
  const decoder = OpenAiResponses.make().decoder()
  const events: Array<Chat.Event> = []
  let step: Protocol.Step = "more"
  for (const item of data) {
    if (step !== "more") break
    step = decoder.step(typeof item === "string" ? item : JSON.stringify(item), "", events)
  }
  return { step: step === "more" ? decoder.end(events) : step, events }
}

const replyOf = (events: ReadonlyArray<Chat.Event>): Chat.Reply => {
  const reply = Chat.reply(events)
  if (reply === undefined) throw new Error("not a whole answer")
  return reply
}

/** The same answer, as items of a body and as their events. */
const answer = (items: ReadonlyArray<{ readonly [field: string]: unknown }>) => [
  created,
  ...items.flatMap((item, index) => [
    added(index, { ...item, ...begun(item) }),
    ...saying(item, index),
    done(index, item)
  ]),
  completed({ output: items, usage })
]

/** As an item begins: with nothing in it. */
const begun = (item: Fields) =>
  item["type"] === "message" ? { content: [] } : item["type"] === "function_call" ? { arguments: "" } : { summary: [] }

/** What it says, in two pieces each. */
const saying = (item: Fields, index: number): ReadonlyArray<unknown> => {
  const id = String(item["id"])
  const halves = (kind: string, value: unknown, fields: object = {}) => {
    const all = String(value)
    const middle = Math.ceil(all.length / 2)
    return [all.slice(0, middle), all.slice(middle)].map((piece) => delta(kind, index, id, piece, fields))
  }
  const list = (value: unknown): ReadonlyArray<Fields> => (Array.isArray(value) ? value : [])
  switch (item["type"]) {
    case "message":
      return list(item["content"]).flatMap((part, content_index) =>
        part["type"] === "refusal"
          ? halves("refusal", part["refusal"], { content_index })
          : halves("output_text", part["text"], { content_index })
      )
    case "reasoning":
      return [
        ...list(item["summary"]).flatMap((part, summary_index) =>
          halves("reasoning_summary_text", part["text"], { summary_index })
        ),
        ...list(item["content"]).flatMap((part, content_index) =>
          halves("reasoning_text", part["text"], { content_index })
        )
      ]
    case "function_call":
      return halves("function_call_arguments", item["arguments"])
    default:
      return []
  }
}

describe("an answer, streamed and whole", () => {
  const rows: ReadonlyArray<readonly [name: string, items: ReadonlyArray<Fields>, reply: Partial<Chat.Reply>]> = [
    ["text", [message([text("Hello, "), text("world")])], { text: "Hello, world", reason: "stop", toolCalls: [] }],
    [
      "a refusal, which is no text",
      [message([{ type: "refusal", refusal: "I can't." }])],
      { text: "", refusal: "I can't.", reason: "stop" }
    ],
    [
      "the summary of reasoning, a paragraph a part",
      [reasoning(["**One**", "**Two**"]), reasoning(["**Three**"], { id: "rs_2" }), message([text("ok")])],
      { text: "ok", reasoning: "**One**\n\n**Two**\n\n**Three**" }
    ],
    [
      "the reasoning itself, as open models show it",
      [reasoning([], { content: [{ type: "reasoning_text", text: "let me see" }] }), message([text("ok")])],
      { text: "ok", reasoning: "let me see" }
    ],
    [
      "calls",
      [called('{"city":"Rome"}'), called("{}", { id: "fc_2", call_id: "call_2", name: "now" })],
      {
        text: "",
        reason: "tool-calls",
        rawReason: "completed",
        toolCalls: [
          { id: "call_1", name: "weather", input: { city: "Rome" } },
          { id: "call_2", name: "now", input: {} }
        ]
      }
    ],
    ["a call without arguments", [called("")], { toolCalls: [{ id: "call_1", name: "weather", input: {} }] }]
  ]
  for (const [name, items, expected] of rows) {
    it(name, () => {
      const stream = streamed(answer(items))
      expect(stream.step).toBe("done")
      const reply = replyOf(stream.events)
      expect(reply).toMatchObject({
        ...expected,
        id: "resp_1",
        model: "gpt-5.5-2026-01-01",
        usage: {
          inputTokens: 100,
          outputTokens: 50,
          totalTokens: 150,
          cachedInputTokens: 64,
          reasoningTokens: 32
        }
      })
      expect(replyOf(read(response({ output: items, usage })))).toEqual(reply)
    })
  }

  it("comes in its pieces, as they come", () => {
    const { events } = streamed(answer([message([text("abcd")]), called('{"a":1}')]))
    expect(events.slice(0, -2)).toEqual([
      { _tag: "TextDelta", text: "ab" },
      { _tag: "TextDelta", text: "cd" },
      { _tag: "ToolCallDelta", id: "call_1", name: "weather", delta: '{"a"' },
      { _tag: "ToolCallDelta", id: "call_1", name: "weather", delta: ":1}" }
    ])
  })

  it("has no counts where none are said", () => {
    const reply = replyOf(read(response({ output: [message([text("x")])], usage: undefined })))
    expect(Object.values(reply.usage)).toEqual(Array(5).fill(undefined))
  })

  it("is known by its status alone, and by its output where a gateway leaves that out", () => {
    const { status: _, ...bare } = response({ output: [message([text("x")])] })
    expect(replyOf(read(bare))).toMatchObject({ text: "x", reason: "stop" })
  })
})

describe("a stream", () => {
  it("that says nothing but its end is read from the end", () => {
    const { events, step } = streamed([completed({ output: [reasoning(["hm"]), message([text("x")]), called("{}")] })])
    expect(step).toBe("done")
    expect(replyOf(events)).toMatchObject({ text: "x", reasoning: "hm", toolCalls: [{ id: "call_1" }] })
  })

  it("that says its items only when they are done is read from those", () => {
    const { events } = streamed([created, done(0, message([text("x")])), done(1, called('{"a":1}')), completed()])
    expect(replyOf(events)).toMatchObject({ text: "x", toolCalls: [{ id: "call_1", input: { a: 1 } }] })
  })

  it("says nothing twice: not when a part, an item and the answer are done", () => {
    const item = message([text("ab")])
    const { events } = streamed([
      created,
      added(0, message([])),
      event("response.content_part.added", { output_index: 0, item_id: "msg_1", content_index: 0, part: text("") }),
      delta("output_text", 0, "msg_1", "ab"),
      event("response.output_text.done", { output_index: 0, item_id: "msg_1", content_index: 0, text: "ab" }),
      event("response.content_part.done", { output_index: 0, item_id: "msg_1", content_index: 0, part: text("ab") }),
      done(0, item),
      done(0, item),
      completed({ output: [item] })
    ])
    expect(events.filter(({ _tag }) => _tag === "TextDelta")).toHaveLength(1)
  })

  it("tells calls apart by their items where a gateway gives all of them one index, and by the index where ids change", () => {
    const second = { id: "fc_2", call_id: "call_2", name: "now" }
    const atOne = [
      added(0, called("")),
      added(0, called("", second)),
      delta("function_call_arguments", 0, "fc_1", '{"a":'),
      delta("function_call_arguments", 0, "fc_2", '{"b":'),
      delta("function_call_arguments", 0, "fc_1", "1}"),
      delta("function_call_arguments", 0, "fc_2", "2}"),
      done(0, called('{"a":1}')),
      done(0, called('{"b":2}', second))
    ]
    const changing = [
      added(0, called("", { id: "x1" })),
      added(1, called("", { ...second, id: "x2" })),
      delta("function_call_arguments", 1, "x3", '{"b":2}'),
      delta("function_call_arguments", 0, "x4", '{"a":1}'),
      done(0, called('{"a":1}', { id: "x5" })),
      done(1, called('{"b":2}', { ...second, id: "x6" }))
    ]
    for (const items of [atOne, changing]) {
      expect(replyOf(streamed([created, ...items, completed()]).events).toolCalls).toEqual([
        { id: "call_1", name: "weather", input: { a: 1 } },
        { id: "call_2", name: "now", input: { b: 2 } }
      ])
    }
  })

  it("without the item of a text is still text", () => {
    const { events } = streamed([delta("output_text", 0, "msg_9", "x"), completed()])
    expect(replyOf(events).text).toBe("x")
  })

  it("may have events of tomorrow, keep-alives of OpenAI's SDK, and names in place of types", () => {
    const decoder = OpenAiResponses.make().decoder()
    const events: Array<Chat.Event> = []
    // openai-node, `src/lib/responses/ResponseAccumulator.ts`: an event `keepalive`.
    expect(decoder.step('{"type":"keepalive","sequence_number":1}', "", events)).toBe("more")
    expect(decoder.step('{"type":"response.hologram.delta","delta":"x"}', "", events)).toBe("more")
    expect(decoder.step("", "response.hologram", events)).toBe("more")
    expect(decoder.step('{"output_index":0,"delta":"x"}', "response.output_text.delta", events)).toBe("more")
    expect(decoder.step(JSON.stringify(completed()), "", events)).toBe("done")
    expect(replyOf(events).text).toBe("x")
  })

  it("of 20,000 items is read in linear time", () => {
    const stream = (count: number) => {
      const items = Array.from({ length: count }, (_, i) => called("{}", { id: `fc_${i}`, call_id: `call_${i}` }))
      return answer(items).map((one) => JSON.stringify(one))
    }
    const [few, many] = [stream(5000), stream(20_000)]
    expect(streamed(many).step).toBe("done")
    expect(
      Cost.growth(
        () => streamed(few),
        () => streamed(many)
      )
    ).toBeLessThan(10)
  })
})

describe("the end of a stream", () => {
  const begins = [created, added(0, message([])), delta("output_text", 0, "msg_1", "x")]

  it("is response.completed or response.incomplete, at once, whatever comes behind it", () => {
    for (const end of [completed(), incomplete("max_output_tokens")]) {
      const { events, step } = streamed([...begins, end, delta("output_text", 0, "msg_1", "y"), "[DONE]"])
      expect([step, replyOf(events).text]).toEqual(["done", "x"])
    }
  })

  it("is [DONE], as gateways send it, though nothing says how the answer ended", () => {
    expect(replyOf(streamed([...begins, "[DONE]"]).events)).toMatchObject({ text: "x", reason: "other", rawReason: "" })
  })

  it("is a cut where there is neither, even behind a whole item", () => {
    expect(streamed([...begins, done(0, message([text("x")]))]).step).toEqual(Fault.cut())
  })

  it("without an answer is malformed", () => {
    expect(streamed(["[DONE]"]).step).toMatchObject({ _tag: "Malformed", reason: "NotTheProtocol" })
  })
})

describe("the reason", () => {
  const rows: ReadonlyArray<readonly [end: object, reason: Chat.FinishReason, raw: string]> = [
    [completed(), "stop", "completed"],
    [incomplete("max_output_tokens"), "length", "max_output_tokens"],
    // The OpenAPI document's example of the event has this word.
    [incomplete("max_tokens"), "length", "max_tokens"],
    [incomplete("content_filter"), "content-filter", "content_filter"],
    [incomplete("hologram"), "other", "hologram"],
    [incomplete(undefined), "other", "incomplete"]
  ]
  for (const [end, reason, raw] of rows) {
    it(`${raw} is ${reason}, streamed and whole`, () => {
      expect(replyOf(streamed([created, done(0, message([text("x")])), end]).events)).toMatchObject({
        reason,
        rawReason: raw
      })
      const { response } = end as { readonly response: Fields }
      expect(replyOf(read({ ...response, output: [message([text("x")])] }))).toMatchObject({ reason, rawReason: raw })
    })
  }

  for (const reason of ["max_output_tokens", "content_filter"]) {
    it(`a call that ${reason} cut off is none, and what goes back has neither it nor the reasoning before it`, () => {
      const half = called('{"city":"Ro', { status: "incomplete" })
      const { events, step } = streamed([
        created,
        done(0, reasoning(["hm"])),
        added(1, called("")),
        delta("function_call_arguments", 1, "fc_1", '{"city":"Ro'),
        done(1, half),
        incomplete(reason)
      ])
      expect(step).toBe("done")
      const reply = replyOf(events)
      expect(reply.toolCalls).toEqual([])
      expect(reply.message.replay).toBeUndefined()
    })
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// What goes back
// ---------------------------------------------------------------------------------------------------------------------

describe("what goes back", () => {
  const turn = (items: ReadonlyArray<Fields>) => replyOf(streamed(answer(items)).events).message

  it("is nothing beside text and calls that say all there is to say", () => {
    expect(turn([message([text("x")]), called("{}")]).replay).toBeUndefined()
  })

  const phased = message([text("x")], { phase: "final_answer" })
  const cited = message([text("x", { annotations: [{ type: "url_citation", url: "https://a.test" }] })])
  const refused = message([{ type: "refusal", refusal: "no" }])
  const search = { id: "ws_1", type: "web_search_call", status: "completed", action: { type: "search", query: "q" } }
  const rows: ReadonlyArray<readonly [name: string, items: ReadonlyArray<Fields>]> = [
    ["reasoning, whole, and the call behind it", [reasoning(["hm"]), called("{}")]],
    ["a message's phase, which later models want to see again", [phased]],
    ["citations", [cited]],
    ["a refusal", [refused]],
    ["the server's own tools", [search, message([text("x")])]],
    ["a kind of tomorrow's", [{ id: "h_1", type: "hologram", data: [1, { a: null }] }, message([text("x")])]]
  ]
  for (const [name, items] of rows) {
    it(`is ${name}, as it came, streamed and whole`, () => {
      const replay = { protocol: "openai-responses", content: items }
      expect(turn(items).replay).toEqual(replay)
      expect(replyOf(read(response({ output: items }))).message.replay).toEqual(replay)
      const body = OpenAiResponses.make().encode({ messages: [turn(items)] }, { model: "m", stream: false })
      expect(body["input"]).toEqual(items)
    })
  }

  it("is the reasoning as it was done: the encrypted content may still have been incomplete when it began", () => {
    const early = reasoning([], { encrypted_content: "half" })
    const { events } = streamed([
      created,
      added(0, early),
      done(0, reasoning(["hm"])),
      done(1, called("{}")),
      completed()
    ])
    expect(replyOf(events).message.replay?.content).toEqual([reasoning(["hm"]), called("{}")])
  })

  it("is no reasoning that was never done, and no reasoning that nothing follows: OpenAI answers both with a 400", () => {
    const neverDone = [added(0, reasoning([])), done(1, phased), completed()]
    expect(replyOf(streamed([created, ...neverDone]).events).message.replay?.content).toEqual([phased])
    const alone = [done(0, phased), done(1, reasoning(["hm"])), incomplete("max_output_tokens")]
    expect(replyOf(streamed([created, ...alone]).events).message.replay?.content).toEqual([phased])
    const only = [done(0, reasoning(["hm"])), incomplete("max_output_tokens")]
    expect(replyOf(streamed([created, ...only]).events).message.replay).toBeUndefined()
  })

  it("is without who made an item, which a request does not take", () => {
    const item = { ...search, created_by: "someone" }
    expect(turn([item, message([text("x")])]).replay?.content).toEqual([search, message([text("x")])])
  })

  it("has the text and the call that were never done, as far as they came", () => {
    const { events } = streamed([
      created,
      done(0, search),
      added(1, message([], { status: "in_progress" })),
      delta("output_text", 1, "msg_1", "so "),
      delta("output_text", 1, "msg_1", "far"),
      added(2, called("")),
      delta("function_call_arguments", 2, "fc_1", "{}"),
      completed()
    ])
    expect(replyOf(events).message.replay?.content).toEqual([
      search,
      { role: "assistant", content: "so far" },
      { type: "function_call", call_id: "call_1", name: "weather", arguments: "{}" }
    ])
  })

  it("has the id that the program was given for a call without one", () => {
    const { call_id: _, id: __, ...bare } = called("{}")
    const reply = replyOf(read(response({ output: [reasoning(["hm"]), bare] })))
    expect(reply.toolCalls.map(({ id }) => id)).toEqual(["resp_1_0"])
    expect(reply.message.replay?.content).toEqual([reasoning(["hm"]), { ...bare, call_id: "resp_1_0" }])
  })

  it("outlives a history that is kept as JSON", () => {
    const kept = turn([reasoning(["hm"]), called("{}")])
    expect(JSON.parse(JSON.stringify(kept))).toEqual(kept)
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

const failed = (error: unknown) => event("response.failed", { response: response({ status: "failed", error }) })

describe("errors inside a 200", () => {
  const begins = [created, delta("output_text", 0, "msg_1", "x")]
  /** The error event of the OpenAPI document is flat; the SDK also reads one that is nested (`src/core/streaming.ts`). */
  const flat = (code: string | null, message = "no") =>
    event("error", { code, message, param: null, sequence_number: 3 })
  const nested = (code: string) => event("error", { error: { type: "t", code, message: "no", param: null } })

  const rows: ReadonlyArray<readonly [code: string, error: object]> = [
    ["server_error", { _tag: "Transient", reason: "ServerError" }],
    ["rate_limit_exceeded", { _tag: "Transient", reason: "RateLimited" }],
    ["server_is_overloaded", { _tag: "Transient", reason: "Overloaded" }],
    ["vector_store_timeout", { _tag: "Transient", reason: "TimedOut" }],
    ["insufficient_quota", { _tag: "QuotaExceeded" }],
    ["invalid_prompt", { _tag: "InvalidRequest", reason: "BadRequest" }],
    ["context_length_exceeded", { _tag: "InvalidRequest", reason: "ContextOverflow" }],
    ["data_residency_mismatch", { _tag: "InvalidRequest", reason: "BadRequest" }],
    ["bio_policy", { _tag: "InvalidRequest", reason: "ContentFiltered" }],
    ["image_content_policy_violation", { _tag: "InvalidRequest", reason: "ContentFiltered" }],
    ...[
      ...["invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url", "image_too_large"],
      ...["image_too_small", "image_parse_error", "invalid_image_mode", "image_file_too_large", "empty_image_file"],
      ...["unsupported_image_media_type", "failed_to_download_image", "image_file_not_found"]
    ].map((code) => [code, { _tag: "InvalidRequest", reason: "BadRequest" }] as const)
  ]

  const errorOf = (answer: Gateway.Answer, ask: "stream" | "complete") =>
    Effect.gen(function* () {
      const provider = yield* service("responses", { policy: { transientRetries: 0 } })
      const request = { messages: hi }
      const error = yield* Effect.flip(
        ask === "stream" ? Stream.runDrain(provider.stream(request)) : Effect.asVoid(provider.complete(request))
      )
      return { ...error, _tag: error._tag }
    }).pipe(Effect.provide(Gateway.layer([answer])))

  for (const [code, expected] of rows) {
    it.effect(`${code} means the same as an event, as response.failed and in a whole body`, () =>
      Effect.gen(function* () {
        const error = { code, message: "no" }
        const streams = [flat(code), nested(code), failed(error)].map((end) => Gateway.sse([created, end]))
        for (const answer of streams) {
          expect(yield* errorOf(answer, "stream")).toMatchObject({ ...expected, code, detail: "no", emitted: false })
        }
        const body = Gateway.json(response({ status: "failed", error }))
        expect(yield* errorOf(body, "complete")).toMatchObject({ ...expected, code, detail: "no" })
      })
    )
  }

  it.effect("a prompt that was flagged is filtered, as its words say", () =>
    Effect.gen(function* () {
      // Told in openai/codex issues; the code is `invalid_prompt`.
      const message = "Invalid prompt: your prompt was flagged as potentially violating our usage policy."
      const error = yield* errorOf(Gateway.sse([failed({ code: "invalid_prompt", message })]), "stream")
      expect(error).toMatchObject({ _tag: "InvalidRequest", reason: "ContentFiltered", detail: message })
    })
  )

  it.effect("after output it is told with the text so far", () =>
    Effect.gen(function* () {
      const error = yield* errorOf(Gateway.sse([...begins, failed({ code: "server_error", message: "no" })]), "stream")
      expect(error).toMatchObject({ _tag: "Transient", reason: "ServerError", emitted: true, partial: "x" })
    })
  )

  it("an error that says nothing is one of the server's", () => {
    expect(streamed([created, failed(null)]).step).toEqual({ _tag: "BrokenOff", code: "failed", reason: "ServerError" })
    expect(whole(response({ status: "failed", output: undefined }))).toEqual({
      _tag: "BrokenOff",
      code: "failed",
      reason: "ServerError"
    })
    expect(streamed([created, flat(null, "")]).step).toMatchObject({ _tag: "Refused" })
  })

  it.effect("the type of an error event is not the server's code", () =>
    Effect.gen(function* () {
      const error = yield* errorOf(Gateway.sse([created, flat(null)]), "stream")
      expect(error).toMatchObject({ _tag: "Transient", reason: "ServerError", detail: "no" })
      expect(error.code).toBeUndefined()
    })
  )

  it("an event named error is a refusal, even if it says [DONE]", () => {
    const decoder = OpenAiResponses.make().decoder()
    expect(decoder.step("[DONE]", "error", [])).toEqual({ _tag: "Refused", body: "[DONE]" })
  })

  it("an error of a gateway's, in OpenAI's other shape, is a refusal", () => {
    const body = { error: { message: "no", type: "server_error", code: null } }
    expect(streamed([created, body]).step).toEqual({ _tag: "Refused", body: JSON.stringify(body) })
    expect(whole(body)).toEqual({ _tag: "Refused", body: JSON.stringify(body) })
    expect(whole({ base_resp: { status_code: 1004, status_msg: "no" } })).toMatchObject({ _tag: "Refused" })
  })

  for (const status of ["queued", "in_progress", "cancelled"]) {
    it(`a whole body that is ${status} is no answer, and is not asked for again`, () => {
      expect(whole(response({ status }))).toMatchObject({ _tag: "Malformed", reason: "NotTheProtocol" })
    })
  }

  for (const value of [{}, { output: "x" }, { choices: [] }, { content: [] }]) {
    it(`${JSON.stringify(value)} is no answer`, () => {
      expect(whole(value)).toMatchObject({ _tag: "Malformed", reason: "NotTheProtocol" })
    })
  }
})

describe("a call's arguments", () => {
  it("lose the keys that would pollute a prototype", () => {
    const [event] = read(response({ output: [called('{"__proto__":{"a":1},"constructor":2,"b":3}')] })).slice(1)
    expect(event).toMatchObject({ _tag: "ToolCall", input: { b: 3 } })
    expect(JSON.stringify(event)).not.toContain("constructor")
  })

  it("that are not JSON fail the answer", () => {
    expect(whole(response({ output: [called("{x")] }))).toMatchObject({ _tag: "Malformed", reason: "NotJson" })
  })

  it("that a server sends parsed are the call's", () => {
    const parsed = { ...called(""), arguments: { a: 1 } }
    expect(replyOf(read(response({ output: [parsed] }))).toolCalls).toMatchObject([{ input: { a: 1 } }])
  })

  it("without a name are no call", () => {
    const lost = [created, delta("function_call_arguments", 0, "fc_1", "{}"), completed()]
    expect(streamed(lost).step).toMatchObject({ _tag: "Malformed", reason: "NotTheProtocol" })
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Calls
// ---------------------------------------------------------------------------------------------------------------------

const layer = (script: Gateway.Script) =>
  Layer.provideMerge(
    OpenAi.layer({ wire: "responses", model: "gpt-5.5", apiKey: Redacted.make("sk-of-the-test") }),
    Gateway.layer(script)
  ).pipe(Layer.provideMerge(Layer.setRandom(Random.fixed([125]))))

const inputOf = (request: Gateway.Recorded | undefined): unknown =>
  typeof request?.body === "object" && request.body !== null && "input" in request.body ? request.body.input : undefined

describe("a conversation with tools", () => {
  const search = reasoning(["I look it up."])
  const question = Chat.user("Rain in Rome?")

  for (const streaming of [true, false]) {
    it.effect(
      `goes on though OpenAI keeps nothing, and a 401 in the middle does not end it: ${streaming ? "streamed" : "whole"}`,
      () => {
        const of = (items: ReadonlyArray<Fields>) =>
          streaming ? Gateway.sse(answer(items)) : Gateway.json(response({ output: items, usage }))
        const refused = Gateway.status(401, {
          error: { message: "no", type: "invalid_request_error", code: "invalid_api_key" }
        })
        const script = [of([search, called('{"city":"Rome"}')]), refused, of([message([text("It rains.")])])]
        return Effect.gen(function* () {
          const ask = (messages: ReadonlyArray<Chat.Message>) => {
            const request = { messages, tools: [weather] }
            return streaming ? Chat.collect(Provider.stream(request)) : Provider.complete(request)
          }
          const first = yield* ask([question])
          expect(first).toMatchObject({ reason: "tool-calls", reasoning: "I look it up." })
          // As a program would keep it: in a database.
          const kept: Chat.AssistantMessage = JSON.parse(JSON.stringify(first.message))
          const results = first.toolCalls.map((call) => Chat.toolResult(call, "rain"))
          const second = yield* patiently(ask([question, kept, ...results]))
          expect(second.text).toBe("It rains.")
          const requests = yield* Gateway.requests
          expect(requests.map(inputOf)).toEqual([
            [{ role: "user", content: "Rain in Rome?" }],
            ...Array(2).fill([
              { role: "user", content: "Rain in Rome?" },
              search,
              called('{"city":"Rome"}'),
              { type: "function_call_output", call_id: "call_1", output: "rain" }
            ])
          ])
          expect(requests.map(({ body }) => body)).toMatchObject(Array(3).fill({ store: false }))
        }).pipe(Effect.provide(layer(script)))
      }
    )
  }

  it.effect("goes on at another wire, without what only this one can read", () =>
    Effect.gen(function* () {
      const { message } = replyOf(streamed(answer([search, called("{}")])).events)
      const messages = [question, message, ...(message.toolCalls ?? []).map((call) => Chat.toolResult(call, "rain"))]
      expect(JSON.stringify(yield* body("anthropic", { messages }))).not.toContain("c2VhbGVk")
      expect(JSON.stringify(yield* body("openai", { messages }))).not.toContain("c2VhbGVk")
    })
  )
})

describe("a stream that is cut", () => {
  it.effect("before any output is asked for again; after it, it is told with the text", () =>
    Effect.gen(function* () {
      const reply = yield* patiently(Chat.collect(Provider.stream({ messages: hi })))
      expect(reply.text).toBe("whole")
      const error = yield* Effect.flip(Stream.runDrain(Provider.stream({ messages: hi })))
      expect(error).toMatchObject({ _tag: "Transient", reason: "StreamInterrupted", emitted: true, partial: "ha" })
    }).pipe(
      Effect.provide(
        layer([
          Gateway.sse([created]),
          Gateway.sse(answer([message([text("whole")])])),
          Gateway.sse([created, delta("output_text", 0, "msg_1", "ha")])
        ])
      )
    )
  )

  it.effect("stays open behind its end, and nobody waits for it", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Chat.collect(Provider.stream({ messages: hi })))
      yield* TestClock.adjust(Duration.millis(1))
      expect((yield* Fiber.join(fiber)).text).toBe("x")
    }).pipe(
      Effect.provide(
        layer(() => {
          const whole = Gateway.sse(answer([message([text("x")])]))
          return { ...whole, body: [...whole.body, "stall"] }
        })
      )
    )
  )
})

describe("models", () => {
  it("are listed as on OpenAI's other wire", () => {
    const { decodeModels, modelsPath } = OpenAiResponses.make()
    expect(modelsPath).toBe("/models")
    expect(decodeModels('{"data":[{"id":"gpt-5.5","created":1,"owned_by":"openai"}]}')).toMatchObject([
      { id: "gpt-5.5", ownedBy: "openai", created: 1 }
    ])
  })
})
