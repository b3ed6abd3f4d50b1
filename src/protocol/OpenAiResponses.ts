/**
 * OpenAI's `POST /responses`. Events, items and errors: its OpenAPI document and the types of its SDK (openai-node,
 * `src/resources/responses/responses.ts`).
 */
import type * as Chat from "../Chat.js"
import { unknownUsage } from "../chat/Event.js"
import * as Joiner from "../Joiner.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as Fault from "../refusal/Fault.js"
import * as Refusal from "../refusal/Refusal.js"
import * as OpenAiChat from "./OpenAiChat.js"
import { type Dialect, encode, id, unsupported } from "./OpenAiResponsesRequest.js"
import * as ToolCalls from "./ToolCalls.js"

export type { Dialect } from "./OpenAiResponsesRequest.js"

/**
 * OpenAI's Responses, as a host of this dialect speaks them. Default: as OpenAI does.
 *
 * @example
 * const protocol = OpenAiResponses.make({ replaysReasoning: false })
 */
export const make = (dialect: Dialect = {}): Protocol.Protocol => ({
  id,
  path: "/responses",
  headers: {},
  encode: (request, options) => encode(request, { ...options, dialect }),
  unsupported,
  decoder: () => new Decoder(),
  // The list has no wire of its own.
  modelsPath: "/models",
  decodeModels: OpenAiChat.make().decodeModels
})

// ---------------------------------------------------------------------------------------------------------------------
// Decode
// ---------------------------------------------------------------------------------------------------------------------

class Decoder implements Protocol.Decoder {
  /** Whether a response began. Without one there is no answer. */
  private begun = false
  private id: string | undefined
  private model: string | undefined
  /** How it ended, in the wire's word: its status, or why it is incomplete. */
  private reason: string | undefined
  private refusal = ""
  private usage = unknownUsage
  private readonly calls = ToolCalls.make(() => this.id)
  /** The answer's items in the order in which they began. Some go back with the conversation. */
  private readonly items: Array<Item> = []
  private readonly byId = new Map<string, Item>()
  /** The last item that began at each index. Some gateways change ids on the way, others give all items one index. */
  private readonly byIndex = new Map<unknown, Item>()
  /** Whether there was reasoning, so that the next part of it begins a paragraph. */
  private reasoned = false

  step(data: string, name: string, events: Array<Chat.Event>): Protocol.Step {
    if (name === "error") return refusedBy(Json.record(Json.parse(data)), data)
    if (data === "") return "more"
    // Some gateways end this wire as they end OpenAI's other one.
    if (data === "[DONE]") return this.finish(events)
    const event = Json.record(Json.parse(data))
    if (event === undefined) return Fault.malformed("NotTheProtocol", data)
    return this.take(Json.nonEmpty(event["type"]) ?? name, event, data, events)
  }

  /** Every event that ends an answer ends the stream. */
  end(): Protocol.Step {
    return Fault.cut()
  }

  decodeBody(body: Json.Fields, raw: string, events: Array<Chat.Event>): Protocol.Step {
    const status = Json.nonEmpty(body["status"]) ?? "completed"
    if (!ends.has(status) || (status !== "failed" && !Array.isArray(body["output"]))) {
      return Refusal.isIn(body) ? refusedBy(body, raw) : Fault.malformed("NotTheProtocol", raw)
    }
    return this.takeEnd(status, body, raw, events)
  }

