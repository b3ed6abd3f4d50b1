/** Both wires, fed with anything: it does not matter where the bytes are cut, nothing is thrown, and nothing hangs. */
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, FastCheck as fc, Option, Stream } from "effect"
import * as WireReader from "../../src/answer/WireReader.js"
import { Chat, Credential, Provider, RetryPolicy } from "../../src/index.js"
import type * as Protocol from "../../src/Protocol.js"
import * as AnthropicMessages from "../../src/protocol/AnthropicMessages.js"
import * as OpenAiChat from "../../src/protocol/OpenAiChat.js"
import * as OpenAiResponses from "../../src/protocol/OpenAiResponses.js"
import * as Fault from "../../src/refusal/Fault.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Recording from "../conformance/Recording.js"
import * as Effort from "../Effort.js"
import { service } from "./Bodies.js"

const openAiChat = OpenAiChat.make()
const thinking = OpenAiChat.make({ thinkTags: true })
const anthropicMessages = AnthropicMessages.make()
const openAiResponses = OpenAiResponses.make()
const protocols = [openAiChat, anthropicMessages, openAiResponses]

/** The protocol, and its other dialects. */
const dialects = (protocol: Protocol.Protocol): ReadonlyArray<Protocol.Protocol> =>
  protocol === openAiChat ? [openAiChat, thinking] : [protocol]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Read {
  readonly events: ReadonlyArray<Chat.Event>
  readonly state: Protocol.Step
}

const readAll = (protocol: Protocol.Protocol, chunks: ReadonlyArray<Uint8Array>): Read => {
  const reader = WireReader.make(protocol.decoder())
  const events = [...chunks.flatMap((chunk) => [...reader.feed(chunk)]), ...reader.end()]
  return { events, state: reader.state() }
}

const words: ReadonlyArray<Chat.FinishReason> = ["stop", "length", "tool-calls", "content-filter", "pause", "other"]

/** An answer that the program can rely on: the types are correct, and `Finish` is at the end or missing. */
const isSane = (events: ReadonlyArray<Chat.Event>): boolean =>
  events.every((event, index) => {
    switch (event._tag) {
      case "TextDelta":
      case "ReasoningDelta":
        return typeof event.text === "string" && event.text !== ""
      case "ToolCallDelta":
        return [event.id, event.name, event.delta].every((value) => typeof value === "string")
      case "ToolCall":
        return typeof event.id === "string" && event.id !== "" && typeof event.name === "string" && event.name !== ""
      case "Finish":
        return (
          index === events.length - 1 &&
          words.includes(event.reason) &&
          typeof event.rawReason === "string" &&
          Object.values(event.usage).every((count) => count === undefined || typeof count === "number")
        )
    }
    return false
  })

// ---------------------------------------------------------------------------------------------------------------------
// Streams
// ---------------------------------------------------------------------------------------------------------------------

const data = (value: unknown) => `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`
const named = (value: { readonly type: string }) => `event: ${value.type}\n${data(value)}`
const delta = (delta: object, rest: object = {}) =>
  data({ id: "a-1", model: "m", choices: [{ index: 0, delta, finish_reason: null, ...rest }] })
const piece = (index: number, id: string | null, name: string | null, args: string) => ({
  tool_calls: [{ index, id, function: { name, arguments: args } }]
})

const openAi =
  delta({ role: "assistant", content: "" }) +
  delta({ reasoning_content: "let me … 思考 " }) +
  delta({ content: "<think>hm 🤔</think>\n\nÀ bientôt, " }) +
  ": keep-alive\n\n" +
  delta({ content: "世界 🌍" }) +
  delta(piece(0, "call-1", "weather", "")) +
  delta(piece(0, null, null, '{"city":"Zü')) +
  delta(piece(0, null, null, 'rich"}')) +
  delta(piece(1, "call-2", "now", "{}")) +
  delta({}, { finish_reason: "tool_calls" }) +
  data({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } }) +
  data("[DONE]")

