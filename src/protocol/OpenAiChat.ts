/**
 * OpenAI's `POST /chat/completions`, as it and everyone who copies it speak it.
 */
import type * as Chat from "../Chat.js"
import { unknownUsage } from "../chat/Event.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as Fault from "../refusal/Fault.js"
import { type Dialect, encode, id } from "./OpenAiChatRequest.js"
import * as ThinkTags from "./ThinkTags.js"
import * as ToolCalls from "./ToolCalls.js"

type Fields = { readonly [key: string]: unknown }

// ---------------------------------------------------------------------------------------------------------------------
// Decode
// ---------------------------------------------------------------------------------------------------------------------

const decoder = (dialect: Dialect): Protocol.Decoder => {
  const calls = ToolCalls.make(() => answerId)
  const think = dialect.thinkTags === true ? ThinkTags.make() : undefined
  let begun = false
  let answerId: string | undefined
  let model: string | undefined
  let reason: string | undefined
  let usage: Chat.Usage | undefined
  let refusal = ""
  const details: Array<Record<string, unknown>> = []

  const speak = (text: string, events: Array<Chat.Event>): void => {
    if (text === "") return
    if (think === undefined) events.push({ _tag: "TextDelta", text })
    else think.add(text, events)
  }

  const reflect = (text: string, events: Array<Chat.Event>): void => {
    if (text !== "") events.push({ _tag: "ReasoningDelta", text })
  }

  const takeDelta = (delta: Fields, events: Array<Chat.Event>): void => {
    const reasoning = reasoningOf(delta)
    if (reasoning !== undefined) reflect(reasoning, events)
    const content = delta["content"]
    if (typeof content === "string") speak(content, events)
    else if (Array.isArray(content)) for (const part of content) takePart(part, events)
    if (typeof delta["refusal"] === "string") refusal += delta["refusal"]
    if (Array.isArray(delta["reasoning_details"]))
      for (const detail of delta["reasoning_details"]) mergeDetail(details, detail)
    const pieces = delta["tool_calls"]
    if (Array.isArray(pieces)) for (const [place, piece] of pieces.entries()) takeToolCall(piece, place, events)
  }

  /** Mistral writes content as a list of parts, thinking among them. */
  const takePart = (part: unknown, events: Array<Chat.Event>): void => {
    const fields = Json.record(part)
    if (fields?.["type"] === "text") speak(Json.string(fields["text"]) ?? "", events)
    if (fields?.["type"] === "thinking") {
      for (const piece of Json.array(fields["thinking"]))
        reflect(Json.string(Json.record(piece)?.["text"]) ?? "", events)
    }
  }

  const takeToolCall = (piece: unknown, place: number, events: Array<Chat.Event>): void => {
    const call = Json.record(piece)
    const fn = Json.record(call?.["function"])
    const args = fn?.["arguments"]
    const extra = Json.record(call?.["extra_content"])
    const event = calls.add({
      place: Json.number(call?.["index"]) ?? place,
      id: Json.nonEmpty(call?.["id"]),
      name: Json.nonEmpty(fn?.["name"]),
      // Some servers send the arguments parsed.
      delta:
        typeof args === "string"
          ? args
          : Json.record(args) === undefined
            ? ""
            : (Json.stringify(args) ?? "JSON nested too deep"),
      replay: extra === undefined ? undefined : { protocol: id, content: extra }
    })
    if (event !== undefined) events.push(event)
  }

  /** Reads one chunk of a stream, or a whole body, which has its `message` where a chunk has its `delta`. */
  const take = (chunk: Fields, raw: string, events: Array<Chat.Event>, part: "delta" | "message"): Protocol.Step => {
    if (answerId === undefined) answerId = Json.nonEmpty(chunk["id"])
    if (model === undefined) model = Json.nonEmpty(chunk["model"])
    const choices = chunk["choices"]
    const choice = Array.isArray(choices) ? Json.record(choices.find(isFirst)) : undefined
    if (choice !== undefined) {
      begun = true
      // Perplexity sends both: what is new, and all there is so far (recorded).
      const delta = Json.record(choice[part]) ?? Json.record(choice["delta"] ?? choice["message"])
      if (delta !== undefined) takeDelta(delta, events)
      const word = choice["finish_reason"]
      if (typeof word === "string" && word !== "") reason = word
    }
    const counts = chunk["usage"] ?? choice?.["usage"] ?? Json.record(chunk["x_groq"])?.["usage"]
    if (counts !== undefined && counts !== null) usage = decodeUsage(counts) ?? usage
    // OpenRouter reports an error beside the choices, so it is looked at last (recorded).
    return failed(chunk) ? { _tag: "Refused", body: raw } : "more"
  }

  const finish = (events: Array<Chat.Event>): Protocol.Step => {
    think?.end(events)
    if (!begun) return Fault.malformed("NotTheProtocol")
    if (reason !== undefined && brokenOff.has(reason)) return { _tag: "BrokenOff", code: reason }
    const why = finishReason(reason, calls.size() > 0)
    const whole = calls.finish(why)
    if (Fault.isFault(whole)) return whole
    for (const call of whole) events.push(call)
    events.push({
      _tag: "Finish",
      reason: why,
      rawReason: reason ?? "",
      usage: usage ?? unknownUsage,
      model,
      id: answerId,
      ...(refusal === "" ? undefined : { refusal }),
      ...(details.length === 0 ? undefined : { replay: { protocol: id, content: details } })
    })
    return "done"
  }

  return {
    step: (data, name, events) => {
      if (data === "[DONE]") return finish(events)
      if (name === "error") return { _tag: "Refused", body: data }
      if (data === "") return "more"
      const chunk = Json.record(Json.parse(data))
      return chunk === undefined ? Fault.malformed("NotTheProtocol", data) : take(chunk, data, events, "delta")
    },
    end: (events) => (reason === undefined ? Fault.cut() : finish(events)),
    whole: (fields, raw, events) => {
      const step = take(fields, raw, events, "message")
      return step === "more" ? finish(events) : step
    }
  }
}

