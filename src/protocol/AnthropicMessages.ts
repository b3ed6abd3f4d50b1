/**
 * Anthropic's `POST /v1/messages`, as it, MiMo, DeepSeek, MiniMax and GLM speak it.
 */
import * as Chat from "../Chat.js"
import * as Fault from "../Fault.js"
import * as Joiner from "../Joiner.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as ToolCalls from "../ToolCalls.js"
import { encode, id } from "./AnthropicMessagesRequest.js"

type Fields = { readonly [key: string]: unknown }

// ---------------------------------------------------------------------------------------------------------------------
// Decode
// ---------------------------------------------------------------------------------------------------------------------

interface Block {
  readonly fields: Record<string, unknown>
  /** Thinking or text, as it grows. */
  readonly text: Joiner.Joiner
  signature: string
  json: string
  readonly citations: Array<unknown>
}

const decoder = (): Protocol.Decoder & {
  readonly body: (message: Fields, raw: string, events: Array<Chat.Event>) => Protocol.Step
} => {
  const calls = ToolCalls.make(() => answerId)
  const blocks: Array<Block> = []
  const byIndex = new Map<unknown, Block>()
  let begun = false
  let answerId: string | undefined
  let model: string | undefined
  let reason: string | undefined
  const usage: Record<string, number> = {}

  const startMessage = (message: Fields | undefined): Protocol.Step => {
    const newId = Json.nonEmpty(message?.["id"])
    if (begun && newId !== undefined && newId !== answerId) return Fault.malformed("NotTheProtocol")
    begun = true
    answerId = newId
    model = Json.nonEmpty(message?.["model"])
    count(message?.["usage"])
    return "more"
  }

  /** Counts grow more exact as the answer goes on; one that is left out keeps its value. */
  const count = (counts: unknown): void => {
    const fields = Json.record(counts) ?? {}
    const thinking = Json.record(fields["output_tokens_details"])
    for (const [key, value] of [...Object.entries(fields), ...Object.entries(thinking ?? {})]) {
      if (typeof value === "number") usage[key] = value
    }
  }

  const startBlock = (index: unknown, fields: Fields | undefined, events: Array<Chat.Event>): void => {
    if (fields === undefined) return
    const block: Block = { fields: { ...fields }, text: Joiner.make(), signature: "", json: "", citations: [] }
    blocks.push(block)
    byIndex.set(index, block)
    if (fields["type"] === "text") {
      grow(block, "TextDelta", fields["text"], events)
      block.citations.push(...Json.array(fields["citations"]))
    }
    if (fields["type"] === "thinking") {
      grow(block, "ReasoningDelta", fields["thinking"], events)
      block.signature = Json.string(fields["signature"]) ?? ""
    }
    if (fields["type"] === "tool_use") {
      const input = Json.record(fields["input"])
      const whole =
        input === undefined || Object.keys(input).length === 0 ? "" : (Json.stringify(input) ?? "JSON nested too deep")
      growCall(block, index, whole, events)
    }
  }

  const grow = (block: Block, _tag: "TextDelta" | "ReasoningDelta", text: unknown, events: Array<Chat.Event>): void => {
    if (typeof text !== "string" || text === "") return
    block.text.add(text)
    events.push({ _tag, text })
  }

  const growCall = (block: Block, index: unknown, delta: string, events: Array<Chat.Event>): void => {
    block.json += delta
    const place = Json.number(index) ?? blocks.length
    const event = calls.add({
      place,
      id: Json.nonEmpty(block.fields["id"]),
      name: Json.nonEmpty(block.fields["name"]),
      delta
    })
    if (event !== undefined) events.push(event)
  }

  const growBlock = (index: unknown, delta: Fields | undefined, events: Array<Chat.Event>): void => {
    if (delta === undefined) return
    if (!byIndex.has(index))
      startBlock(index, { type: delta["type"] === "thinking_delta" ? "thinking" : "text" }, events)
    const block = byIndex.get(index)
    if (block === undefined) return
    switch (delta["type"]) {
      case "text_delta":
        grow(block, "TextDelta", delta["text"], events)
        break
      case "thinking_delta":
        grow(block, "ReasoningDelta", delta["thinking"], events)
        break
      case "signature_delta":
        block.signature += Json.string(delta["signature"]) ?? ""
        break
      case "citations_delta":
        block.citations.push(delta["citation"])
        break
      case "input_json_delta": {
        const json = Json.string(delta["partial_json"]) ?? ""
        // The tools that the server runs itself are no calls of the program's; they only go into the replay.
        if (block.fields["type"] === "tool_use") growCall(block, index, json, events)
        else block.json += json
      }
    }
  }

  const finish = (events: Array<Chat.Event>): Protocol.Step => {
    if (!begun) return Fault.malformed("NotTheProtocol")
    const why = finishReason(reason, calls.size() > 0)
    const whole = calls.finish(why)
    if (Fault.isFault(whole)) return whole
    // A call that was cut off is none, and gets no result that could follow it.
    const called = new Set(whole.map((event) => ("id" in event ? event.id : undefined)))
    const kept = blocks.filter(({ fields: { id, type } }) => type !== "tool_use" || !id || called.has(String(id)))
    events.push(...whole, {
      _tag: "Finish",
      reason: why,
      rawReason: reason ?? "",
      usage: decodeUsage(usage),
      model,
      id: answerId,
      ...(kept.some(needsReplay) ? { replay: { protocol: id, content: kept.flatMap(replay) } } : undefined)
    })
    return "done"
  }

  const stop = (delta: Fields | undefined): void => {
    reason = Json.nonEmpty(delta?.["stop_reason"]) ?? reason
  }

  return {
    step: (data, name, events) => {
      if (name === "error") return { _tag: "Refused", body: data }
      if (data === "" || name === "ping") return "more"
      // Some gateways end this wire as they end OpenAI's.
      if (data === "[DONE]") return finish(events)
      const event = Json.record(Json.parse(data))
      if (event === undefined) return Fault.malformed("NotTheProtocol", data)
      switch (event["type"]) {
        case "message_start":
          return startMessage(Json.record(event["message"]))
        case "content_block_start":
          startBlock(event["index"], Json.record(event["content_block"]), events)
          return "more"
        case "content_block_delta":
          growBlock(event["index"], Json.record(event["delta"]), events)
          return "more"
        case "message_delta":
          stop(Json.record(event["delta"]))
          count(event["usage"])
          return "more"
        case "message_stop":
          return finish(events)
        case "error":
          return { _tag: "Refused", body: data }
        default:
          return failed(event) ? { _tag: "Refused", body: data } : "more"
      }
    },
    end: (events) => (reason === undefined ? Fault.cut() : finish(events)),
    body: (message, raw, events) => {
      if (message["type"] === "error" || failed(message)) return { _tag: "Refused", body: raw }
      if (!Array.isArray(message["content"])) return Fault.malformed("NotTheProtocol", raw)
      startMessage(message)
      for (const [index, block] of message["content"].entries()) startBlock(index, Json.record(block), events)
      stop(message)
      return finish(events)
    }
  }
}

