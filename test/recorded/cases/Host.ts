/** Every preset at the scripted gateway, and how its wire writes what the cases need. */
import type { HttpClient } from "@effect/platform"
import type { Effect } from "effect"
import { Anthropic, DeepSeek, MiMo, MiniMax, OpenAi, OpenAiCompatible, type Provider } from "../../../src/index.js"
import * as Gateway from "../../../src/testing/Gateway.js"

/** Answers and events of one wire. */
export interface Wire {
  readonly whole: (text: string) => Gateway.Answer
  /** What a stream sends before any output. */
  readonly opening: ReadonlyArray<unknown>
  readonly text: (text: string) => unknown
  /** What says that the answer is over, and why. */
  readonly reason: (word: string) => ReadonlyArray<unknown>
  /** The last event. */
  readonly end: unknown
  /** A tool call with these arguments, in two pieces. */
  readonly toolCall: (args: string) => ReadonlyArray<unknown>
  /** The words for "done", "out of tokens" and "call this tool". */
  readonly words: { readonly stop: string; readonly length: string; readonly tools: string }
  /** The body of a refusal, and what stands in a stream in its place. */
  readonly error: (type: string | null, message: string) => object
}

export interface Host extends Wire {
  readonly name: string
  readonly wire: "OpenAI" | "OpenAI Responses" | "Anthropic"
  readonly make: (options: Provider.Options) => Effect.Effect<Provider.Service, never, HttpClient.HttpClient>
  /** Where a chat is posted. */
  readonly url: string
  /** The header that the key is sent in, and what stands before it there. */
  readonly keyHeader: readonly [name: string, before: string]
  readonly keyRequired: boolean
  /** The environment variable that keys are looked for in. */
  readonly variable: string
}

const openAi: Wire = {
  whole: (text) =>
    Gateway.json({
      id: "a-1",
      choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }]
    }),
  opening: [{ id: "a-1", choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] }],
  text: (text) => ({ id: "a-1", choices: [{ index: 0, delta: { content: text }, finish_reason: null }] }),
  reason: (word) => [{ id: "a-1", choices: [{ index: 0, delta: {}, finish_reason: word }] }],
  end: "[DONE]",
  toolCall: (args) => {
    const piece = (fields: object) => ({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...fields }] } }] })
    return [
      piece({ id: "call-1", type: "function", function: { name: "look", arguments: args.slice(0, 5) } }),
      piece({ function: { arguments: args.slice(5) } })
    ]
  },
  words: { stop: "stop", length: "length", tools: "tool_calls" },
  error: (type, message) => ({ error: { message, type, code: null, param: null } })
}

const event = (type: string, fields: object) => Gateway.named(type, { type, ...fields })
const block = (start: object, ...deltas: ReadonlyArray<object>) => [
  event("content_block_start", { index: 1, content_block: start }),
  ...deltas.map((delta) => event("content_block_delta", { index: 1, delta })),
  event("content_block_stop", { index: 1 })
]

const anthropic: Wire = {
  whole: (text) =>
    Gateway.json({
      id: "a-1",
      type: "message",
      role: "assistant",
      content: [{ type: "text", text }],
      stop_reason: "end_turn",
      usage: { input_tokens: 5, output_tokens: 3 }
    }),
  opening: [
    event("message_start", { message: { id: "a-1", usage: { input_tokens: 5, output_tokens: 1 } } }),
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } })
  ],
  text: (text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
  reason: (word) => [
    event("content_block_stop", { index: 0 }),
    event("message_delta", { delta: { stop_reason: word }, usage: { output_tokens: 3 } })
  ],
  end: event("message_stop", {}),
  toolCall: (args) =>
    block(
      { type: "tool_use", id: "call-1", name: "look", input: {} },
      { type: "input_json_delta", partial_json: args.slice(0, 5) },
      { type: "input_json_delta", partial_json: args.slice(5) }
    ),
  words: { stop: "end_turn", length: "max_tokens", tools: "tool_use" },
  error: (type, message) => ({ type: "error", error: { type, message } })
}

const output = (text: string) => ({
  id: "m-1",
  type: "message",
  role: "assistant",
  content: [{ type: "output_text", text, annotations: [] }]
})
const response = (status: string, fields: object = {}) => ({
  id: "a-1",
  object: "response",
  status,
  error: null,
  incomplete_details: null,
  output: [],
  ...fields
})
const call = { id: "fc-1", type: "function_call", call_id: "call-1", name: "look" }

