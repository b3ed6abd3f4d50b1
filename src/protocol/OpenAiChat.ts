/**
 * OpenAI's `POST /chat/completions`, as OpenAI and all who copied it speak it.
 */
import type * as Chat from "../Chat.js"
import { unknownUsage } from "../chat/Event.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as Fault from "../refusal/Fault.js"
import * as Refusal from "../refusal/Refusal.js"
import { type Dialect, encode, id } from "./OpenAiChatRequest.js"
import * as ThinkTags from "./ThinkTags.js"
import * as ToolCalls from "./ToolCalls.js"

export type { Dialect } from "./OpenAiChatRequest.js"

/**
 * OpenAI's wire, as a host of this dialect speaks it. Default: as OpenAI does.
 *
 * @example
 * const protocol = OpenAiChat.make({ maxTokens: "max_completion_tokens", output: "json" })
 */
export const make = (dialect: Dialect = {}): Protocol.Protocol => ({
  id,
  path: "/chat/completions",
  headers: {},
  encode: (request, options) => encode(request, { ...options, dialect }),
  unsupported: () => undefined,
  decoder: () => new Decoder(dialect),
  modelsPath: "/models",
  decodeModels
})

// ---------------------------------------------------------------------------------------------------------------------
// Decode
// ---------------------------------------------------------------------------------------------------------------------

class Decoder implements Protocol.Decoder {
  /** Whether a choice has arrived. Without one there is no answer. */
  private begun = false
  private id: string | undefined
  private model: string | undefined
  /** The last finish reason, in the wire's own word. */
  private reason: string | undefined
  private refusal = ""
  private usage = unknownUsage
  private readonly calls = ToolCalls.make(() => this.id)
  /** The `reasoning_details` so far, which are sent back with the conversation. */
  private readonly details: Array<Record<string, unknown>> = []
  /** Separates thinking from text, where the dialect mixes them. */
  private readonly think: ThinkTags.ThinkTags | undefined

  constructor({ thinkTags }: Dialect) {
    this.think = thinkTags === true ? ThinkTags.make() : undefined
  }

  step(data: string, name: string, events: Array<Chat.Event>): Protocol.Step {
    if (name === "error") return { _tag: "Refused", body: data }
    if (data === "") return "more"
    if (data === "[DONE]") return this.finish(events)
    const chunk = Json.record(Json.parse(data))
    return chunk === undefined ? Fault.malformed("NotTheProtocol", data) : this.take(chunk, data, events)
  }

  end(events: Array<Chat.Event>): Protocol.Step {
    return this.reason === undefined ? Fault.cut() : this.finish(events)
  }

  decodeBody(body: Json.Fields, raw: string, events: Array<Chat.Event>): Protocol.Step {
    const step = this.take(body, raw, events, "message")
    return step === "more" ? this.finish(events) : step
  }

  /** A body that was not streamed has a `message` where a chunk of a stream has a `delta`. */
  private take(
    chunk: Json.Fields,
    raw: string,
    events: Array<Chat.Event>,
    part: "delta" | "message" = "delta"
  ): Protocol.Step {
    if (this.id === undefined) this.id = Json.nonEmpty(chunk["id"])
    if (this.model === undefined) this.model = Json.nonEmpty(chunk["model"])
    const choices = chunk["choices"]
    const choice = Array.isArray(choices) ? Json.record(choices.find(isFirst)) : undefined
    if (choice !== undefined) this.takeChoice(choice, part, events)
    const usage = chunk["usage"] ?? choice?.["usage"] ?? Json.record(chunk["x_groq"])?.["usage"]
    if (usage !== undefined && usage !== null) this.takeUsage(usage)
    // Checked last, because OpenRouter reports an error beside choices (recorded).
    return isRefusal(chunk) ? { _tag: "Refused", body: raw } : "more"
  }

  private takeChoice(choice: Json.Fields, part: "delta" | "message", events: Array<Chat.Event>): void {
    this.begun = true
    // Perplexity sends both: the new text as `delta`, and all text so far as `message` (recorded).
    const delta = Json.record(choice[part]) ?? Json.record(choice["delta"] ?? choice["message"])
    if (delta !== undefined) this.takeDelta(delta, events)
    this.reason = Json.nonEmpty(choice["finish_reason"]) ?? this.reason
  }

