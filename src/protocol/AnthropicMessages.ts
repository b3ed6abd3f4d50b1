/**
 * Anthropic's `POST /v1/messages`, as it, MiMo, DeepSeek, MiniMax and GLM speak it.
 */
import type * as Chat from "../Chat.js"
import { unknownUsage } from "../chat/Event.js"
import * as Joiner from "../Joiner.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as Fault from "../refusal/Fault.js"
import { type Dialect, encode, id, unsupported } from "./AnthropicMessagesRequest.js"
import * as ToolCalls from "./ToolCalls.js"

type Fields = { readonly [key: string]: unknown }

// ---------------------------------------------------------------------------------------------------------------------
// Decode
// ---------------------------------------------------------------------------------------------------------------------

interface Block {
  /** Counted from 0 in the order of the answer. */
  readonly place: number
  readonly fields: Record<string, unknown>
  /** Fields of text, as they grow. */
  readonly grown: Map<string, Joiner.Joiner>
  /** The input of a tool, as it grows. */
  json: string
  readonly citations: Array<unknown>
}

const decoder = (): Protocol.Decoder => {
  const calls = ToolCalls.make(() => answerId)
  const blocks: Array<Block> = []
  const byIndex = new Map<unknown, Block>()
  let begun = false
  let answerId: string | undefined
  let model: string | undefined
  let reason: string | undefined
  let refusal: string | undefined
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
    const block = sameCall(byIndex.get(index), fields) ?? addBlock(index, fields)
    switch (fields["type"]) {
      case "text":
        speak(block, fields["text"], events)
        for (const citation of Json.array(fields["citations"])) block.citations.push(citation)
        break
      case "thinking":
        reflect(block, fields["thinking"], events)
        break
      case "tool_use": {
        const input = Json.record(fields["input"])
        const whole =
          input === undefined || Object.keys(input).length === 0
            ? ""
            : (Json.stringify(input) ?? "JSON nested too deep")
        growCall(block, whole, events)
      }
    }
  }

  const addBlock = (index: unknown, fields: Fields): Block => {
    const block = { place: blocks.length, fields: { ...fields }, grown: new Map(), json: "", citations: [] }
    blocks.push(block)
    byIndex.set(index, block)
    return block
  }

  const speak = (block: Block, text: unknown, events: Array<Chat.Event>): void => {
    if (typeof text !== "string" || text === "") return
    grow(block, "text", text)
    events.push({ _tag: "TextDelta", text })
  }

  const reflect = (block: Block, text: unknown, events: Array<Chat.Event>): void => {
    if (typeof text !== "string" || text === "") return
    grow(block, "thinking", text)
    events.push({ _tag: "ReasoningDelta", text })
  }

  const growCall = (block: Block, delta: string, events: Array<Chat.Event>): void => {
    block.json += delta
    const event = calls.add({
      place: block.place,
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
        speak(block, delta["text"], events)
        break
      case "thinking_delta":
        reflect(block, delta["thinking"], events)
        break
      case "citations_delta":
        block.citations.push(delta["citation"])
        break
      case "input_json_delta": {
        const json = Json.string(delta["partial_json"]) ?? ""
        // The tools that the server runs itself are no calls of the program's; they only go into the replay.
        if (block.fields["type"] === "tool_use") growCall(block, json, events)
        else block.json += json
        break
      }
      default:
        keep(block, delta)
    }
  }

  const finish = (events: Array<Chat.Event>): Protocol.Step => {
    if (!begun) return Fault.malformed("NotTheProtocol")
    const why = finishReason(reason, calls.size() > 0)
    const whole = calls.finish(why)
    if (Fault.isFault(whole)) return whole
    for (const call of whole) events.push(call)
    events.push({
      _tag: "Finish",
      reason: why,
      rawReason: reason ?? "",
      usage: decodeUsage(usage),
      model,
      id: answerId,
      ...(refusal === undefined ? undefined : { refusal }),
      ...replayed()
    })
    return "done"
  }

  /** What must go back. A call that was cut off is none, and gets no result that could follow it. */
  const replayed = (): Pick<Chat.Finish, "replay"> => {
    if (!blocks.some(needsReplay)) return {}
    const content = blocks.flatMap((block) => {
      if (block.fields["type"] !== "tool_use") return replay(block)
      const id = calls.idAt(block.place)
      return id === undefined ? [] : replay(block).map((fields) => ({ ...fields, id }))
    })
    return { replay: { protocol: id, content } }
  }

  const stop = (fields: Fields | undefined): void => {
    reason = Json.nonEmpty(fields?.["stop_reason"]) ?? reason
    refusal = Json.nonEmpty(Json.record(fields?.["stop_details"])?.["explanation"]) ?? refusal
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
    whole: (message, raw, events) => {
      if (message["type"] === "error" || failed(message)) return { _tag: "Refused", body: raw }
      if (!Array.isArray(message["content"])) return Fault.malformed("NotTheProtocol", raw)
      startMessage(message)
      for (const [index, block] of message["content"].entries()) startBlock(index, Json.record(block), events)
      stop(message)
      return finish(events)
    }
  }
}

