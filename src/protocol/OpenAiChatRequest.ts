/**
 * Writes a request as the body of OpenAI's chat completions.
 */
import type * as Chat from "../Chat.js"
import * as Message from "../chat/Message.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as Subset from "./Subset.js"
import * as ToolCalls from "./ToolCalls.js"

/** The id of this wire. It can read the replays that carry it. */
export const id = "openai-chat"

/** How a host's wire differs from the common one. Every field is optional. */
export interface Dialect {
  /** The field for `maxTokens`. Default `max_tokens`. */
  readonly maxTokens?: "max_tokens" | "max_completion_tokens" | undefined
  /** How `reasoning` is written. Default `effort`: a `reasoning_effort` field. `none` leaves it out. */
  readonly reasoning?: "effort" | "thinking" | "thinking-adaptive" | "openrouter" | "none" | undefined
  /** The host's names for efforts, by our names. Default: the same names. */
  readonly efforts?: { readonly [effort: string]: string } | undefined
  /**
   * How `output` is requested. `schema` (default): `response_format` has the schema; `json`: `response_format` asks for
   * a JSON object, and the schema is put into the prompt; `prompt`: in the prompt alone.
   */
  readonly output?: "schema" | "json" | "prompt" | undefined
  /** Whether assistant turns are sent back with their `reasoning_content`. Default false. */
  readonly replaysReasoning?: boolean | undefined
  /**
   * Whether tool calls are sent back with their `extra_content`: Gemini's thought signatures. Gemini 3 answers a call
   * without its signature with a 400; Mistral and Fireworks answer a call that has one with a 400. Default: true if the
   * model's name contains `gemini`.
   */
  readonly replaysExtraContent?: boolean | undefined
  /** Whether tool messages contain the tool's `name`. Default false. */
  readonly namesToolResults?: boolean | undefined
  /** Whether a `<think>` block at the start of the text is reasoning. Default false. */
  readonly thinkTags?: boolean | undefined
  /** Whether streams are asked to report usage, with `stream_options`. Default true. */
  readonly streamUsage?: boolean | undefined
  /** Fields that are sent with every request to this host, unless the request sets them. */
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

/** Tool results must stand together, so their images follow the last of them, in a user message. */
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
      throw new TypeError("a message has an unknown role")
  }
}

/**
 * DeepSeek demands that `content` is a string, if only an empty one. Where `reasoning_content` is demanded, it may be
 * empty, but without it the request is a 400.
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

/** On this wire, a tool result is text. */
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
  return { type: "json_schema", json_schema: { name, ...strictly(schema) } }
}

/** With `strict` if OpenAI can hold the model to it, otherwise as it is: a wish. */
export const strictly = (schema: Chat.JsonSchema): Json.Fields => {
  const written = Subset.written(schema, read)
  // The root is an object, and no union.
  const isStrict = written !== undefined && written["type"] === "object" && written["anyOf"] === undefined
  return { schema: isStrict ? written : schema, strict: isStrict }
}

/** What OpenAI holds a model to with `strict` (guide "Structured outputs", supported schemas). */
const read: Subset.Subset = {
  reads: (keyword, value) =>
    keyword === "format"
      ? formats.has(value)
      : keyword === "pattern"
        ? // Lookaround is a 400.
          !/\(\?[=!<]/.test(String(value))
        : limits.has(keyword),
  requiresAll: true,
  closes: false,
  recursion: true,
  typedLiterals: true,
  depth: 10
}

const formats = new Set<unknown>(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])

const limits = new Set([
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  ...["minLength", "maxLength", "minItems", "maxItems"]
])

/** Tells the model in words what there is no field for. */
const inWords = (output: Chat.Request["output"], { output: how = "schema" }: Dialect): ReadonlyArray<Chat.Message> => {
  // OpenAI refuses `json_object` unless the messages contain the word JSON.
  if (output === undefined || (how === "schema" && output !== "json")) return []
  return [Message.system(Subset.inWords(output))]
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
