/**
 * OpenAI's Responses: a request as their body.
 */
import type * as Chat from "../Chat.js"
import * as Message from "../chat/Message.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as CallIds from "./CallIds.js"
import { strictly } from "./OpenAiChatRequest.js"
import * as Subset from "./Subset.js"
import * as ToolCalls from "./ToolCalls.js"

/** The id of this wire. It can read the replays that carry it. */
export const id = "openai-responses"

/** How a host departs from OpenAI's Responses. Every field is optional; the norm is what OpenAI does. */
export interface Dialect {
  /**
   * Asks for encrypted reasoning (`include`) and sends it back. A model that does not reason rejects both with a 400.
   * Default: unless the model's name is one of OpenAI's that do not reason: GPT-4 and older, and those with `-chat`.
   */
  readonly replaysReasoning?: boolean | undefined
  /** Fields that every request of this host carries, unless the request sets them. */
  readonly defaults?: Protocol.Body | undefined
}

interface Options extends Protocol.EncodeOptions {
  readonly dialect: Dialect
}

export const encode = (request: Chat.Request, options: Options): Protocol.Body => {
  const { dialect, model, stream } = options
  // The program keeps the history, so the server need not.
  const given: Protocol.Body = { store: false, ...dialect.defaults, ...request.extra }
  const reasons = dialect.replaysReasoning ?? !knownNotToReason.test(model)
  const isKept: IsKept = (item) => item["type"] !== "reasoning" || (reasons && canBeRead(item, given))
  return {
    ...given,
    ...Json.defined({
      model,
      input: encodeMessages([...inWords(request.output), ...request.messages], isKept),
      stream,
      include: encodeInclude(given["include"], reasons),
      tools: request.tools === undefined || request.tools.length === 0 ? undefined : request.tools.map(encodeTool),
      tool_choice: ToolCalls.possible(request, dialect.defaults) ? encodeToolChoice(request.toolChoice) : undefined,
      max_output_tokens: request.maxTokens,
      temperature: request.temperature,
      top_p: request.topP,
      // The wire has no such field. It is written so that `unsupported` finds it.
      stop: request.stop === undefined || request.stop.length === 0 ? undefined : request.stop,
      // Replaces `user`, which is deprecated (openai-node, `ResponseCreateParams`).
      safety_identifier: request.user,
      text: encodeOutput(request.output, given["text"]),
      reasoning: encodeReasoning(request.reasoning, given["reasoning"])
    })
  }
}

/**
 * "Encrypted content is not supported with this model", a 400 (pydantic-ai issues 2865 and 3326): `gpt-4o`,
 * `openai/gpt-4.1`, `ft:gpt-4o:…`, `gpt-5-chat-latest`.
 */
const knownNotToReason = /(^|[/:])(gpt-[34]|chatgpt)|-chat(-|$)/i

const encodeInclude = (given: unknown, reasons: boolean): unknown =>
  reasons ? Array.from(new Set([...Json.array(given), "reasoning.encrypted_content"])) : undefined

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

/** Whether an item of an earlier answer can go back. */
type IsKept = (item: Json.Fields) => boolean

/** "Items are not persisted when `store` is set to false" (bifrost issue 5410): then it must be there, encrypted. */
const canBeRead = (reasoning: Json.Fields, { store }: Protocol.Body): boolean =>
  store !== false || Json.nonEmpty(reasoning["encrypted_content"]) !== undefined

/** A call, its result and the reasoning before it are separate items on this wire. */
const encodeMessages = (messages: ReadonlyArray<Chat.Message>, isKept: IsKept): ReadonlyArray<unknown> => {
  const ids = CallIds.make(written, longest)
  return messages
    .filter((message) => message.role !== "system" || message.content.trim() !== "")
    .flatMap((message) => encodeMessage(message, ids, isKept))
}

/** `call_id` has 1 to 64 characters (OpenAPI document). */
const longest = 64
const written = (id: string): string => (id === "" ? "call" : id)

const encodeMessage = (message: Chat.Message, ids: CallIds.CallIds, isKept: IsKept): ReadonlyArray<unknown> => {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }]
    case "user":
      return [{ role: "user", content: encodeContent(message.content) }]
    case "assistant":
      return encodeAssistant(message, ids, isKept)
    case "tool":
      return [encodeToolResult(message, ids)]
    default:
      throw new TypeError("a message has a role that there is not")
  }
}

