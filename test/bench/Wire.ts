/**
 * The bytes of an answer on each wire, made once and written many times. Their shape and size are those of the real
 * services; the text is words of a few letters, as tokens are.
 */

export type Name = "chat" | "messages" | "responses"

export interface Wire {
  /** How the path of a request ends. */
  readonly path: string
  /** A reply of about 1 KB. */
  readonly whole: Buffer
  readonly opening: Buffer
  readonly piece: (text: string) => string
  readonly closing: Buffer
}

export const words =
  " the sky is blue because air scatters short waves of light more than long ones".match(/ \w+/g) ?? []

const reply = words.join("").repeat(6).slice(0, 400)

const event = (data: object, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`

/** Events whose name is repeated in their data. */
const typed = (data: { readonly type: string; readonly [field: string]: unknown }): string => event(data, data.type)

const bytes = (...parts: ReadonlyArray<string>): Buffer => Buffer.from(parts.join(""))

const chatUsage = {
  prompt_tokens: 14,
  completion_tokens: 96,
  total_tokens: 110,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 }
}

const chatAnswer = { id: "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", created: 1741570283, model: "bench-model" }

const chatChunk = (choices: ReadonlyArray<object>, usage: object | null = null) =>
  event({ ...chatAnswer, object: "chat.completion.chunk", system_fingerprint: "fp_44709d6fcb", choices, usage })

const chat: Wire = {
  path: "/chat/completions",
  opening: bytes(
    chatChunk([{ index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }])
  ),
  piece: (content) => chatChunk([{ index: 0, delta: { content }, logprobs: null, finish_reason: null }]),
  closing: bytes(
    chatChunk([{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }]),
    chatChunk([], chatUsage),
    "data: [DONE]\n\n"
  ),
  whole: bytes(
    JSON.stringify({
      ...chatAnswer,
      object: "chat.completion",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: reply, refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: "stop"
        }
      ],
      usage: chatUsage,
      service_tier: "default",
      system_fingerprint: "fp_44709d6fcb"
    })
  )
}

const messageUsage = {
  input_tokens: 14,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 96,
  service_tier: "standard"
}

const message = {
  id: "msg_01XFDUDYJgAACzvnptvVoYEL",
  type: "message",
  role: "assistant",
  model: "bench-model",
  stop_sequence: null,
  usage: messageUsage
}

const messages: Wire = {
  path: "/messages",
  opening: bytes(
    typed({ type: "message_start", message: { ...message, content: [], stop_reason: null } }),
    typed({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } })
  ),
  piece: (text) => typed({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }),
  closing: bytes(
    typed({ type: "content_block_stop", index: 0 }),
    typed({
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 96 }
    }),
    typed({ type: "message_stop" })
  ),
  whole: bytes(
    JSON.stringify({ ...message, content: [{ type: "text", text: reply.repeat(2) }], stop_reason: "end_turn" })
  )
}

const response = {
  id: "resp_67ccd3a9da748190baa7f1570fe91ac604becb25c45c1d41",
  object: "response",
  created_at: 1741476777,
  status: "completed",
  error: null,
  incomplete_details: null,
  instructions: null,
  model: "gpt-4o",
  output: [],
  parallel_tool_calls: true,
  metadata: {},
  temperature: 1,
  top_p: 1,
  tools: [],
  tool_choice: "auto",
  usage: {
    input_tokens: 14,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 96,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 110
  }
}

const item = { id: "msg_67ccd3acc8d48190a77525dc6de64b4104becb25c45c1d41", type: "message", role: "assistant" }
const place = { item_id: item.id, output_index: 0, content_index: 0, sequence_number: 7 }
const output = { ...item, status: "completed", content: [{ type: "output_text", text: reply, annotations: [] }] }

const responses: Wire = {
  path: "/responses",
  opening: bytes(
    typed({ type: "response.created", sequence_number: 0, response: { ...response, status: "in_progress" } }),
    typed({
      type: "response.output_item.added",
      sequence_number: 1,
      output_index: 0,
      item: { ...item, status: "in_progress", content: [] }
    })
  ),
  piece: (delta) => typed({ type: "response.output_text.delta", ...place, delta, logprobs: [] }),
  closing: bytes(
    typed({ type: "response.output_item.done", sequence_number: 8, output_index: 0, item: output }),
    typed({ type: "response.completed", sequence_number: 9, response: { ...response, output: [output] } })
  ),
  whole: bytes(JSON.stringify({ ...response, output: [output] }))
}

export const wires: { readonly [K in Name]: Wire } = { chat, messages, responses }
