/**
 * OpenAI's chat completions, as a server writes them. Shapes: OpenAI API reference, chat completions and streaming.
 * `reasoning_content` is DeepSeek's, and those of the hosts that copy it (DeepSeek API docs, reasoning model).
 */
import type { Counts, Piece, Said } from "./Said.js"
import { type Asked, callId, pathOf, type Words, type Writer } from "./Writer.js"

export const openAiChat: Writer = {
  answers: (request) => pathOf(request).endsWith("/chat/completions"),
  // Whoever speaks no other wire speaks this one.
  speaks: () => true,
  stream: (said, asked) => {
    const first = { role: "assistant", content: "" }
    const pieces = new Deltas(asked)
    const deltas = [first, ...said.pieces.flatMap((piece) => pieces.of(piece))]
    const { reason, refusal, usage } = said.end
    if (refusal !== undefined) deltas.push({ refusal })
    const chunk = (rest: object) => ({ ...envelope("chat.completion.chunk", said, asked), ...rest })
    const choice = (delta: object, finish_reason: string | null = null) =>
      chunk({ choices: [{ index: 0, delta, finish_reason }] })
    return {
      events: deltas.map((delta) => choice(delta)),
      end: [
        choice({}, reasons[reason]),
        ...(asked.usage ? [chunk({ choices: [], usage: counts(usage) })] : []),
        "[DONE]"
      ]
    }
  },
  whole: (said, asked) => {
    const { reason, refusal = null, usage } = said.end
    const text = joined(said, "text")
    const reasoning = joined(said, "reasoning")
    const calls = callsOf(said, asked)
    const message = {
      role: "assistant",
      content: text === "" && calls.length > 0 ? null : text,
      refusal,
      ...(reasoning === "" ? undefined : { reasoning_content: reasoning }),
      ...(calls.length === 0 ? undefined : { tool_calls: calls })
    }
    return {
      ...envelope("chat.completion", said, asked),
      choices: [{ index: 0, message, finish_reason: reasons[reason] }],
      usage: counts(usage)
    }
  },
  refusal: ({ code, message, status }) => ({ error: { message, type: types[status] ?? code, param: null, code } }),
  refusalEvent: (refusal) => openAiChat.refusal(refusal),
  models: (ids) => ({
    object: "list",
    data: ids.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "gateway" }))
  }),
  words: (status) =>
    words[status] ?? { message: `The request was refused with ${status}.`, code: `refused_with_${status}` },
  outOfCredit: {
    status: 429,
    code: "insufficient_quota",
    message: "No credit is left."
  },
  overloaded: 503
}

const envelope = (object: string, { end }: Said, { model, number }: Asked) => ({
  id: end.id ?? `chatcmpl-${number}`,
  object,
  created: 1_700_000_000,
  model: end.model ?? model
})

/** Pieces as deltas. The first of a call has its id and its name. */
class Deltas {
  private readonly begun = new Set<number>()

  constructor(private readonly asked: Asked) {}

  of(piece: Piece): ReadonlyArray<object> {
    if (piece.kind !== "call") return [{ [piece.kind === "text" ? "content" : "reasoning_content"]: piece.text }]
    const { name, place, text } = piece
    if (this.begun.has(place))
      return text === "" ? [] : [{ tool_calls: [{ index: place, function: { arguments: text } }] }]
    this.begun.add(place)
    const head = { index: place, id: callId(piece, this.asked), type: "function" }
    return [{ tool_calls: [{ ...head, function: { name, arguments: text } }] }]
  }
}

const joined = ({ pieces }: Said, kind: "text" | "reasoning"): string =>
  pieces.flatMap((piece) => (piece.kind === kind ? [piece.text] : [])).join("")

const callsOf = ({ pieces }: Said, asked: Asked): ReadonlyArray<object> => {
  const calls: Array<{ readonly id: string; readonly name: string; readonly texts: Array<string> }> = []
  for (const piece of pieces) {
    if (piece.kind !== "call") continue
    const call = calls[piece.place]
    if (call === undefined) calls[piece.place] = { id: callId(piece, asked), name: piece.name, texts: [piece.text] }
    else call.texts.push(piece.text)
  }
  return calls.map(({ id, name, texts }) => ({ id, type: "function", function: { name, arguments: texts.join("") } }))
}

const counts = ({ cachedInputTokens, inputTokens, outputTokens, reasoningTokens, totalTokens }: Counts) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: totalTokens ?? (inputTokens === undefined ? undefined : inputTokens + (outputTokens ?? 0)),
  prompt_tokens_details: cachedInputTokens === undefined ? undefined : { cached_tokens: cachedInputTokens },
  completion_tokens_details: reasoningTokens === undefined ? undefined : { reasoning_tokens: reasoningTokens }
})

const reasons: { readonly [reason in Said["end"]["reason"]]: string } = {
  stop: "stop",
  length: "length",
  "tool-calls": "tool_calls",
  "content-filter": "content_filter",
  // This wire has no word for it.
  pause: "pause",
  other: "other"
}

const types: { readonly [status: number]: string } = {
  400: "invalid_request_error",
  401: "invalid_request_error",
  403: "invalid_request_error",
  404: "invalid_request_error",
  500: "server_error",
  503: "server_error"
}

/** OpenAI API docs, error codes; 402 is DeepSeek's (DeepSeek API docs, error codes). */
const words: { readonly [status: number]: Words } = {
  400: { message: "The request is not valid.", code: "invalid_value" },
  401: { message: "The key is not valid.", code: "invalid_api_key" },
  402: { message: "The balance is used up.", code: "insufficient_balance" },
  403: { message: "Your key has no access to this resource.", code: "permission_denied" },
  404: { message: "The model does not exist.", code: "model_not_found" },
  413: { message: "The request body is too large.", code: "request_too_large" },
  429: { message: "Too many requests.", code: "rate_limit_exceeded" },
  500: { message: "The server failed.", code: "server_error" },
  503: { message: "The server has no room.", code: "overloaded" },
  529: { message: "The server has no room.", code: "overloaded" }
}