const decodeBody = (text: string): ReadonlyArray<Chat.Event> | Fault.Fault => {
  const message = Json.record(Json.parse(text))
  if (message === undefined) return Fault.malformed("NotTheProtocol", text)
  const events: Array<Chat.Event> = []
  const step = decoder().body(message, text, events)
  return Fault.isFault(step) ? step : events
}

const failed = (fields: Fields): boolean => {
  const code = Json.record(fields["base_resp"])?.["status_code"]
  const error = Json.record(fields["error"]) ?? Json.nonEmpty(fields["error"])
  return error !== undefined || (typeof code === "number" && code !== 0)
}

/** Text and tool calls say all there is to say of themselves; everything else must go back as it came. */
const needsReplay = (block: Block): boolean =>
  (block.fields["type"] !== "text" && block.fields["type"] !== "tool_use") || block.citations.length > 0

/** An empty text block is a 400. */
const replay = (block: Block): ReadonlyArray<Fields> => {
  switch (block.fields["type"]) {
    case "text": {
      const text = block.text.join()
      const citations = block.citations.length === 0 ? undefined : block.citations
      return text === "" ? [] : [Json.defined({ ...block.fields, text, citations })]
    }
    case "thinking":
      return [{ ...block.fields, thinking: block.text.join(), signature: block.signature }]
    default: {
      if (block.json === "") return [block.fields]
      const input = Json.parseHandedOn(block.json)
      return input === undefined ? [] : [{ ...block.fields, input }]
    }
  }
}

const finishReasons: ReadonlyMap<string, Chat.FinishReason> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool-calls"],
  ["refusal", "content-filter"],
  ["pause_turn", "pause"]
])

const finishReason = (word: string | undefined, hasCalls: boolean): Chat.FinishReason =>
  word === undefined ? (hasCalls ? "tool-calls" : "other") : (finishReasons.get(word) ?? "other")

/** `input_tokens` leaves the cached ones out on this wire; ours includes them. */
const decodeUsage = (counts: { readonly [key: string]: number }): Chat.Usage => {
  const { cache_creation_input_tokens: written, cache_read_input_tokens: cached, input_tokens: fresh } = counts
  return {
    ...Chat.unknownUsage,
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

const decodeModel = (name: string, model: Fields): Protocol.Model => {
  const created = Date.parse(Json.string(model["created_at"]) ?? "")
  return {
    id: name,
    name: Json.nonEmpty(model["display_name"]),
    ownedBy: Json.nonEmpty(model["owned_by"]),
    contextWindow: Json.number(model["context_window"]) ?? Json.number(model["max_input_tokens"]),
    created: Number.isNaN(created) ? Json.number(model["created"]) : created / 1000
  }
}

export const AnthropicMessages: Protocol.Protocol = {
  id,
  path: "/v1/messages",
  headers: { "anthropic-version": "2023-06-01" },
  encode,
  decoder,
  decodeBody,
  modelsPath: "/v1/models?limit=1000",
  decodeModels
}
