/**
 * Anthropic's `POST /v1/messages`, as Anthropic, MiMo, DeepSeek, MiniMax and GLM speak it.
 */
import type * as Chat from "../Chat.js"
import { unknownUsage } from "../chat/Event.js"
import * as Joiner from "../Joiner.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as Fault from "../refusal/Fault.js"
import * as Refusal from "../refusal/Refusal.js"
import { type Dialect, encode, id, unsupported } from "./AnthropicMessagesRequest.js"
import * as ToolCalls from "./ToolCalls.js"

export type { Dialect } from "./AnthropicMessagesRequest.js"

/**
 * Anthropic's wire, as a host of this dialect speaks it. Default: in the oldest version, which every host accepts.
 *
 * @example
 * const protocol = AnthropicMessages.make({ version: "2023-06-01" })
 */
export const make = (dialect: Dialect = {}): Protocol.Protocol => {
  const { ownHost = false, version = "2023-06-01" } = dialect
  return {
    id,
    path: "/v1/messages",
    headers: { "anthropic-version": version },
    encode: (request, options) => encode(request, { ...options, dialect }),
    unsupported: (body) => unsupported(body, version, ownHost),
    decoder: () => new Decoder(),
    modelsPath: "/v1/models?limit=1000",
    decodeModels
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Decode
// ---------------------------------------------------------------------------------------------------------------------

class Decoder implements Protocol.Decoder {
  /** Whether a message has begun. Without one there is no answer. */
  private begun = false
  private id: string | undefined
  private model: string | undefined
  /** The last stop reason, in the wire's own word. */
  private reason: string | undefined
  private refusal: string | undefined
  /** The latest value of each count: they become more exact as the answer goes on. */
  private readonly usage: Record<string, number> = {}
  private readonly calls = ToolCalls.make(() => this.id)
  /** The answer's content, part of which is sent back with the conversation. */
  private readonly blocks: Array<Block> = []
  /** The latest block with each index of the wire: deltas with that index belong to it. */
  private readonly byIndex = new Map<unknown, Block>()

  step(data: string, name: string, events: Array<Chat.Event>): Protocol.Step {
    if (name === "error") return { _tag: "Refused", body: data }
    if (data === "" || name === "ping") return "more"
    // Some gateways end this wire the way OpenAI's ends.
    if (data === "[DONE]") return this.finish(events)
    const event = Json.record(Json.parse(data))
    return event === undefined ? Fault.malformed("NotTheProtocol", data) : this.take(event, data, events)
  }

  end(events: Array<Chat.Event>): Protocol.Step {
    return this.reason === undefined ? Fault.cut() : this.finish(events)
  }

  decodeBody(message: Json.Fields, raw: string, events: Array<Chat.Event>): Protocol.Step {
    if (message["type"] === "error" || Refusal.isIn(message)) return { _tag: "Refused", body: raw }
    if (!Array.isArray(message["content"])) return Fault.malformed("NotTheProtocol", raw)
    this.takeMessage(message)
    for (const [index, block] of message["content"].entries()) this.takeBlock(index, Json.record(block), events)
    this.takeEnd(message)
    return this.finish(events)
  }

  private take(event: Json.Fields, raw: string, events: Array<Chat.Event>): Protocol.Step {
    switch (event["type"]) {
      case "message_start":
        return this.takeMessage(Json.record(event["message"]))
      case "content_block_start":
        this.takeBlock(event["index"], Json.record(event["content_block"]), events)
        return "more"
      case "content_block_delta":
        this.takeDelta(event["index"], Json.record(event["delta"]), events)
        return "more"
      case "message_delta":
        this.takeEnd(Json.record(event["delta"]))
        this.takeUsage(event["usage"])
        return "more"
      case "message_stop":
        return this.finish(events)
      case "error":
        return { _tag: "Refused", body: raw }
      default:
        return Refusal.isIn(event) ? { _tag: "Refused", body: raw } : "more"
    }
  }

  private takeMessage(message: Json.Fields | undefined): Protocol.Step {
    const newId = Json.nonEmpty(message?.["id"])
    if (this.begun && newId !== undefined && newId !== this.id) return Fault.malformed("NotTheProtocol")
    this.begun = true
    this.id = newId
    this.model = Json.nonEmpty(message?.["model"])
    this.takeUsage(message?.["usage"])
    return "more"
  }

  private takeBlock(index: unknown, fields: Json.Fields | undefined, events: Array<Chat.Event>): void {
    if (fields === undefined) return
    const block = this.blockOf(index, fields)
    switch (fields["type"]) {
      case "text":
        this.emitText(block, fields["text"], events)
        for (const citation of Json.array(fields["citations"])) block.cite(citation)
        break
      case "thinking":
        this.emitReasoning(block, fields["thinking"], events)
        break
      case "tool_use": {
        // In a stream, this input is empty, and the real one follows as text.
        const input = Json.record(fields["input"]) ?? {}
        this.emitToolCall(block, Object.keys(input).length === 0 ? "" : ToolCalls.argumentsOf(input), events)
      }
    }
  }

  /** A new block, unless a call that has begun is announced again. */
  private blockOf(index: unknown, fields: Json.Fields): Block {
    const known = this.byIndex.get(index)
    if (known?.isCall() && fields["type"] === "tool_use" && known.id() === fields["id"]) return known
    const block = new Block(this.blocks.length, fields)
    this.blocks.push(block)
    this.byIndex.set(index, block)
    return block
  }

  private takeDelta(index: unknown, delta: Json.Fields | undefined, events: Array<Chat.Event>): void {
    if (delta === undefined) return
    const block =
      this.byIndex.get(index) ?? this.blockOf(index, { type: delta["type"] === "thinking_delta" ? "thinking" : "text" })
    switch (delta["type"]) {
      case "text_delta":
        return this.emitText(block, delta["text"], events)
      case "thinking_delta":
        return this.emitReasoning(block, delta["thinking"], events)
      case "citations_delta":
        return block.cite(delta["citation"])
      case "input_json_delta": {
        const json = Json.string(delta["partial_json"]) ?? ""
        // Tools that the server runs itself are not for the program to call; they only go into the replay.
        return block.isCall() ? this.emitToolCall(block, json, events) : block.growInput(json)
      }
      default:
        return block.keep(delta)
    }
  }

  private takeEnd(fields: Json.Fields | undefined): void {
    this.reason = Json.nonEmpty(fields?.["stop_reason"]) ?? this.reason
    this.refusal = Json.nonEmpty(Json.record(fields?.["stop_details"])?.["explanation"]) ?? this.refusal
  }

  private takeUsage(counts: unknown): void {
    const fields = Json.record(counts) ?? {}
    const thinking = Json.record(fields["output_tokens_details"]) ?? {}
    for (const [key, value] of [...Object.entries(fields), ...Object.entries(thinking)]) {
      if (typeof value === "number") this.usage[key] = value
    }
  }

  private emitText(block: Block, text: unknown, events: Array<Chat.Event>): void {
    if (typeof text !== "string" || text === "") return
    block.grow("text", text)
    events.push({ _tag: "TextDelta", text })
  }

  private emitReasoning(block: Block, text: unknown, events: Array<Chat.Event>): void {
    if (typeof text !== "string" || text === "") return
    block.grow("thinking", text)
    events.push({ _tag: "ReasoningDelta", text })
  }

  private emitToolCall(block: Block, delta: string, events: Array<Chat.Event>): void {
    block.growInput(delta)
    const { place } = block
    const event = this.calls.add({ place, id: Json.nonEmpty(block.id()), name: Json.nonEmpty(block.name()), delta })
    if (event !== undefined) events.push(event)
  }

  private finish(events: Array<Chat.Event>): Protocol.Step {
    if (!this.begun) return Fault.malformed("NotTheProtocol")
    const reason = finishReason(this.reason, this.calls.size() > 0)
    const calls = this.calls.finish(reason)
    if (Fault.isFault(calls)) return calls
    for (const call of calls) events.push(call)
    events.push({
      _tag: "Finish",
      reason,
      rawReason: this.reason ?? "",
      usage: decodeUsage(this.usage),
      model: this.model,
      id: this.id,
      ...(this.refusal === undefined ? undefined : { refusal: this.refusal }),
      ...(this.blocks.some((block) => block.needsReplay()) ? { replay: this.replay() } : undefined)
    })
    return "done"
  }

  /** A call that was cut off is left out: the program never sees it, so no result could follow it. */
  private replay(): Chat.Replay {
    const content = this.blocks.flatMap((block) => {
      if (!block.isCall()) return block.replay()
      const id = this.calls.idAt(block.place)
      return id === undefined ? [] : block.replay().map((fields) => ({ ...fields, id }))
    })
    return { protocol: id, content }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Replay
// ---------------------------------------------------------------------------------------------------------------------

/** A block of the answer's content. */
class Block {
  /** Its fields at the start, and those that arrived complete since. */
  private readonly fields: Record<string, unknown>
  /** Text fields, which grow piece by piece. */
  private readonly grown = new Map<string, Joiner.Joiner>()
  /** The input of a tool, as JSON text that grows piece by piece. */
  private input = ""
  private readonly citations: Array<unknown> = []

  constructor(
    /** Its place in the answer, from 0. */
    readonly place: number,
    fields: Json.Fields
  ) {
    this.fields = { ...fields }
  }

  id(): unknown {
    return this.fields["id"]
  }

  name(): unknown {
    return this.fields["name"]
  }

  isCall(): boolean {
    return this.fields["type"] === "tool_use"
  }

  /** Adds text to a field. */
  grow(field: string, text: string): void {
    const before = this.grown.get(field)
    if (before !== undefined) return before.add(text)
    const joiner = Joiner.make()
    joiner.add(text)
    this.grown.set(field, joiner)
  }

  growInput(json: string): void {
    this.input += json
  }

  cite(citation: unknown): void {
    this.citations.push(citation)
  }

  /**
   * Applies a delta of any other kind, even one that Anthropic has yet to invent: text and lists are appended to the
   * block's, and any other value replaces the previous one.
   */
  keep(delta: Json.Fields): void {
    if (!this.isOpaque()) return
    for (const [field, value] of Object.entries(delta)) {
      const before = this.fields[field]
      if (field === "type" || field === "__proto__" || (value === null && before !== undefined)) continue
      if (typeof value === "string" && !replaced.has(field)) {
        if (!this.grown.has(field) && typeof before === "string") this.grow(field, before)
        this.grow(field, value)
      } else if (Array.isArray(before) && Array.isArray(value)) for (const item of value) before.push(item)
      else this.fields[field] = value
    }
  }

  needsReplay(): boolean {
    return this.isOpaque() || this.citations.length > 0
  }

  /** What is sent back for it. An empty text block would be a 400. */
  replay(): ReadonlyArray<Json.Fields> {
    const grown = Array.from(this.grown, ([field, text]) => [field, text.join()] as const)
    const fields: Json.Fields = { ...this.fields, ...Object.fromEntries(grown) }
    const { signature, thinking, type } = fields
    if (type === "text") {
      const citations = this.citations.length === 0 ? undefined : this.citations
      return this.grown.has("text") ? [Json.defined({ ...fields, citations })] : []
    }
    if (type === "thinking")
      return [{ ...fields, thinking: Json.string(thinking) ?? "", signature: Json.string(signature) ?? "" }]
    if (this.input === "") return [fields]
    const input = Json.parseHandedOn(this.input)
    return input === undefined ? [] : [{ ...fields, input }]
  }

  /** Whether it must be sent back exactly as it arrived. The program's own view of text and tool calls is enough. */
  private isOpaque(): boolean {
    return this.fields["type"] !== "text" && !this.isCall()
  }
}

/** Text fields whose every delta has the complete value: `compaction_delta` (Anthropic's SDK). */
const replaced: ReadonlySet<string> = new Set(["encrypted_content"])

// ---------------------------------------------------------------------------------------------------------------------
// The end
// ---------------------------------------------------------------------------------------------------------------------

const finishReasons: ReadonlyMap<string, Chat.FinishReason> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool-calls"],
  ["refusal", "content-filter"],
  ["pause_turn", "pause"],
  // The conversation was summarized so far, and continues from the summary (compaction docs).
  ["compaction", "pause"]
])

const finishReason = (word: string | undefined, hasCalls: boolean): Chat.FinishReason =>
  word === undefined ? (hasCalls ? "tool-calls" : "other") : (finishReasons.get(word) ?? "other")

/** On this wire, `input_tokens` excludes the cached ones; our `inputTokens` includes them. */
const decodeUsage = (counts: { readonly [name: string]: number }): Chat.Usage => {
  const { cache_creation_input_tokens: written, cache_read_input_tokens: cached, input_tokens: fresh } = counts
  return {
    ...unknownUsage,
    inputTokens: fresh === undefined ? undefined : fresh + (cached ?? 0) + (written ?? 0),
    outputTokens: counts["output_tokens"],
    cachedInputTokens: cached,
    reasoningTokens: counts["thinking_tokens"]
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

const decodeModels = (text: string): ReadonlyArray<Protocol.Model> | Fault.Fault => {
  const list = Json.record(Json.parse(text))?.["data"]
  if (!Array.isArray(list)) return Fault.malformed("NotTheProtocol", text)
  return list.flatMap((item) => {
    const model = Json.record(item)
    const name = Json.nonEmpty(model?.["id"])
    return model === undefined || name === undefined ? [] : [decodeModel(name, model)]
  })
}

const decodeModel = (name: string, model: Json.Fields): Protocol.Model => {
  const created = Date.parse(Json.string(model["created_at"]) ?? "")
  return {
    id: name,
    name: Json.nonEmpty(model["display_name"]),
    ownedBy: Json.nonEmpty(model["owned_by"]),
    contextWindow: Json.number(model["context_window"]) ?? Json.number(model["max_input_tokens"]),
    created: Number.isNaN(created) ? Json.number(model["created"]) : created / 1000
  }
}