/** The shapes of OpenAI's OpenAPI document; not recorded. */
const openAiResponses: Wire = {
  whole: (text) => Gateway.json(response("completed", { output: [output(text)] })),
  opening: [
    event("response.created", { response: response("in_progress") }),
    event("response.output_item.added", { output_index: 0, item: { ...output(""), content: [] } })
  ],
  text: (text) =>
    event("response.output_text.delta", { output_index: 0, item_id: "m-1", content_index: 0, delta: text }),
  reason: (word) => [
    word === "completed"
      ? event("response.completed", { response: response("completed") })
      : event("response.incomplete", {
          response: response("incomplete", { incomplete_details: { reason: word } })
        })
  ],
  // What a gateway sends; OpenAI's own stream is over before it.
  end: "[DONE]",
  toolCall: (args) => [
    event("response.output_item.added", { output_index: 1, item: { ...call, arguments: "" } }),
    ...[args.slice(0, 5), args.slice(5)].map((delta) =>
      event("response.function_call_arguments.delta", { output_index: 1, item_id: "fc-1", delta })
    ),
    event("response.output_item.done", { output_index: 1, item: { ...call, arguments: args } })
  ],
  words: { stop: "completed", length: "max_output_tokens", tools: "completed" },
  error: (type, message) => ({ error: { message, type, code: null, param: null } })
}

const origin = "https://gateway.test"
const bearer = ["authorization", "Bearer "] as const

const onOpenAi = { ...openAi, wire: "OpenAI", url: `${origin}/v1/chat/completions`, keyRequired: true } as const
const baseUrl = `${origin}/v1`

export const hosts: ReadonlyArray<Host> = [
  {
    ...onOpenAi,
    name: "MiMo",
    make: (options) => MiMo.make({ baseUrl, model: "m", ...options }),
    keyHeader: ["api-key", ""],
    variable: "MIMO_API_KEY"
  },
  {
    ...onOpenAi,
    name: "DeepSeek",
    make: (options) => DeepSeek.make({ baseUrl, model: "m", ...options }),
    keyHeader: bearer,
    variable: "DEEPSEEK_API_KEY"
  },
  {
    ...onOpenAi,
    name: "MiniMax",
    make: (options) => MiniMax.make({ baseUrl, model: "m", ...options }),
    keyHeader: bearer,
    variable: "MINIMAX_API_KEY"
  },
  {
    ...onOpenAi,
    name: "OpenAI",
    make: (options) => OpenAi.make({ baseUrl, ...options, model: options.model ?? "m" }),
    keyHeader: bearer,
    variable: "OPENAI_API_KEY"
  },
  {
    ...openAiResponses,
    name: "OpenAI's Responses",
    wire: "OpenAI Responses",
    make: (options) => OpenAi.make({ baseUrl, ...options, model: options.model ?? "m", wire: "responses" }),
    url: `${origin}/v1/responses`,
    keyHeader: bearer,
    keyRequired: true,
    variable: "OPENAI_API_KEY"
  },
  {
    ...onOpenAi,
    name: "OpenAI-compatible",
    make: (options) =>
      OpenAiCompatible.make({
        ...options,
        model: options.model ?? "m",
        id: "own",
        baseUrl: options.baseUrl ?? baseUrl
      }),
    keyHeader: bearer,
    keyRequired: false,
    variable: "OWN_API_KEY"
  },
  {
    ...anthropic,
    name: "Anthropic",
    wire: "Anthropic",
    make: (options) => Anthropic.make({ baseUrl: origin, ...options, model: options.model ?? "m" }),
    url: `${origin}/v1/messages`,
    keyHeader: ["x-api-key", ""],
    keyRequired: true,
    variable: "ANTHROPIC_API_KEY"
  }
]

/** A whole stream that says these texts, one event each. */
export const streamed = (host: Host, ...texts: ReadonlyArray<string>): Gateway.Answer =>
  Gateway.sse([...host.opening, ...texts.map(host.text), ...ending(host)])

export const ending = (host: Host): ReadonlyArray<unknown> => [...host.reason(host.words.stop), host.end]

/** A refusal in the words of the host's wire. */
export const refusal = (
  host: Host,
  status: number,
  headers: Record<string, string> = {},
  type: string | null = "some_error"
): Gateway.Answer => Gateway.status(status, host.error(type, `refused with ${status}`), headers)

/** The same bytes in one chunk. */
export const atOnce = (answer: Gateway.Answer): Gateway.Answer => {
  const pieces = answer.body.filter((piece) => piece instanceof Uint8Array)
  return { ...answer, body: [new Uint8Array(Buffer.concat(pieces))] }
}

/** The connection stays open behind what was sent. */
export const open = (answer: Gateway.Answer): Gateway.Answer => ({ ...answer, body: [...answer.body, "stall"] })
