/**
 * OpenAI's chat completions: a request as their body.
 */
import type * as Chat from "../Chat.js"
import * as Message from "../chat/Message.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as ToolCalls from "./ToolCalls.js"

/** Whose replay this wire can read. */
export const id = "openai-chat"

/** How a host departs from OpenAI's wire. Every field is optional; the norm is what OpenAI does. */
export interface Dialect {
  /** The field for `maxTokens`. Default `max_tokens`. */
  readonly maxTokens?: "max_tokens" | "max_completion_tokens" | undefined
  /** How `reasoning` is written. Default `effort`: a `reasoning_effort` field. `none` leaves it out. */
  readonly reasoning?: "effort" | "thinking" | "thinking-adaptive" | "openrouter" | "none" | undefined
  /** This host's words for efforts that it does not have under ours. */
  readonly efforts?: { readonly [effort: string]: string } | undefined
  /**
   * How `output` is asked for. `schema` (default): in `response_format`, schema and all; `json`: a JSON object, with the
   * schema told to the model in words; `prompt`: in words alone.
   */
  readonly output?: "schema" | "json" | "prompt" | undefined
  /** Assistant turns carry their `reasoning_content` back. Default false. */
  readonly replaysReasoning?: boolean | undefined
  /**
   * Tool calls carry their `extra_content` back: Gemini's thought signatures. Gemini 3 answers a call without its
   * signature with a 400, and Mistral and Fireworks so answer a call with one. Default: where the model's name has
   * `gemini` in it.
   */
  readonly replaysExtraContent?: boolean | undefined
  /** Tool messages carry the tool's `name`. Default false. */
  readonly namesToolResults?: boolean | undefined
  /** `<think>` at the head of the text is reasoning. Default false. */
  readonly thinkTags?: boolean | undefined
  /** Asks for usage with `stream_options`. Default true. */
  readonly streamUsage?: boolean | undefined
  /** Fields that every request of this host carries, unless the request sets them. */
  readonly defaults?: Protocol.Body | undefined
}

interface Options extends Protocol.EncodeOptions {
  readonly dialect: Dialect
}

export const encode = (request: Chat.Request, options: Options): Protocol.Body => {
  const { dialect, model, stream } = options
  return {
    ...dialect.defaults,
    ...request.extra,
    ...Json.defined({
      model,
      messages: encodeMessages([...inWords(request.output, dialect), ...request.messages], options),
      stream,
      stream_options: stream && dialect.streamUsage !== false ? { include_usage: true } : undefined,
      // An empty list is a 400 at OpenAI and a 422 at Mistral.
      tools: request.tools === undefined || request.tools.length === 0 ? undefined : request.tools.map(encodeTool),
      tool_choice: ToolCalls.possible(request, dialect.defaults) ? encodeToolChoice(request.toolChoice) : undefined,
      [dialect.maxTokens ?? "max_tokens"]: request.maxTokens,
      temperature: request.temperature,
      top_p: request.topP,
      stop: request.stop === undefined || request.stop.length === 0 ? undefined : request.stop,
      seed: request.seed,
      user: request.user,
      response_format: encodeOutput(request.output, dialect),
      ...encodeReasoning(request.reasoning, dialect)
    })
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

/** Results of tools stand together; what pictures they have follow behind the last one, as the user's. */
const encodeMessages = (messages: ReadonlyArray<Chat.Message>, options: Options): ReadonlyArray<Json.Fields> => {
  const encoded: Array<Json.Fields> = []
  let images: Array<Chat.Part> = []
  const show = () => {
    if (images.length > 0) encoded.push({ role: "user", content: encodeContent(images) })
    images = []
  }
  for (const message of messages) {
    if (message.role === "system" && message.content.trim() === "") continue
    if (message.role === "tool") images.push(...imagesOf(message))
    else show()
    encoded.push(encodeMessage(message, options))
  }
  show()
  return encoded
}

const encodeMessage = (message: Chat.Message, options: Options): Json.Fields => {
  switch (message.role) {
    case "system":
      return { role: "system", content: message.content }
    case "user":
      return { role: "user", content: encodeContent(message.content) }
    case "assistant":
      return encodeAssistant(message, options)
    case "tool":
      return encodeToolResult(message, options.dialect)
    default:
      throw new TypeError("a message has a role that there is not")
  }
}

/**
 * `content` is always there, and a text, because DeepSeek demands it; an empty `reasoning_content` counts, an absent one
 * is a 400.
 */
const encodeAssistant = (message: Chat.AssistantMessage, { dialect, model }: Options): Json.Fields => {
  const calls = message.toolCalls ?? []
  const withExtra = dialect.replaysExtraContent ?? /gemini/i.test(model)
  const reasons = dialect.replaysReasoning === true && (message.reasoning !== undefined || calls.length > 0)
  return Json.defined({
    role: "assistant",
    content: typeof message.content === "string" ? message.content : message.content.map(({ text }) => text).join(""),
    reasoning_content: reasons ? (message.reasoning ?? "") : undefined,
    reasoning_details: message.replay?.protocol === id ? message.replay.content : undefined,
    tool_calls: calls.length === 0 ? undefined : calls.map((call) => encodeToolCall(call, withExtra))
  })
}

const encodeToolCall = (call: Chat.ToolCall, withExtra: boolean): Json.Fields =>
  Json.defined({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.input ?? {}) },
    extra_content: withExtra && call.replay?.protocol === id ? call.replay.content : undefined
  })