const anthropic = [
  { type: "message_start", message: { id: "msg-1", model: "m", usage: { input_tokens: 3 } } },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "let me … 思考" } },
  { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "c2ln" } },
  { type: "content_block_stop", index: 0 },
  { type: "ping" },
  { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "À bientôt, 世界 🌍" } },
  { type: "content_block_stop", index: 1 },
  { type: "content_block_start", index: 2, content_block: { type: "tool_use", id: "c-1", name: "weather", input: {} } },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: '{"city":"Zü' } },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: 'rich"}' } },
  { type: "content_block_stop", index: 2 },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 5 } },
  { type: "message_stop" }
]
  .map(named)
  .join("")

/** The shapes of OpenAI's OpenAPI document; not recorded. */
const responses = [
  { type: "response.created", response: { id: "r-1", object: "response", status: "in_progress", output: [] } },
  { type: "response.output_item.added", output_index: 0, item: { id: "rs-1", type: "reasoning", summary: [] } },
  {
    type: "response.reasoning_summary_text.delta",
    output_index: 0,
    item_id: "rs-1",
    summary_index: 0,
    delta: "let me …"
  },
  { type: "response.reasoning_summary_text.delta", output_index: 0, item_id: "rs-1", summary_index: 1, delta: "思考" },
  {
    type: "response.output_item.done",
    output_index: 0,
    item: {
      id: "rs-1",
      type: "reasoning",
      summary: [{ type: "summary_text", text: "let me …" }],
      encrypted_content: "c2VhbA=="
    }
  },
  { type: "response.output_item.added", output_index: 1, item: { id: "m-1", type: "message", content: [] } },
  { type: "response.output_text.delta", output_index: 1, item_id: "m-1", content_index: 0, delta: "À bientôt, " },
  { type: "keepalive", sequence_number: 7 },
  { type: "response.output_text.delta", output_index: 1, item_id: "m-1", content_index: 0, delta: "世界 🌍" },
  {
    type: "response.output_item.added",
    output_index: 2,
    item: { id: "fc-1", type: "function_call", call_id: "c-1", name: "weather", arguments: "" }
  },
  { type: "response.function_call_arguments.delta", output_index: 2, item_id: "fc-1", delta: '{"city":"Zü' },
  { type: "response.function_call_arguments.delta", output_index: 2, item_id: "fc-1", delta: 'rich"}' },
  { type: "response.completed", response: { id: "r-1", object: "response", status: "completed", output: [] } }
]
  .map(named)
  .join("")

interface Written {
  readonly name: string
  readonly protocol: Protocol.Protocol
  readonly text: string
  readonly ends: "done" | Fault.Fault["_tag"]
}

const written: ReadonlyArray<Written> = [
  { name: "OpenAI's wire", protocol: openAiChat, text: openAi, ends: "done" },
  { name: "OpenAI's wire with CRLF", protocol: openAiChat, text: openAi.replaceAll("\n", "\r\n"), ends: "done" },
  { name: "OpenAI's wire with CR", protocol: openAiChat, text: openAi.replaceAll("\n", "\r"), ends: "done" },
  { name: "OpenAI's wire with a BOM", protocol: openAiChat, text: `\ufeff${openAi}`, ends: "done" },
  { name: "OpenAI's wire, cut off", protocol: openAiChat, text: openAi.slice(0, 300), ends: "Cut" },
  {
    name: "OpenAI's wire, broken off by an error",
    protocol: openAiChat,
    text: delta({ content: "é" }) + data({ error: { message: "überlastet" } }) + data("[DONE]"),
    ends: "Refused"
  },
  {
    name: "OpenAI's wire with nonsense",
    protocol: openAiChat,
    text: delta({ content: "é" }) + data("{x"),
    ends: "Malformed"
  },
  { name: "Anthropic's wire", protocol: anthropicMessages, text: anthropic, ends: "done" },
  {
    name: "Anthropic's wire with CRLF",
    protocol: anthropicMessages,
    text: anthropic.replaceAll("\n", "\r\n"),
    ends: "done"
  },
  { name: "Anthropic's wire, cut off", protocol: anthropicMessages, text: anthropic.slice(0, 700), ends: "Cut" },
  {
    name: "Anthropic's wire, broken off by an error",
    protocol: anthropicMessages,
    text: `${anthropic.slice(0, anthropic.indexOf("event: ping"))}event: error\n${data({ error: { type: "overloaded_error" } })}`,
    ends: "Refused"
  },
  { name: "OpenAI's Responses", protocol: openAiResponses, text: responses, ends: "done" },
  {
    name: "OpenAI's Responses with CRLF",
    protocol: openAiResponses,
    text: responses.replaceAll("\n", "\r\n"),
    ends: "done"
  },
  { name: "OpenAI's Responses, cut off", protocol: openAiResponses, text: responses.slice(0, 1200), ends: "Cut" },
  {
    name: "OpenAI's Responses, ended as OpenAI's other wire",
    protocol: openAiResponses,
    text: `${responses.slice(0, responses.indexOf("event: response.completed"))}data: [DONE]\n\n`,
    ends: "done"
  },
  {
    name: "OpenAI's Responses, broken off by an error",
    protocol: openAiResponses,
    text: `${responses.slice(0, responses.indexOf("event: keepalive"))}${named({ type: "error" })}`,
    ends: "Refused"
  },
  {
    name: "OpenAI's Responses, failed",
    protocol: openAiResponses,
    text: `${responses.slice(0, responses.indexOf("event: keepalive"))}${data({
      type: "response.failed",
      response: { status: "failed", error: { code: "server_error", message: "überlastet" } }
    })}`,
    ends: "Refused"
  }
]

