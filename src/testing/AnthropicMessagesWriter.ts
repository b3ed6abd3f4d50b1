/**
 * Anthropic's messages, as a server writes them. Shapes: Anthropic API docs, messages, streaming and errors.
 */
import { named } from "./Answer.js"
import type { Counts, Piece, Said } from "./Said.js"
import { type Asked, callId, pathOf, type Words, type Writer } from "./Writer.js"

export const anthropicMessages: Writer = {
  answers: (request) => pathOf(request).endsWith("/messages"),
  speaks: (request) => request.headers["anthropic-version"] !== undefined || anthropicMessages.answers(request),
  stream: (said, asked) => {
    const { output_tokens, ...usage } = counts(said.end.usage)
    const begun = { ...message(said, asked), content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } }
    const blocks = new Blocks(asked)
    return {
      events: [
        event({ type: "message_start", message: begun }),
        event({ type: "ping" }),
        ...said.pieces.flatMap((piece) => blocks.events(piece))
      ],
      end: [
        ...blocks.stopAll(),
        event({ type: "message_delta", delta: stopped(said), usage: { output_tokens, ...details(said.end.usage) } }),
        event({ type: "message_stop" })
      ]
    }
  },
  whole: (said, asked) => {
    const content: Array<object> = []
    for (const { call, kind, texts } of blocksOf(said)) {
      const text = texts.join("")
      if (call === undefined) content.push(kind === "text" ? { type: "text", text } : { ...thinking, thinking: text })
      else {
        const input = parsed(text)
        if (input === undefined) return `in one piece this wire has no arguments that are not JSON: ${text}`
        content.push({ type: "tool_use", id: callId(call, asked), name: call.name, input })
      }
    }
    const usage = { ...counts(said.end.usage), ...details(said.end.usage) }
    return { ...message(said, asked), content, ...stopped(said), usage }
  },
  refusal: ({ code, message }) => ({ type: "error", error: { type: code, message } }),
  refusalEvent: (refusal) => named("error", anthropicMessages.refusal(refusal)),
  models: (ids) => ({
    data: ids.map((id) => ({ type: "model", id, display_name: id, created_at: "2025-01-01T00:00:00Z" })),
    has_more: false,
    first_id: ids.at(0) ?? null,
    last_id: ids.at(-1) ?? null
  }),
  words: (status) => words[status] ?? { message: `The request was refused with ${status}.`, code: "api_error" },
  outOfCredit: {
    status: 400,
    code: "invalid_request_error",
    message: "Your credit balance is too low."
  },
  overloaded: 529
}

/** An event is named as its type. */
const event = <A extends { readonly type: string }>(data: A): unknown => named(data.type, data)

const message = ({ end }: Said, { model, number }: Asked) => ({
  id: end.id ?? `msg_${number}`,
  type: "message",
  role: "assistant",
  model: end.model ?? model
})

const stopped = ({ end: { reason, refusal } }: Said) => ({
  stop_reason: reasons[reason],
  stop_sequence: null,
  ...(refusal === undefined ? undefined : { stop_details: { type: "refusal", explanation: refusal } })
})

/** Whoever continues the conversation sends it back, as to a real server. */
const signature = "signed-by-the-gateway"

const thinking = { type: "thinking", thinking: "", signature }

type Call = Extract<Piece, { readonly kind: "call" }>

/**
 * Pieces as the events of content blocks. A block of text or thinking ends where another begins; that of a call when
 * the call is complete, so that the pieces of several calls may come in turns.
 */
class Blocks {
  private count = 0
  /** The block of text or thinking that is being written. */
  private open: { readonly kind: Piece["kind"]; readonly index: number } | undefined
  /** The blocks of calls that are being written, by the places of the calls. */
  private readonly calls = new Map<number, number>()
  private readonly ended = new Set<number>()

  constructor(private readonly asked: Asked) {}

  events(piece: Piece): ReadonlyArray<unknown> {
    return piece.kind === "call" ? this.ofCall(piece) : this.ofText(piece.kind, piece.text)
  }

  /** Ends every block that is still open. */
  stopAll(): ReadonlyArray<unknown> {
    const stopped = [...this.stop(), ...Array.from(this.calls.values(), stop)]
    this.calls.clear()
    return stopped
  }