const isFirst = (choice: unknown): boolean => {
  const index = Json.record(choice)?.["index"]
  return index === undefined || index === null || index === 0
}

/** `reasoning_content` wins where a server sends both (as in the Vercel AI SDK's tests). */
const reasoningOf = (delta: Fields): string | undefined => {
  const said = Json.nonEmpty(delta["reasoning_content"]) ?? Json.nonEmpty(delta["reasoning"])
  if (said !== undefined) return said
  const details = delta["reasoning_details"]
  if (!Array.isArray(details)) return undefined
  return details.map(detailText).join("")
}

const detailText = (detail: unknown): string => {
  const fields = Json.record(detail)
  return Json.string(fields?.["text"]) ?? Json.string(fields?.["summary"]) ?? ""
}

/** Pieces of one detail follow each other; the provider wants them back as one. */
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

/**
 * An `error` that says something, MiniMax's `base_resp` with a code other than 0, or a message where the choices should
 * be (vLLM, GLM).
 */
const failed = (chunk: Fields): boolean => {
  if (chunk["choices"] === undefined && ["message", "msg", "detail"].some((key) => chunk[key] !== undefined))
    return true
  const error = chunk["error"]
  if (error !== undefined && error !== null && error !== "") return true
  const code = Json.record(chunk["base_resp"])?.["status_code"]
  return typeof code === "number" && code !== 0
}

/** Finish reasons that are no finish: DeepSeek's, GLM's, and Mistral's and OpenRouter's, by their API docs. */
const brokenOff = new Set(["insufficient_system_resource", "network_error", "error"])

const finishReasons: ReadonlyMap<string, Chat.FinishReason> = new Map([
  ["stop", "stop"],
  ["eos", "stop"],
  ["end_turn", "stop"],
  ["length", "length"],
  ["max_tokens", "length"],
  ["model_length", "length"],
  // MiMo stops a model that repeats itself, in the middle of whatever it was at.
  ["repetition_truncation", "length"],
  ["tool_calls", "tool-calls"],
  ["function_call", "tool-calls"],
  ["content_filter", "content-filter"],
  ["sensitive", "content-filter"]
])

/** OpenAI says `stop` where a named tool was demanded and called. */
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

const decodeModel = (name: string, model: Fields): Protocol.Model => ({
  id: name,
  name: Json.nonEmpty(model["display_name"]) ?? Json.nonEmpty(model["name"]),
  ownedBy: Json.nonEmpty(model["owned_by"]),
  contextWindow: ["context_length", "context_window", "max_context_length", "max_model_len"]
    .map((field) => Json.number(model[field]))
    .find((count) => count !== undefined),
  created: Json.number(model["created"])
})

// ---------------------------------------------------------------------------------------------------------------------
// The protocol
// ---------------------------------------------------------------------------------------------------------------------

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
  decoder: () => decoder(dialect),
  modelsPath: "/models",
  decodeModels
})