/** The bytes in pieces of these sizes, again and again; some pieces are empty. */
const cut = (whole: Uint8Array, sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let at = 0, turn = 0; at < whole.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    pieces.push(whole.subarray(at, at + size))
    at += size
  }
  return pieces
}

const sizes = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 400 })), { minLength: 1, maxLength: 20 })
  .filter((sizes) => sizes.some((size) => size > 0))

describe("every wire", () => {
  const files = readdirSync("src/protocol").filter((file) => file.endsWith("Request.ts"))

  it("is among those that are tested here", () => {
    expect(protocols.length).toBe(files.length)
  })

  for (const protocol of protocols) {
    for (const ends of ["done", "Cut", "Refused"]) {
      it(`${protocol.id} has a stream here that ends in ${ends}`, () => {
        const streams = written.filter((one) => one.protocol.id === protocol.id && one.ends === ends)
        expect(streams.length).toBeGreaterThan(0)
      })
    }
  }
})

describe("any cut of the bytes gives the same events and the same end", () => {
  for (const { ends, name, protocol, text } of written) {
    it(name, () => {
      for (const spoken of dialects(protocol)) {
        const whole = bytes(text)
        const expected = readAll(spoken, [whole])
        expect(Fault.isFault(expected.state) ? expected.state._tag : expected.state).toBe(ends)
        expect(expected.events.length).toBeGreaterThan(0)
        expect(isSane(expected.events)).toBe(true)
        expect(readAll(spoken, cut(whole, [1]))).toEqual(expected)
        fc.assert(
          fc.property(sizes, (sizes) => {
            expect(readAll(spoken, cut(whole, sizes))).toEqual(expected)
          }),
          { numRuns: Effort.runs(30) }
        )
      }
    })
  }

  const folder = fileURLToPath(new URL("../../../shared/recordings", import.meta.url))
  const streams = Recording.exists(folder)
    ? Recording.load(folder).filter(({ kind, protocol }) => kind === "stream" && protocol !== undefined)
    : []

  it.skipIf(streams.length === 0)("recorded streams, if ../shared/recordings exists", () => {
    const wire = {
      "openai-chat": openAiChat,
      "anthropic-messages": anthropicMessages,
      "openai-responses": openAiResponses
    }
    fc.assert(
      fc.property(fc.constantFrom(...streams), sizes, (recorded, sizes) => {
        const whole = Recording.bytes(folder, recorded)
        const protocol = wire[recorded.protocol]
        expect([recorded.id, readAll(protocol, cut(whole, sizes))]).toEqual([recorded.id, readAll(protocol, [whole])])
      }),
      { numRuns: Effort.runs(50) }
    )
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Anything
// ---------------------------------------------------------------------------------------------------------------------

/** Keys and words that the decoders look for, and some dangerous ones. */
const known = fc.constantFrom(
  ...["choices", "delta", "message", "index", "content", "text", "type", "reasoning_content", "reasoning", "thinking"],
  ...["reasoning_details", "tool_calls", "function", "arguments", "name", "id", "model", "finish_reason", "usage"],
  ...[
    "prompt_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "refusal",
    "error",
    "base_resp",
    "status_code",
    "data"
  ],
  ...["content_block", "stop_reason", "input", "partial_json", "signature", "input_tokens", "x_groq", "models"],
  ...["__proto__", "constructor", "toString", "length", "summary", "created_at"],
  ...["output", "item", "item_id", "output_index", "content_index", "summary_index", "call_id", "response", "status"],
  ...["incomplete_details", "reason", "annotations", "phase", "encrypted_content", "created_by"]
)
const word = fc.constantFrom(
  ...["message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "error", "ping"],
  ...["text", "thinking", "tool_use", "redacted_thinking", "text_delta", "input_json_delta", "signature_delta"],
  ...[
    "stop",
    "length",
    "tool_calls",
    "end_turn",
    "max_tokens",
    "constructor",
    "__proto__",
    "<think>",
    "</think>",
    "{}"
  ],
  ...["message", "reasoning", "function_call", "output_text", "summary_text", "completed", "incomplete", "failed"]
)

/** JSON that is nearly an answer: the right keys, with any value at all. */
const nearly = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(fc.constant(null), fc.constantFrom(0, 1, -1, 1e308), fc.boolean(), fc.string(), word),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object")
  ),
  object: fc
    .array(fc.tuple(known, tie("value")), { maxLength: 5 })
    // As `JSON.parse` makes it: `__proto__` is a key like any other.
    .map((entries) => Object.fromEntries(entries))
}))

const anything = fc.oneof(fc.jsonValue({ maxDepth: 4 }), nearly.value, nearly.object)

/** An item of OpenAI's Responses with anything in it. */
const item = fc.record(
  {
    type: fc.constantFrom("message", "reasoning", "function_call", "hologram"),
    id: fc.oneof(fc.constantFrom("i-1", "i-2"), nearly.value),
    call_id: nearly.value,
    name: fc.oneof(word, nearly.value),
    arguments: fc.oneof(fc.constantFrom("{}", "{"), nearly.value),
    content: fc.oneof(fc.array(nearly.object, { maxLength: 2 }), nearly.value),
    summary: fc.oneof(fc.array(nearly.object, { maxLength: 2 }), nearly.value)
  },
  { requiredKeys: ["type"] }
)

/** The right frame around anything, so that the inner parts are reached. */
const chunk = fc.oneof(
  anything,
  fc.record({ delta: nearly.object, finish_reason: nearly.value }).map((choice) => ({ choices: [choice] })),
  fc.record({ tool_calls: fc.array(nearly.object, { maxLength: 3 }) }).map((delta) => ({ choices: [{ delta }] })),
  fc.record({ type: word, index: nearly.value, content_block: nearly.object, delta: nearly.object }),
  fc.record({ type: fc.constant("message_start"), message: nearly.object }),
  fc
    .record({
      type: fc.constantFrom(
        ...[
          "created",
          "completed",
          "incomplete",
          "failed",
          "output_item.added",
          "output_item.done",
          "output_text.delta"
        ],
        ...["reasoning_summary_text.delta", "reasoning_text.delta", "refusal.delta", "function_call_arguments.delta"]
      ),
      output_index: fc.oneof(fc.constantFrom(0, 1), nearly.value),
      item_id: nearly.value,
      content_index: nearly.value,
      delta: fc.oneof(fc.string(), nearly.value),
      item: fc.oneof(item, nearly.object),
      response: fc.oneof(fc.record({ status: word, output: fc.array(item, { maxLength: 3 }) }), nearly.object)
    })
    .map(({ type, ...fields }) => ({ type: `response.${type}`, ...fields })),
  fc.record({ object: fc.constant("response"), status: word, output: fc.array(item, { maxLength: 3 }) })
)

describe("whatever arrives", () => {
  it("arbitrary bytes never throw, and end in done or a fault", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
        for (const protocol of protocols) {
          const { events, state } = readAll(protocol, chunks)
          expect(state === "done" || Fault.isFault(state)).toBe(true)
          expect(isSane(events)).toBe(true)
        }
      }),
      { numRuns: Effort.runs(150) }
    )
  })

  it("streams with changed, lost and doubled bytes never throw, and end in done or a fault", () => {
    const wounds = fc.array(fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), count: fc.nat(3) }), {
      maxLength: 6
    })
    fc.assert(
      fc.property(fc.constantFrom(...written), wounds, ({ protocol, text }, wounds) => {
        const wounded = [...bytes(text)]
        for (const { at, byte, count } of wounds) wounded.splice(at % wounded.length, 1, ...Array(count).fill(byte))
        const { events, state } = readAll(protocol, [Uint8Array.from(wounded)])
        expect(state === "done" || Fault.isFault(state)).toBe(true)
        expect(isSane(events)).toBe(true)
      }),
      { numRuns: Effort.runs(150) }
    )
  })

  it("arbitrary JSON as events never throws, and ends in done or a fault", () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (values) => {
        for (const protocol of protocols.flatMap(dialects)) {
          const { events, state } = readAll(protocol, [bytes(values.map(data).join("") + data("[DONE]"))])
          expect(state === "done" || Fault.isFault(state)).toBe(true)
          expect(isSane(events)).toBe(true)
          expect((Chat.reply(events) !== undefined) === (state === "done")).toBe(true)
        }
      }),
      { numRuns: Effort.runs(400) }
    )
  })

  it("arbitrary JSON as a body or a list of models never throws", () => {
    fc.assert(
      fc.property(fc.oneof(anything, chunk), (value) => {
        const body: unknown = JSON.parse(JSON.stringify(value))
        for (const protocol of protocols.flatMap(dialects)) {
          const events = WireReader.decodeBody(protocol.decoder(), JSON.stringify(body))
          expect(Fault.isFault(events) || (isSane(events) && Chat.reply(events) !== undefined)).toBe(true)
          const models = protocol.decodeModels(JSON.stringify(body))
          expect(Fault.isFault(models) || models.every(({ id }) => typeof id === "string" && id !== "")).toBe(true)
        }
      }),
      { numRuns: Effort.runs(400) }
    )
  })

  it("nothing changes a prototype", () => {
    const poison = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'
    for (const protocol of protocols) {
      readAll(protocol, [bytes(data(`{"choices":[{"delta":${poison},"finish_reason":"stop"}],"usage":${poison}}`))])
      readAll(protocol, [bytes(data(`{"type":"message_start","message":${poison}}`))])
      readAll(protocol, [bytes(data(`{"type":"response.output_item.done","item":${poison}}`))])
      const body = JSON.parse(`{"content":[${poison}],"choices":[{"message":${poison}}]}`)
      WireReader.decodeBody(protocol.decoder(), JSON.stringify(body))
    }
    expect("polluted" in {}).toBe(false)
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Round trip
// ---------------------------------------------------------------------------------------------------------------------

const input = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }))
  .map((value): unknown => JSON.parse(JSON.stringify(value)))
  // These keys are dropped on purpose.
  .filter((value) => !/__proto__|constructor/.test(JSON.stringify(value)))