/** What has to be replayed is sent exactly as it came, except for ids that this wire does not accept. */
const encodeAssistant = (
  message: Chat.AssistantMessage,
  ids: CallIds.CallIds,
  isKept: IsKept
): ReadonlyArray<unknown> => {
  if (message.replay?.protocol === id) {
    return Json.array(message.replay.content).flatMap((item) => {
      const fields = Json.record(item)
      return fields === undefined || !isKept(fields) ? [] : [encodeReplayed(fields, ids)]
    })
  }
  const { content } = message
  const text = typeof content === "string" ? content : content.map(({ text }) => text).join("")
  const calls = (message.toolCalls ?? []).map((call) => encodeToolCall(call, ids))
  return text === "" ? calls : [{ role: "assistant", content: text }, ...calls]
}

const encodeToolCall = (call: Chat.ToolCall, ids: CallIds.CallIds): Json.Fields => ({
  type: "function_call",
  call_id: ids.ofCall(call.id),
  name: call.name,
  arguments: JSON.stringify(call.input ?? {})
})

/** Reasoning without a `summary` is a 400, even if there is nothing in it (Agora issue 141). */
const encodeReplayed = (item: Json.Fields, ids: CallIds.CallIds): Json.Fields =>
  item["type"] === "function_call"
    ? { ...item, call_id: ids.ofCall(Json.string(item["call_id"]) ?? "") }
    : item["type"] === "reasoning"
      ? { summary: [], ...item }
      : item

/** On this wire the result of a call may contain pictures. */
const encodeToolResult = (message: Chat.ToolMessage, ids: CallIds.CallIds): Json.Fields => ({
  type: "function_call_output",
  call_id: ids.ofResult(message.toolCallId),
  output: encodeContent(message.content)
})

const encodeContent = (content: string | ReadonlyArray<Chat.Part>): unknown =>
  typeof content === "string" ? content : content.map(encodePart)

const encodePart = (part: Chat.Part): Json.Fields =>
  part.type === "text"
    ? { type: "input_text", text: part.text }
    : { type: "input_image", image_url: encodeImage(part.source), detail: "auto" }

const encodeImage = (source: Chat.ImagePart["source"]): string =>
  "url" in source ? source.url : `data:${source.mediaType};base64,${source.base64}`

// ---------------------------------------------------------------------------------------------------------------------
// Tools
// ---------------------------------------------------------------------------------------------------------------------

/** If `strict` is left out, this wire makes the schema strict, and optional fields become required. */
const encodeTool = (tool: Chat.ToolDefinition): Json.Fields =>
  Json.defined({
    type: "function",
    name: tool.name,
    description: tool.description,
    parameters: tool.parameters,
    strict: false
  })

const encodeToolChoice = (choice: Chat.Request["toolChoice"]): unknown =>
  typeof choice === "object" ? { type: "function", name: choice.name } : choice

// ---------------------------------------------------------------------------------------------------------------------
// Output and reasoning
// ---------------------------------------------------------------------------------------------------------------------

/** Keeps what the extra fields say of the text: `verbosity`. */
const encodeOutput = (output: Chat.Request["output"], given: unknown): unknown => {
  if (output === undefined) return undefined
  return { ...Json.record(given), format: encodeFormat(output) }
}

const encodeFormat = (output: NonNullable<Chat.Request["output"]>): unknown => {
  if (output === "json") return { type: "json_object" }
  const { name = "output", schema } = output
  return { type: "json_schema", name, ...strictly(schema) }
}

/** OpenAI rejects `json_object` unless the word JSON occurs in the input. */
const inWords = (output: Chat.Request["output"]): ReadonlyArray<Chat.Message> =>
  output === "json" ? [Message.system(Subset.inWords(output))] : []

/** Keeps what the extra fields say of the reasoning: `summary`. */
const encodeReasoning = (reasoning: Chat.Reasoning | undefined, given: unknown): unknown =>
  reasoning !== undefined && "effort" in reasoning ? { ...Json.record(given), effort: reasoning.effort } : undefined

// ---------------------------------------------------------------------------------------------------------------------
// What is refused
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Without its stop sequences an answer would go on past them, so such a request is not sent. A seed is only a wish, and
 * is left out.
 */
export const unsupported = (body: Protocol.Body): string | undefined =>
  body["stop"] === undefined ? undefined : "stop"