const failed = (fields: Fields): boolean => {
  const code = Json.record(fields["base_resp"])?.["status_code"]
  const error = Json.record(fields["error"]) ?? Json.nonEmpty(fields["error"])
  return error !== undefined || (typeof code === "number" && code !== 0)
}

/** The block, if it is a call and these fields begin that call once more. */
const sameCall = (block: Block | undefined, { id, type }: Fields): Block | undefined =>
  type === "tool_use" && block?.fields["type"] === type && block.fields["id"] === id ? block : undefined

/** Adds text to a field of a block. */
const grow = (block: Block, field: string, text: string): void => {
  const before = block.grown.get(field)
  if (before !== undefined) return before.add(text)
  const joiner = Joiner.make()
  joiner.add(text)
  block.grown.set(field, joiner)
}

/**
 * A delta of another kind, also one of tomorrow: its text is added to the block's, its lists to the block's, and any
 * other value takes the place of the one before.
 */
const keep = (block: Block, delta: Fields): void => {
  if (!goesBackWhole(block)) return
  for (const [field, value] of Object.entries(delta)) {
    const before = block.fields[field]
    if (field === "type" || field === "__proto__" || (value === null && before !== undefined)) continue
    if (typeof value === "string" && !comesWhole.has(field)) {
      if (!block.grown.has(field) && typeof before === "string") grow(block, field, before)
      grow(block, field, value)
    } else if (Array.isArray(before) && Array.isArray(value)) for (const item of value) before.push(item)
    else block.fields[field] = value
  }
}

/** Opaque, and whole in every `compaction_delta` (Anthropic's SDK). */
const comesWhole: ReadonlySet<string> = new Set(["encrypted_content"])

/** Text and tool calls say all there is to say of themselves; everything else must go back as it came. */
const goesBackWhole = ({ fields: { type } }: Block): boolean => type !== "text" && type !== "tool_use"

const needsReplay = (block: Block): boolean => goesBackWhole(block) || block.citations.length > 0

/** An empty text block is a 400. */
const replay = (block: Block): ReadonlyArray<Fields> => {
  const grown = Array.from(block.grown, ([field, text]) => [field, text.join()] as const)
  const fields: Fields = { ...block.fields, ...Object.fromEntries(grown) }
  switch (fields["type"]) {
    case "text": {
      const citations = block.citations.length === 0 ? undefined : block.citations
      return block.grown.has("text") ? [Json.defined({ ...fields, citations })] : []
    }
    case "thinking":
      return [
        {
          ...fields,
          thinking: Json.string(fields["thinking"]) ?? "",
          signature: Json.string(fields["signature"]) ?? ""
        }
      ]
    default: {
      if (block.json === "") return [fields]
      const input = Json.parseHandedOn(block.json)
      return input === undefined ? [] : [{ ...fields, input }]
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
  ["pause_turn", "pause"],
  // What came so far was summed up, and the conversation goes on from there (compaction docs).
  ["compaction", "pause"]
])

const finishReason = (word: string | undefined, hasCalls: boolean): Chat.FinishReason =>
  word === undefined ? (hasCalls ? "tool-calls" : "other") : (finishReasons.get(word) ?? "other")

/** `input_tokens` leaves the cached ones out on this wire; ours includes them. */
const decodeUsage = (counts: { readonly [key: string]: number }): Chat.Usage => {
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

// ---------------------------------------------------------------------------------------------------------------------
// The protocol
// ---------------------------------------------------------------------------------------------------------------------

export type { Dialect } from "./AnthropicMessagesRequest.js"

/**
 * Anthropic's wire, as a host of this dialect speaks it. Default: the oldest version, which every host takes.
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
    decoder,
    modelsPath: "/v1/models?limit=1000",
    decodeModels
  }
}
