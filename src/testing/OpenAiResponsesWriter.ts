/**
 * OpenAI's Responses, as a server writes them. Shapes: OpenAI's OpenAPI document, responses and their streaming events.
 */
import { named } from "./Answer.js"
import { openAiChat } from "./OpenAiChatWriter.js"
import type { Counts, Piece, Said } from "./Said.js"
import { type Asked, callId, pathOf, type Writer } from "./Writer.js"

/** Refusals and lists of models are those of OpenAI's other wire. */
export const openAiResponses: Writer = {
  ...openAiChat,
  answers: (request) => pathOf(request).endsWith("/responses"),
  speaks: (request) => openAiResponses.answers(request),
  stream: (said, asked) => {
    const output = new Output(asked)
    const begun = response(said, asked, "in_progress")
    const events = [
      event("response.created", { response: begun }),
      event("response.in_progress", { response: begun }),
      ...written(said, output)
    ]
    const last = output.endAll()
    const status = statusOf(said)
    return { events, end: [...last, event(`response.${status}`, { response: ended(said, asked, output) })] }
  },
  whole: (said, asked) => {
    const output = new Output(asked)
    written(said, output)
    output.endAll()
    return ended(said, asked, output)
  },
  refusalEvent: ({ code, message }) => event("error", { code, message, param: null })
}

/** An event is named as its type. */
const event = (type: string, fields: object): unknown => named(type, { type, ...fields })

const written = ({ end: { refusal }, pieces }: Said, output: Output): ReadonlyArray<unknown> => [
  ...pieces.flatMap((piece) => output.events(piece)),
  ...(refusal === undefined ? [] : output.refuse(refusal))
]

const response = ({ end }: Said, { model, number }: Asked, status: string) => ({
  id: end.id ?? `resp_${number}`,
  object: "response",
  created_at: 1_700_000_000,
  status,
  error: null,
  incomplete_details: null,
  model: end.model ?? model,
  output: [],
  usage: null
})

const ended = (said: Said, asked: Asked, output: Output) => {
  const reason = reasons[said.end.reason]
  return {
    ...response(said, asked, statusOf(said)),
    incomplete_details: reason === undefined ? null : { reason },
    output: output.items(),
    usage: counts(said.end.usage)
  }
}

const statusOf = ({ end }: Said): string => (reasons[end.reason] === undefined ? "completed" : "incomplete")

type Kind = Piece["kind"] | "refusal"

interface Item {
  readonly kind: Kind
  readonly index: number
  readonly id: string
  readonly call: Extract<Piece, { readonly kind: "call" }> | undefined
  readonly texts: Array<string>
}

/**
 * Pieces as the items of an output, and their events. An item of text or reasoning ends where another begins; that of a
 * call when the call is complete, so that the pieces of several calls may come in turns.
 */
class Output {
  private readonly all: Array<Item> = []
  /** The item of text, reasoning or a refusal that is being written. */
  private open: Item | undefined
  /** The items of calls, by the places of the calls. */
  private readonly calls = new Map<number, Item>()
  private readonly ended = new Set<Item>()

  constructor(private readonly asked: Asked) {}

  events(piece: Piece): ReadonlyArray<unknown> {
    if (piece.kind !== "call") return this.grow(piece.kind, piece.text)
    const known = this.calls.get(piece.place)
    if (known !== undefined && this.ended.has(known)) return []
    const begun = known === undefined ? this.end() : []
    const item = known ?? this.begin("call", piece)
    this.calls.set(piece.place, item)
    return [
      ...begun,
      ...(known === undefined ? [added(item, this.asked)] : []),
      ...(piece.text === "" ? [] : [delta(item, piece.text)]),
      ...(piece.isLast ? this.done(item) : [])
    ]
  }

  refuse(text: string): ReadonlyArray<unknown> {
    return this.grow("refusal", text)
  }

  /** Ends every item that is still open. */
  endAll(): ReadonlyArray<unknown> {
    return this.all.filter((item) => !this.ended.has(item)).flatMap((item) => this.done(item))
  }

  items(): ReadonlyArray<object> {
    return this.all.map((item) => whole(item, this.asked))
  }

  private grow(kind: Kind, text: string): ReadonlyArray<unknown> {
    if (this.open?.kind === kind) return [delta(this.open, text)]
    const before = this.end()
    this.open = this.begin(kind)
    return [...before, added(this.open, this.asked), delta(this.open, text)]
  }

  private begin(kind: Kind, call?: Item["call"]): Item {
    const index = this.all.length
    const item = { kind, index, id: `${prefixes[kind]}_${this.asked.number}_${index}`, call, texts: [] }
    this.all.push(item)
    return item
  }

  private end(): ReadonlyArray<unknown> {
    const { open } = this
    this.open = undefined
    return open === undefined ? [] : this.done(open)
  }

  private done(item: Item): ReadonlyArray<unknown> {
    this.ended.add(item)
    return [event("response.output_item.done", { output_index: item.index, item: whole(item, this.asked) })]
  }
}

const prefixes: { readonly [kind in Kind]: string } = { text: "msg", refusal: "msg", reasoning: "rs", call: "fc" }

/** As an item begins: with nothing in it. */
const added = (item: Item, asked: Asked): unknown =>
  event("response.output_item.added", { output_index: item.index, item: whole({ ...item, texts: [] }, asked) })

const delta = (item: Item, text: string): unknown => {
  item.texts.push(text)
  const of = { output_index: item.index, item_id: item.id, delta: text }
  switch (item.kind) {
    case "text":
      return event("response.output_text.delta", { ...of, content_index: 0, logprobs: [] })
    case "refusal":
      return event("response.refusal.delta", { ...of, content_index: 0 })
    case "reasoning":
      return event("response.reasoning_summary_text.delta", { ...of, summary_index: 0 })
    case "call":
      return event("response.function_call_arguments.delta", of)
  }
}

const whole = ({ call, id, kind, texts }: Item, asked: Asked): object => {
  const text = texts.join("")
  if (call !== undefined) {
    return { id, type: "function_call", call_id: callId(call, asked), name: call.name, arguments: text }
  }
  // Whoever continues the conversation sends it back, as to a real server.
  if (kind === "reasoning") {
    const summary = text === "" ? [] : [{ type: "summary_text", text }]
    return { id, type: "reasoning", summary, encrypted_content: "encrypted-by-the-gateway" }
  }
  const part = kind === "refusal" ? { type: "refusal", refusal: text } : { type: "output_text", text, annotations: [] }
  return { id, type: "message", role: "assistant", content: text === "" ? [] : [part] }
}

const counts = ({ cachedInputTokens, inputTokens, outputTokens, reasoningTokens, totalTokens }: Counts) => ({
  input_tokens: inputTokens,
  input_tokens_details: cachedInputTokens === undefined ? undefined : { cached_tokens: cachedInputTokens },
  output_tokens: outputTokens,
  output_tokens_details: reasoningTokens === undefined ? undefined : { reasoning_tokens: reasoningTokens },
  total_tokens: totalTokens ?? (inputTokens === undefined ? undefined : inputTokens + (outputTokens ?? 0))
})

/** Why an answer is incomplete. One that ended by itself or with calls is completed. */
const reasons: { readonly [reason in Said["end"]["reason"]]: string | undefined } = {
  stop: undefined,
  "tool-calls": undefined,
  length: "max_output_tokens",
  "content-filter": "content_filter",
  // This wire has no words for these.
  pause: "pause",
  other: "other"
}