  private takeDelta(delta: Json.Fields, events: Array<Chat.Event>): void {
    this.emitReasoning(reasoningOf(delta), events)
    const content = delta["content"]
    if (Array.isArray(content)) for (const part of content) this.takePart(part, events)
    else this.emitText(content, events)
    if (typeof delta["refusal"] === "string") this.refusal += delta["refusal"]
    const details = delta["reasoning_details"]
    if (Array.isArray(details)) for (const detail of details) mergeDetail(this.details, detail)
    const pieces = delta["tool_calls"]
    if (Array.isArray(pieces)) for (const [place, piece] of pieces.entries()) this.takeToolCall(piece, place, events)
  }

  /** Mistral sends content as a list of parts, some of them thinking. */
  private takePart(part: unknown, events: Array<Chat.Event>): void {
    const fields = Json.record(part)
    if (fields?.["type"] === "text") this.emitText(fields["text"], events)
    if (fields?.["type"] !== "thinking") return
    for (const piece of Json.array(fields["thinking"])) this.emitReasoning(Json.record(piece)?.["text"], events)
  }

  private takeToolCall(piece: unknown, place: number, events: Array<Chat.Event>): void {
    const call = Json.record(piece)
    const called = Json.record(call?.["function"])
    const extra = Json.record(call?.["extra_content"])
    this.emitToolCall(
      {
        place: Json.number(call?.["index"]) ?? place,
        id: Json.nonEmpty(call?.["id"]),
        name: Json.nonEmpty(called?.["name"]),
        delta: ToolCalls.argumentsOf(called?.["arguments"]),
        replay: extra === undefined ? undefined : { protocol: id, content: extra }
      },
      events
    )
  }

  private takeUsage(counts: unknown): void {
    this.usage = decodeUsage(counts) ?? this.usage
  }

  private emitText(text: unknown, events: Array<Chat.Event>): void {
    if (typeof text !== "string" || text === "") return
    if (this.think === undefined) events.push({ _tag: "TextDelta", text })
    else this.think.add(text, events)
  }

  private emitReasoning(text: unknown, events: Array<Chat.Event>): void {
    if (typeof text !== "string" || text === "") return
    events.push({ _tag: "ReasoningDelta", text })
  }

  private emitToolCall(piece: ToolCalls.Piece, events: Array<Chat.Event>): void {
    const event = this.calls.add(piece)
    if (event !== undefined) events.push(event)
  }

  private finish(events: Array<Chat.Event>): Protocol.Step {
    this.think?.end(events)
    if (!this.begun) return Fault.malformed("NotTheProtocol")
    const brokeOff = this.reason === undefined ? undefined : brokenOff.get(this.reason)
    if (brokeOff !== undefined) return { _tag: "BrokenOff", code: this.reason ?? "", reason: brokeOff }
    const reason = finishReason(this.reason, this.calls.size() > 0)
    const calls = this.calls.finish(reason)
    if (Fault.isFault(calls)) return calls
    for (const call of calls) events.push(call)
    events.push({
      _tag: "Finish",
      reason,
      rawReason: this.reason ?? "",
      usage: this.usage,
      model: this.model,
      id: this.id,
      ...(this.refusal === "" ? undefined : { refusal: this.refusal }),
      ...(this.details.length === 0 ? undefined : { replay: { protocol: id, content: this.details } })
    })
    return "done"
  }
}

const isFirst = (choice: unknown): boolean => {
  const index = Json.record(choice)?.["index"]
  return index === undefined || index === null || index === 0
}

/** If a server sends both, `reasoning_content` wins (as in the Vercel AI SDK's tests). */
const reasoningOf = (delta: Json.Fields): string | undefined => {
  const said = Json.nonEmpty(delta["reasoning_content"]) ?? Json.nonEmpty(delta["reasoning"])
  if (said !== undefined) return said
  const details = delta["reasoning_details"]
  return Array.isArray(details) ? details.map(detailText).join("") : undefined
}

const detailText = (detail: unknown): string => {
  const fields = Json.record(detail)
  return Json.string(fields?.["text"]) ?? Json.string(fields?.["summary"]) ?? ""
}

/** vLLM and GLM also report an error as a message in place of the choices. */
const isRefusal = (chunk: Json.Fields): boolean =>
  Refusal.isIn(chunk) ||
  (chunk["choices"] === undefined && ["message", "msg", "detail"].some((field) => chunk[field] !== undefined))