const assistant = fc
  .record({
    text: fc.string({ unit: "grapheme" }),
    reasoning: fc.option(fc.string({ unit: "grapheme", minLength: 1 }), { nil: undefined }),
    calls: fc.uniqueArray(fc.record({ id: fc.stringMatching(/^[\w-]+$/), name: fc.string({ minLength: 1 }), input }), {
      selector: ({ id }) => id,
      maxLength: 4
    })
  })
  .filter(({ calls, text }) => text !== "" || calls.length > 0)

const turns = (body: Protocol.Body): ReadonlyArray<unknown> => (Array.isArray(body["messages"]) ? body["messages"] : [])

describe("encode, then decode", () => {
  const options = { model: "m", stream: false }

  it("an assistant's turn survives unchanged: OpenAI's wire", () => {
    fc.assert(
      fc.property(assistant, ({ calls, reasoning, text }) => {
        const message = Chat.assistant(text, {
          ...(reasoning === undefined ? undefined : { reasoning }),
          ...(calls.length === 0 ? undefined : { toolCalls: calls })
        })
        const wire = OpenAiChat.make({ replaysReasoning: true })
        const [turn] = turns(wire.encode({ messages: [message] }, options))
        const events = WireReader.decodeBody(
          wire.decoder(),
          JSON.stringify({ choices: [{ message: turn, finish_reason: "stop" }] })
        )
        expect(Fault.isFault(events) ? events : Chat.reply(events)?.message).toEqual(message)
      }),
      { numRuns: Effort.runs(150) }
    )
  })

  it("an assistant's turn survives unchanged: OpenAI's Responses, with encrypted reasoning", () => {
    fc.assert(
      fc.property(assistant, fc.boolean(), ({ calls, reasoning = "", text }, alone) => {
        const items = [
          ...(reasoning === ""
            ? []
            : [
                {
                  id: "r",
                  type: "reasoning",
                  summary: [{ type: "summary_text", text: reasoning }],
                  encrypted_content: "c"
                }
              ]),
          ...(text === ""
            ? []
            : [
                {
                  id: "m",
                  type: "message",
                  role: "assistant",
                  content: [{ type: "output_text", text, annotations: [] }]
                }
              ]),
          ...calls.map(({ id, input, name }) => ({
            type: "function_call",
            call_id: id.slice(0, 64),
            name,
            arguments: JSON.stringify(input)
          }))
        ]
        const ids = new Set(items.map((item) => ("call_id" in item ? item.call_id : item.id)))
        fc.pre(ids.size === items.length)
        const whole = { status: "completed", output: items }
        const events = alone
          ? readAll(openAiResponses, [bytes(data({ type: "response.completed", response: whole }))]).events
          : WireReader.decodeBody(openAiResponses.decoder(), JSON.stringify(whole))
        const message = Fault.isFault(events) ? undefined : Chat.reply(events)?.message
        if (message === undefined) throw new Error("it was not decoded")
        expect([message.content, message.reasoning ?? ""]).toEqual([text, reasoning])
        const { input } = openAiResponses.encode({ messages: [message] }, options)
        const said = text === "" ? [] : [{ role: "assistant", content: text }]
        const plain = [...said, ...items.filter(({ type }) => type === "function_call")]
        expect(input).toEqual(reasoning === "" ? plain : items)
      }),
      { numRuns: Effort.runs(150) }
    )
  })

  it("an assistant's turn survives unchanged: Anthropic's wire, with signed thinking", () => {
    fc.assert(
      fc.property(assistant, fc.boolean(), ({ calls, reasoning = "", text }, redacted) => {
        // Text that is only white space is not sent on this wire.
        fc.pre(text === "" || text.trim() !== "")
        const content = [
          ...(redacted ? [{ type: "redacted_thinking", data: "cmVk" }] : []),
          ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "c2ln" }]),
          ...(text === "" ? [] : [{ type: "text", text }]),
          ...calls.map((call) => ({ type: "tool_use", ...call }))
        ]
        const decode = (content: unknown) =>
          WireReader.decodeBody(anthropicMessages.decoder(), JSON.stringify({ content, stop_reason: "end_turn" }))
        const events = decode(content)
        const message = Fault.isFault(events) ? undefined : Chat.reply(events)?.message
        if (message === undefined) throw new Error("it was not decoded")
        expect(message.content).toBe(text)
        const [turn] = turns(anthropicMessages.encode({ messages: [message] }, options))
        expect(turn).toEqual({ role: "assistant", content })
      }),
      { numRuns: Effort.runs(150) }
    )
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Through a provider
// ---------------------------------------------------------------------------------------------------------------------

describe("a mistake in a decoder", () => {
  it.live("reaches the program at once, as a defect", () =>
    Effect.gen(function* () {
      const broken: Protocol.Protocol = {
        ...openAiChat,
        decoder: () => ({
          ...openAiChat.decoder(),
          step: () => {
            throw new Error("a mistake")
          }
        })
      }
      const preset = Provider.preset<unknown>(() => ({
        id: "broken",
        protocol: broken,
        baseUrl: "https://gateway.test/v1",
        variable: "BROKEN_API_KEY",
        scheme: Credential.bearer,
        keyRequired: false,
        model: "m"
      }))
      const provider = yield* preset.make({})
      const stream = Stream.runDrain(provider.stream({ messages: [Chat.user("hi")] }))
      const exit = yield* Effect.timeoutOption(Effect.exit(stream), "3 seconds")
      const defect = Option.flatMap(exit, (exit) =>
        Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : Option.none()
      )
      expect(Option.map(defect, String)).toEqual(Option.some("Error: a mistake"))
    }).pipe(
      Effect.provide(
        Gateway.layer([{ status: 200, headers: { "content-type": "text/event-stream" }, body: [bytes(openAi)] }])
      )
    )
  )
})

describe("JSON nested 200,000 deep", () => {
  const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`
  const bodies: ReadonlyArray<readonly [name: string, text: string]> = [
    ["alone", nested],
    ["beside an answer", `{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"z":${nested}}`],
    ["beside Anthropic's answer", `{"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","z":${nested}}`],
    ["in an error", `{"type":"error","error":${nested}}`],
    ["in the detail of an error", `{"error":{"code":400},"detail":${nested}}`],
    [
      "in a call",
      `{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":${nested}}}}]}}]}`
    ],
    ["in Anthropic's call", `{"content":[{"type":"tool_use","id":"a","name":"f","input":{"x":${nested}}}]}`],
    [
      "in a call of OpenAI's Responses",
      `{"output":[{"type":"function_call","call_id":"a","name":"f","arguments":{"x":${nested}}}],"z":${nested}}`
    ],
    ["in what goes back to OpenAI's Responses", `{"output":[{"type":"hologram","x":${nested}}]}`],
    ["in an error of OpenAI's Responses", `{"type":"error","message":"x","code":${nested}}`],
    ["in a response that failed", `{"status":"failed","error":{"code":"server_error","message":${nested}}}`],
    ["in a list of models", `{"data":[{"id":"m","z":${nested}}],"z":${nested}}`]
  ]
  it("in a call does not make it a call without arguments", () => {
    for (const [protocol, text] of [
      [openAiChat, bodies.find(([name]) => name === "in a call")?.[1] ?? ""],
      [anthropicMessages, bodies.find(([name]) => name === "in Anthropic's call")?.[1] ?? ""],
      [openAiResponses, bodies.find(([name]) => name === "in a call of OpenAI's Responses")?.[1] ?? ""]
    ] as const) {
      expect(WireReader.decodeBody(protocol.decoder(), text)).toMatchObject({ _tag: "Malformed" })
    }
  })

  for (const [name, text] of bodies) {
    it.effect(`${name} is an answer or a typed error, never a defect`, () =>
      Effect.gen(function* () {
        for (const preset of ["openai", "anthropic", "responses"] as const) {
          const provider = yield* service(preset, { policy: () => RetryPolicy.none })
          const request = { messages: [Chat.user("hi")] }
          const exits = [
            yield* Effect.exit(Effect.asVoid(provider.complete(request))),
            yield* Effect.exit(Stream.runDrain(provider.stream(request))),
            yield* Effect.exit(Effect.asVoid(provider.models))
          ]
          for (const exit of exits) {
            expect(Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : Option.none()).toEqual(Option.none())
          }
        }
      }).pipe(Effect.provide(Gateway.layer((request) => inTheFormAskedFor(text, request))))
    )
  }
})

const inTheFormAskedFor = (text: string, { headers }: Gateway.Recorded): Gateway.Answer =>
  headers["accept"] === "text/event-stream"
    ? Gateway.sse([text, "[DONE]"])
    : Gateway.text(text, { headers: { "content-type": "application/json" } })