/** A tool's answer is text on this wire. */
const encodeToolResult = (message: Chat.ToolMessage, dialect: Dialect): Json.Fields =>
  Json.defined({
    role: "tool",
    tool_call_id: message.toolCallId,
    name: dialect.namesToolResults === true ? message.name : undefined,
    content:
      typeof message.content === "string"
        ? message.content
        : message.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n")
  })

const imagesOf = (message: Chat.ToolMessage): ReadonlyArray<Chat.Part> =>
  typeof message.content === "string" ? [] : message.content.filter((part) => part.type === "image")

const encodeContent = (content: string | ReadonlyArray<Chat.Part>): unknown =>
  typeof content === "string" ? content : content.map(encodePart)

const encodePart = (part: Chat.Part): Json.Fields =>
  part.type === "text"
    ? { type: "text", text: part.text }
    : { type: "image_url", image_url: { url: encodeImage(part.source) } }

const encodeImage = (source: Chat.ImagePart["source"]): string =>
  "url" in source ? source.url : `data:${source.mediaType};base64,${source.base64}`

// ---------------------------------------------------------------------------------------------------------------------
// Tools
// ---------------------------------------------------------------------------------------------------------------------

const encodeTool = (tool: Chat.ToolDefinition): Json.Fields => ({
  type: "function",
  function: Json.defined({ name: tool.name, description: tool.description, parameters: tool.parameters })
})

const encodeToolChoice = (choice: Chat.Request["toolChoice"]): unknown =>
  typeof choice === "object" ? { type: "function", function: { name: choice.name } } : choice

// ---------------------------------------------------------------------------------------------------------------------
// Output and reasoning
// ---------------------------------------------------------------------------------------------------------------------

const encodeOutput = (output: Chat.Request["output"], { output: how = "schema" }: Dialect): unknown => {
  if (output === undefined || how === "prompt") return undefined
  if (output === "json" || how === "json") return { type: "json_object" }
  const { name = "output", schema } = output
  return { type: "json_schema", json_schema: { name, schema, strict: isStrict(schema) } }
}

/** What the host cannot be told in a field, the model is told in words. */
const inWords = (output: Chat.Request["output"], { output: how = "schema" }: Dialect): ReadonlyArray<Chat.Message> => {
  // OpenAI refuses `json_object` unless the word JSON stands in the messages.
  if (output === undefined || (how === "schema" && output !== "json")) return []
  const schema = output === "json" ? "" : ` It must match this JSON Schema: ${JSON.stringify(output.schema)}`
  return [Message.system(`Answer with JSON and nothing else.${schema}`)]
}

/** OpenAI holds the model to a schema only if each object lists all its properties as required and allows no others. */
const isStrict = (schema: unknown): boolean => {
  if (Array.isArray(schema)) return schema.every(isStrict)
  const fields = Json.record(schema)
  if (fields === undefined) return true
  const properties = Json.record(fields["properties"])
  const closed = properties === undefined || fields["additionalProperties"] === false
  const required = Object.keys(properties ?? {}).every((name) => Json.array(fields["required"]).includes(name))
  return closed && required && Object.values(fields).every(isStrict)
}

const encodeReasoning = (reasoning: Chat.Reasoning | undefined, dialect: Dialect): Json.Fields => {
  if (reasoning === undefined) return {}
  const wanted = "effort" in reasoning ? reasoning.effort : undefined
  const off = wanted === "none"
  const effort = wanted === undefined ? undefined : (dialect.efforts?.[wanted] ?? wanted)
  switch (dialect.reasoning ?? "effort") {
    case "effort":
      return { reasoning_effort: effort }
    case "thinking":
      return { thinking: { type: off ? "disabled" : "enabled" }, reasoning_effort: off ? undefined : effort }
    case "thinking-adaptive":
      return { thinking: { type: off ? "disabled" : "adaptive" } }
    case "openrouter":
      return { reasoning: "effort" in reasoning ? { effort } : { max_tokens: reasoning.budgetTokens } }
    case "none":
      return {}
  }
}