// ---------------------------------------------------------------------------------------------------------------------
// Replay
// ---------------------------------------------------------------------------------------------------------------------

/** A detail arrives in consecutive pieces, and the provider wants it back in one. */
const mergeDetail = (details: Array<Record<string, unknown>>, piece: unknown): void => {
  const fields = Json.record(piece)
  if (fields === undefined) return
  const last = details.at(-1)
  const same = last !== undefined && ["type", "index", "id"].every((key) => sameOrSilent(last[key], fields[key]))
  if (!same || fields["index"] === undefined) {
    details.push({ ...fields })
    return
  }
  for (const [key, value] of Object.entries(fields)) {
    if (key === "__proto__") continue
    const before = last[key]
    const grows = (key === "text" || key === "summary" || key === "data") && typeof before === "string"
    if (value !== null && value !== undefined) last[key] = grows && typeof value === "string" ? before + value : value
  }
}

const sameOrSilent = (before: unknown, after: unknown): boolean =>
  before === after || before === null || before === undefined || after === null || after === undefined

// ---------------------------------------------------------------------------------------------------------------------
// The end
// ---------------------------------------------------------------------------------------------------------------------

const finishReasons: ReadonlyMap<string, Chat.FinishReason> = new Map([
  ["stop", "stop"],
  ["eos", "stop"],
  ["end_turn", "stop"],
  ["length", "length"],
  ["max_tokens", "length"],
  ["model_length", "length"],
  // MiMo stops a model that repeats itself, possibly in the middle of a tool call.
  ["repetition_truncation", "length"],
  ["tool_calls", "tool-calls"],
  ["function_call", "tool-calls"],
  ["content_filter", "content-filter"],
  ["sensitive", "content-filter"]
])

/** Finish reasons that mean a failure: DeepSeek's, GLM's, and the one of Mistral and OpenRouter, by their API docs. */
const brokenOff: ReadonlyMap<string, Fault.BrokenOff["reason"]> = new Map([
  ["insufficient_system_resource", "Overloaded"],
  ["network_error", "ServerError"],
  ["error", "ServerError"]
])

/** OpenAI says `stop` when the model was told to call a certain tool and did. */
const finishReason = (word: string | undefined, hasCalls: boolean): Chat.FinishReason => {
  const reason = word === undefined ? "other" : (finishReasons.get(word) ?? "other")
  return hasCalls && (word === undefined || reason === "stop") ? "tool-calls" : reason
}

const decodeUsage = (value: unknown): Chat.Usage | undefined => {
  const counts = Json.record(value)
  if (counts === undefined) return undefined
  const input = Json.record(counts["prompt_tokens_details"])
  const output = Json.record(counts["completion_tokens_details"])
  return {
    inputTokens: Json.number(counts["prompt_tokens"]),
    outputTokens: Json.number(counts["completion_tokens"]),
    totalTokens: Json.number(counts["total_tokens"]),
    // DeepSeek and Moonshot count cache hits in fields of their own.
    cachedInputTokens:
      Json.number(input?.["cached_tokens"]) ??
      Json.number(counts["prompt_cache_hit_tokens"]) ??
      Json.number(counts["cached_tokens"]),
    reasoningTokens: Json.number(output?.["reasoning_tokens"]) ?? Json.number(counts["reasoning_tokens"])
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

const decodeModels = (text: string): ReadonlyArray<Protocol.Model> | Fault.Fault => {
  const body = Json.parse(text)
  const list = Json.record(body)?.["data"] ?? Json.record(body)?.["models"] ?? body
  if (!Array.isArray(list)) return Fault.malformed("NotTheProtocol", text)
  return list.flatMap((item) => {
    const model = Json.record(item)
    const name = Json.nonEmpty(model?.["id"]) ?? Json.nonEmpty(model?.["name"])
    return model === undefined || name === undefined ? [] : [decodeModel(name, model)]
  })
}

const decodeModel = (name: string, model: Json.Fields): Protocol.Model => ({
  id: name,
  name: Json.nonEmpty(model["display_name"]) ?? Json.nonEmpty(model["name"]),
  ownedBy: Json.nonEmpty(model["owned_by"]),
  contextWindow: ["context_length", "context_window", "max_context_length", "max_model_len"]
    .map((field) => Json.number(model[field]))
    .find((count) => count !== undefined),
  created: Json.number(model["created"])
})