  private take(type: string, event: Json.Fields, raw: string, events: Array<Chat.Event>): Protocol.Step {
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        this.takeResponse(Json.record(event["response"]))
        return "more"
      case "response.output_item.added":
        this.takeItem(event["output_index"], Json.record(event["item"]))
        return "more"
      case "response.output_text.delta":
        this.emitText(this.itemOf(event, "message"), `text ${at(event["content_index"])}`, event["delta"], events)
        return "more"
      case "response.refusal.delta":
        this.takeRefusal(this.itemOf(event, "message"), `refusal ${at(event["content_index"])}`, event["delta"])
        return "more"
      case "response.reasoning_summary_text.delta":
        this.emitReasoning(
          this.itemOf(event, "reasoning"),
          `summary ${at(event["summary_index"])}`,
          event["delta"],
          events
        )
        return "more"
      case "response.reasoning_text.delta":
        this.emitReasoning(
          this.itemOf(event, "reasoning"),
          `content ${at(event["content_index"])}`,
          event["delta"],
          events
        )
        return "more"
      case "response.function_call_arguments.delta":
        this.emitToolCall(this.itemOf(event, "function_call"), Json.string(event["delta"]) ?? "", events)
        return "more"
      case "response.output_item.done":
        this.takeDone(event["output_index"], Json.record(event["item"]), events)
        return "more"
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        return this.takeEnd(type.slice("response.".length), Json.record(event["response"]) ?? {}, raw, events)
      case "error":
        return refusedBy(event, raw)
      default:
        return Refusal.isIn(event) ? refusedBy(event, raw) : "more"
    }
  }

  private takeResponse(response: Json.Fields | undefined): void {
    this.begun = true
    this.id = Json.nonEmpty(response?.["id"]) ?? this.id
    this.model = Json.nonEmpty(response?.["model"]) ?? this.model
    this.usage = decodeUsage(response?.["usage"]) ?? this.usage
  }

  private takeItem(index: unknown, fields: Json.Fields | undefined): void {
    if (fields === undefined) return
    const item = this.beginItem(index, fields)
    if (item.isCall()) this.addToCall(item, "")
  }

  private beginItem(index: unknown, fields: Json.Fields): Item {
    this.begun = true
    const item = new Item(this.items.length, fields)
    this.items.push(item)
    this.byIndex.set(index, item)
    const itemId = Json.nonEmpty(fields["id"])
    if (itemId !== undefined) this.byId.set(itemId, item)
    return item
  }

  /** The item that a delta belongs to; a new one if the stream did not say that it began. */
  private itemOf(event: Json.Fields, type: string): Item {
    const index = event["output_index"]
    return this.known(event["item_id"], index, type) ?? this.beginItem(index, { type })
  }

  private known(itemId: unknown, index: unknown, type: unknown): Item | undefined {
    const named = typeof itemId === "string" ? this.byId.get(itemId) : undefined
    const item = named ?? this.byIndex.get(index)
    return item?.type() === type ? item : undefined
  }

  /** An item is complete. Its parts are new only if their deltas did not come. */
  private takeDone(index: unknown, fields: Json.Fields | undefined, events: Array<Chat.Event>): void {
    if (fields === undefined) return
    const known = this.known(fields["id"], index, fields["type"])
    if (known?.isAgain(fields)) return
    const item = known === undefined || known.isDone() ? this.beginItem(index, fields) : known
    item.end(fields)
    switch (fields["type"]) {
      case "message":
        for (const [place, part] of Json.array(fields["content"]).entries()) this.takePart(item, place, part, events)
        break
      case "reasoning":
        for (const list of ["summary", "content"]) {
          for (const [place, part] of Json.array(fields[list]).entries()) {
            const name = `${list} ${place}`
            if (!item.has(name)) this.emitReasoning(item, name, Json.record(part)?.["text"], events)
          }
        }
        break
      case "function_call":
        this.emitToolCall(item, item.hasArguments() ? "" : ToolCalls.argumentsOf(fields["arguments"]), events)
    }
  }

  private takePart(item: Item, place: number, part: unknown, events: Array<Chat.Event>): void {
    const fields = Json.record(part)
    if (!item.has(`text ${place}`)) this.emitText(item, `text ${place}`, fields?.["text"], events)
    if (!item.has(`refusal ${place}`)) this.takeRefusal(item, `refusal ${place}`, fields?.["refusal"])
  }

  private takeRefusal(item: Item, part: string, text: unknown): void {
    if (typeof text !== "string" || text === "") return
    item.say(part)
    this.refusal += text
  }

  /** Reads the output only if no item came before: in a whole body, and in a stream that says nothing but its end. */
  private takeEnd(status: string, response: Json.Fields, raw: string, events: Array<Chat.Event>): Protocol.Step {
    this.takeResponse(response)
    if (Refusal.isIn(response)) return errorOf(response, raw)
    if (status === "failed") return { _tag: "BrokenOff", code: status, reason: "ServerError" }
    if (this.items.length === 0) {
      for (const [index, item] of Json.array(response["output"]).entries()) {
        this.takeDone(index, Json.record(item), events)
      }
    }
    const details = status === "incomplete" ? Json.record(response["incomplete_details"]) : undefined
    this.reason = Json.nonEmpty(details?.["reason"]) ?? status
    return this.finish(events)
  }

  private emitText(item: Item, part: string, text: unknown, events: Array<Chat.Event>): void {
    if (typeof text !== "string" || text === "") return
    item.say(part)
    item.grow(text)
    events.push({ _tag: "TextDelta", text })
  }

  /** The parts of a summary are paragraphs without a line break at their end. */
  private emitReasoning(item: Item, part: string, text: unknown, events: Array<Chat.Event>): void {
    if (typeof text !== "string" || text === "") return
    const isNext = this.reasoned && !item.has(part)
    item.say(part)
    this.reasoned = true
    events.push({ _tag: "ReasoningDelta", text: isNext ? `\n\n${text}` : text })
  }

  private emitToolCall(item: Item, delta: string, events: Array<Chat.Event>): void {
    item.growArguments(delta)
    const event = this.addToCall(item, delta)
    if (event !== undefined) events.push(event)
  }

  private addToCall(item: Item, delta: string): Chat.Event | undefined {
    return this.calls.add({ place: item.place, id: item.callId(), name: item.name(), delta })
  }

  private finish(events: Array<Chat.Event>): Protocol.Step {
    if (!this.begun) return Fault.malformed("NotTheProtocol")
    const reason = finishReason(this.reason, this.calls.size() > 0)
    const calls = this.calls.finish(reason)
    if (Fault.isFault(calls)) return calls
    for (const call of calls) events.push(call)
    const replay = this.items.some((item) => item.needsReplay()) ? this.replay() : []
    events.push({
      _tag: "Finish",
      reason,
      rawReason: this.reason ?? "",
      usage: this.usage,
      model: this.model,
      id: this.id,
      ...(this.refusal === "" ? undefined : { refusal: this.refusal }),
      ...(replay.length === 0 ? undefined : { replay: { protocol: id, content: replay } })
    })
    return "done"
  }

  /**
   * A call that was cut off is left out, because no result will follow it. So is reasoning with nothing behind it:
   * "provided without its required following item" is a 400 (openai-node issue 1567, vercel/ai issue 7099).
   */
  private replay(): ReadonlyArray<Json.Fields> {
    const content = this.items.flatMap((item) => {
      if (!item.isCall()) return item.replay()
      const callId = this.calls.idAt(item.place)
      return callId === undefined ? [] : item.replay().map((fields) => ({ ...fields, call_id: callId }))
    })
    while (content.at(-1)?.["type"] === "reasoning") content.pop()
    return content
  }
}