  private ofText(kind: "text" | "reasoning", text: string): ReadonlyArray<unknown> {
    const before = this.open?.kind === kind ? [] : this.start(kind)
    const index = this.open?.index ?? 0
    const delta = kind === "text" ? { type: "text_delta", text } : { type: "thinking_delta", thinking: text }
    return [...before, event({ type: "content_block_delta", index, delta })]
  }

  private start(kind: "text" | "reasoning"): ReadonlyArray<unknown> {
    const stopped = this.stop()
    const index = this.count++
    this.open = { kind, index }
    const block = kind === "text" ? { type: "text", text: "" } : { ...thinking, signature: "" }
    return [...stopped, event({ type: "content_block_start", index, content_block: block })]
  }

  /** Thinking is signed at its end. */
  private stop(): ReadonlyArray<unknown> {
    if (this.open === undefined) return []
    const { index, kind } = this.open
    this.open = undefined
    const signed = event({ type: "content_block_delta", index, delta: { type: "signature_delta", signature } })
    return [...(kind === "reasoning" ? [signed] : []), stop(index)]
  }

  private ofCall(call: Call): ReadonlyArray<unknown> {
    if (this.ended.has(call.place)) return []
    const known = this.calls.get(call.place)
    const index = known ?? this.count++
    const events: Array<unknown> = []
    if (known === undefined) {
      const block = { type: "tool_use", id: callId(call, this.asked), name: call.name, input: {} }
      events.push(...this.stop(), event({ type: "content_block_start", index, content_block: block }))
      this.calls.set(call.place, index)
    }
    if (call.text !== "") {
      const delta = { type: "input_json_delta", partial_json: call.text }
      events.push(event({ type: "content_block_delta", index, delta }))
    }
    if (call.isLast) {
      events.push(stop(index))
      this.calls.delete(call.place)
      this.ended.add(call.place)
    }
    return events
  }
}

const stop = (index: number): unknown => event({ type: "content_block_stop", index })

interface Block {
  readonly kind: Piece["kind"]
  readonly call: Call | undefined
  readonly texts: Array<string>
}

/** Pieces that follow each other are one block, and so are all pieces of a call. */
const blocksOf = ({ pieces }: Said): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  const calls = new Map<number, Block>()
  for (const piece of pieces) {
    const call = piece.kind === "call" ? piece : undefined
    const last = blocks.at(-1)
    const known = call === undefined ? (last?.kind === piece.kind ? last : undefined) : calls.get(call.place)
    const block: Block = known ?? { kind: piece.kind, call, texts: [] }
    if (known === undefined) blocks.push(block)
    if (call !== undefined) calls.set(call.place, block)
    block.texts.push(piece.text)
  }
  return blocks
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text === "" ? "{}" : text)
  } catch {
    return undefined
  }
}

/** The cached ones are not among `input_tokens` on this wire. */
const counts = ({ cachedInputTokens, inputTokens, outputTokens }: Counts) => ({
  input_tokens: inputTokens === undefined ? undefined : inputTokens - (cachedInputTokens ?? 0),
  cache_read_input_tokens: cachedInputTokens,
  output_tokens: outputTokens
})

const details = ({ reasoningTokens }: Counts) =>
  reasoningTokens === undefined ? undefined : { output_tokens_details: { thinking_tokens: reasoningTokens } }

const reasons: { readonly [reason in Said["end"]["reason"]]: string } = {
  stop: "end_turn",
  length: "max_tokens",
  "tool-calls": "tool_use",
  "content-filter": "refusal",
  pause: "pause_turn",
  other: "other"
}

/** Anthropic API docs, errors. */
const words: { readonly [status: number]: Words } = {
  400: { message: "The request is not valid.", code: "invalid_request_error" },
  401: { message: "The key is not valid.", code: "authentication_error" },
  402: { message: "The balance is used up.", code: "billing_error" },
  403: { message: "Your key has no access to this resource.", code: "permission_error" },
  404: { message: "There is no such model.", code: "not_found_error" },
  413: { message: "The request body is too large.", code: "request_too_large" },
  429: { message: "Too many requests.", code: "rate_limit_error" },
  500: { message: "The server failed.", code: "api_error" },
  503: { message: "The server has no room.", code: "overloaded_error" },
  504: { message: "The answer took too long.", code: "timeout_error" },
  529: { message: "The server has no room.", code: "overloaded_error" }
}