/** Statuses of a body with an answer or an error. The others are queued, in progress and cancelled. */
const ends: ReadonlySet<string> = new Set(["completed", "incomplete", "failed"])

/** The event may itself be the error. Then its type, which is `error`, must not be taken for the server's code. */
const refusedBy = (event: Json.Fields | undefined, raw: string): Fault.Fault => {
  const flat = event?.["type"] === "error" && !Refusal.isIn(event)
  return { _tag: "Refused", body: flat ? (Json.stringify({ ...event, type: undefined }) ?? raw) : raw }
}

/** Only the error of a response that failed, because the rest of it repeats the request. */
const errorOf = ({ error }: Json.Fields, raw: string): Fault.Fault => ({
  _tag: "Refused",
  body: error ? (Json.stringify({ error }) ?? raw) : raw
})

/** The number of a part; 0 if it is not a number. */
const at = (index: unknown): number => Json.number(index) ?? 0

// ---------------------------------------------------------------------------------------------------------------------
// Replay
// ---------------------------------------------------------------------------------------------------------------------

/** An item of the answer: a message, reasoning, a call, or what the server did by itself. */
class Item {
  /** As it began, and then as it was when it was done. */
  private fields: Json.Fields
  private done = false
  /** Parts of which something came. */
  private readonly said = new Set<string>()
  /** Its text so far. */
  private readonly text = Joiner.make()
  /** The arguments of a call so far. */
  private args = ""

  constructor(
    /** Counted from 0 in the order of the answer. */
    readonly place: number,
    fields: Json.Fields
  ) {
    this.fields = fields
  }

  type(): unknown {
    return this.fields["type"]
  }

  isCall(): boolean {
    return this.type() === "function_call"
  }

  /** The id that its result repeats. `id` is the item's own, and stands in where a gateway sends no other. */
  callId(): string | undefined {
    return Json.nonEmpty(this.fields["call_id"]) ?? Json.nonEmpty(this.fields["id"])
  }

  name(): string | undefined {
    return Json.nonEmpty(this.fields["name"])
  }

  /** Replaces the item by what it is when it is done: at its beginning, encrypted content may be incomplete (SDK). */
  end(fields: Json.Fields): void {
    this.fields = this.isCall() ? { ...this.fields, ...fields } : fields
    this.done = true
  }

  isDone(): boolean {
    return this.done
  }

  /** Whether this item was done before. */
  isAgain(fields: Json.Fields): boolean {
    const itemId = Json.nonEmpty(fields["id"])
    return this.done && itemId !== undefined && itemId === this.fields["id"]
  }

  has(part: string): boolean {
    return this.said.has(part)
  }

  say(part: string): void {
    this.said.add(part)
  }

  grow(text: string): void {
    this.text.add(text)
  }

  growArguments(json: string): void {
    this.args += json
  }

  hasArguments(): boolean {
    return this.args !== ""
  }

  /** Whether there is more in it than a text or a call. */
  needsReplay(): boolean {
    const { caller, content, namespace, phase, type } = this.fields
    if (type === "function_call") return isThere(caller) || isThere(namespace)
    return type !== "message" || isThere(phase) || Json.array(content).some(saysMore)
  }

  /** As it is sent back. Of what was never done, only the text or the call so far; nobody could read the rest. */
  replay(): ReadonlyArray<Json.Fields> {
    const type = this.type()
    if (!this.done) {
      const text = this.text.join()
      if (type === "message") return text === "" ? [] : [{ role: "assistant", content: text }]
      return this.isCall() ? [{ type, name: this.name(), arguments: this.args }] : []
    }
    // A request does not accept who created an item (openai-node, `ResponseInputItems`).
    const { created_by: _, ...fields } = this.fields
    return [this.isCall() ? { ...fields, arguments: this.args } : fields]
  }
}

const isThere = (value: unknown): boolean => value !== undefined && value !== null

const saysMore = (part: unknown): boolean => {
  const fields = Json.record(part)
  return fields?.["type"] !== "output_text" || Json.array(fields["annotations"]).length > 0
}

// ---------------------------------------------------------------------------------------------------------------------
// The end
// ---------------------------------------------------------------------------------------------------------------------

const finishReasons: ReadonlyMap<string, Chat.FinishReason> = new Map([
  ["completed", "stop"],
  ["max_output_tokens", "length"],
  // The example of the OpenAPI document.
  ["max_tokens", "length"],
  ["content_filter", "content-filter"]
])

/** An answer that ends with calls is `completed`, too. */
const finishReason = (word: string | undefined, hasCalls: boolean): Chat.FinishReason => {
  const reason = word === undefined ? "other" : (finishReasons.get(word) ?? "other")
  return hasCalls && (word === undefined || reason === "stop") ? "tool-calls" : reason
}

const decodeUsage = (value: unknown): Chat.Usage | undefined => {
  const counts = Json.record(value)
  if (counts === undefined) return undefined
  return {
    inputTokens: Json.number(counts["input_tokens"]),
    outputTokens: Json.number(counts["output_tokens"]),
    totalTokens: Json.number(counts["total_tokens"]),
    cachedInputTokens: Json.number(Json.record(counts["input_tokens_details"])?.["cached_tokens"]),
    reasoningTokens: Json.number(Json.record(counts["output_tokens_details"])?.["reasoning_tokens"])
  }
}
