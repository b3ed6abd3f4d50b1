/**
 * Writes a request as the body of Anthropic's messages.
 */
import type * as Chat from "../Chat.js"
import * as Message from "../chat/Message.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as CallIds from "./CallIds.js"
import * as Subset from "./Subset.js"
import * as ToolCalls from "./ToolCalls.js"

/** The id of this wire. It can read the replays that carry it. */
export const id = "anthropic-messages"

/** How a host speaks Anthropic's wire. Every field is optional. */
export interface Dialect {
  /** The `anthropic-version`, a date. Default: 2023-06-01, which every host of this wire accepts. */
  readonly version?: string | undefined
  /** Whether the host is Anthropic's own, where a model's name tells what it refuses. Default false. */
  readonly ownHost?: boolean | undefined
  /** Fields that are sent with every request to this host, unless the request sets them. */
  readonly defaults?: Protocol.Body | undefined
}

interface Options extends Protocol.EncodeOptions {
  readonly dialect: Dialect
}

export const encode = (request: Chat.Request, options: Options): Protocol.Body => {
  const { dialect, model, stream } = options
  // An empty text block is a 400.
  const given = request.messages.filter(isSystem).filter(({ content }) => content.trim() !== "")
  const schema = typeof request.output === "object" ? Subset.written(request.output.schema, read) : undefined
  // The wire has a field for a schema, but none for JSON without one, or for a schema that it cannot be held to.
  const inWords = request.output !== undefined && schema === undefined ? [Subset.inWords(request.output)] : []
  const system = [...inWords.map((text) => Message.system(text)), ...given]
  return {
    ...dialect.defaults,
    ...request.extra,
    ...Json.defined({
      model,
      max_tokens: request.maxTokens ?? defaultMaxTokens + budgetOf(request.reasoning),
      system: system.length === 0 ? undefined : system.map((message) => encodeText(message.content, message)),
      messages: encodeMessages(request.messages),
      stream,
      tools: request.tools === undefined || request.tools.length === 0 ? undefined : request.tools.map(encodeTool),
      tool_choice: ToolCalls.possible(request, dialect.defaults) ? encodeToolChoice(request.toolChoice) : undefined,
      temperature: request.temperature,
      top_p: request.topP,
      stop_sequences: request.stop === undefined || request.stop.length === 0 ? undefined : request.stop,
      metadata: request.user === undefined ? undefined : { user_id: request.user },
      thinking: encodeReasoning(request.reasoning),
      output_config: encodeOutput(request.reasoning, schema)
    })
  }
}

const isSystem = (message: Chat.Message): message is Chat.SystemMessage => message.role === "system"

/** The wire requires a limit. Every model of Anthropic's accepts this one. */
const defaultMaxTokens = 4096

/** Thinking counts towards the limit, and a budget that is not below it is a 400. */
const budgetOf = (reasoning: Chat.Reasoning | undefined): number =>
  reasoning !== undefined && "budgetTokens" in reasoning ? reasoning.budgetTokens : 0

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

/** Joins consecutive messages of one role, because all results of a turn's tool calls must be in one message. */
const encodeMessages = (messages: ReadonlyArray<Chat.Message>): ReadonlyArray<Json.Fields> => {
  const turns: Array<{ readonly role: string; readonly content: Array<unknown> }> = []
  const ids = CallIds.make(written)
  for (const message of messages) {
    if (message.role === "system") continue
    const role = message.role === "assistant" ? "assistant" : "user"
    const content = encodeMessage(message, ids)
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...content)
    else if (content.length > 0) turns.push({ role, content: [...content] })
  }
  return turns
}

const encodeMessage = (
  message: Exclude<Chat.Message, Chat.SystemMessage>,
  ids: CallIds.CallIds
): ReadonlyArray<unknown> => {
  switch (message.role) {
    case "user":
      return encodeUser(message)
    case "assistant":
      return encodeAssistant(message, ids)
    case "tool":
      return [encodeToolResult(message, ids)]
  }
}

/** A cache mark on the message is put on its last part. */
const encodeUser = (message: Chat.UserMessage): ReadonlyArray<Json.Fields> => {
  const blocks = encodeContent(message.content)
  const mark = encodeCache(message)
  return blocks.map((block, index) =>
    mark === undefined || index < blocks.length - 1 ? block : { ...block, cache_control: mark }
  )
}

/** Signed thinking goes back exactly as it came, except for ids that this wire does not accept. */
const encodeAssistant = (message: Chat.AssistantMessage, ids: CallIds.CallIds): ReadonlyArray<unknown> =>
  message.replay?.protocol === id
    ? Json.array(message.replay.content).map((block) => encodeReplayed(block, ids))
    : [...encodeContent(message.content), ...(message.toolCalls ?? []).map((call) => encodeToolCall(call, ids))]

/** The input must be an object, even for a call whose arguments the program has rejected. */
const encodeToolCall = ({ id, input, name }: Chat.ToolCall, ids: CallIds.CallIds): Json.Fields => ({
  type: "tool_use",
  id: ids.ofCall(id),
  name,
  input: Json.record(input) ?? (input === undefined || input === null ? {} : { value: input })
})

const encodeReplayed = (block: unknown, ids: CallIds.CallIds): unknown => {
  const fields = Json.record(block)
  return fields?.["type"] === "tool_use" ? { ...fields, id: ids.ofCall(Json.string(fields["id"]) ?? "") } : block
}

const encodeToolResult = (message: Chat.ToolMessage, ids: CallIds.CallIds): Json.Fields =>
  Json.defined({
    type: "tool_result",
    tool_use_id: ids.ofResult(message.toolCallId),
    content: typeof message.content === "string" ? message.content : message.content.map(encodePart),
    is_error: message.isError,
    cache_control: encodeCache(message)
  })

/** What `tool_use.id` accepts (API reference), which also says: "`tool_use` ids must be unique". */
const written = (id: string): string => (id === "" ? "call" : id.replace(/[^\w-]/g, "_"))

/** Leaves out text that is only white space, which is a 400. */
const encodeContent = (content: string | ReadonlyArray<Chat.Part>): ReadonlyArray<Json.Fields> =>
  (typeof content === "string" ? [Message.text(content)] : content)
    .filter((part) => part.type !== "text" || part.text.trim() !== "")
    .map(encodePart)

const encodePart = (part: Chat.Part): Json.Fields =>
  part.type === "text"
    ? encodeText(part.text, part)
    : Json.defined({ type: "image", source: encodeImage(part.source), cache_control: encodeCache(part) })

const encodeText = (text: string, from: Chat.Cacheable): Json.Fields =>
  Json.defined({ type: "text", text, cache_control: encodeCache(from) })

const encodeImage = (source: Chat.ImagePart["source"]): Json.Fields =>
  "url" in source
    ? { type: "url", url: source.url }
    : { type: "base64", media_type: source.mediaType, data: source.base64 }

const encodeCache = (from: Chat.Cacheable): unknown =>
  from.cache === undefined ? undefined : { type: "ephemeral", ...(from.cache === "1h" ? { ttl: "1h" } : undefined) }

// ---------------------------------------------------------------------------------------------------------------------
// Tools
// ---------------------------------------------------------------------------------------------------------------------

const encodeTool = (tool: Chat.ToolDefinition): Json.Fields =>
  Json.defined({
    name: tool.name,
    description: tool.description,
    input_schema: tool.parameters,
    cache_control: encodeCache(tool)
  })

const encodeToolChoice = (choice: Chat.Request["toolChoice"]): unknown =>
  choice === undefined
    ? undefined
    : typeof choice === "object"
      ? { type: "tool", name: choice.name }
      : { type: choice === "required" ? "any" : choice }

// ---------------------------------------------------------------------------------------------------------------------
// Output and reasoning
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What Anthropic holds a model to (docs "Structured outputs"; formats and `minItems` as its SDK 1.12 sends them). A record
 * would be an object that is always empty, which fits, and a schema that contains itself is a 400: both are asked for in
 * words.
 */
const read: Subset.Subset = {
  reads: (keyword, value) =>
    keyword === "format" ? formats.has(value) : keyword === "minItems" && (value === 0 || value === 1),
  requiresAll: false,
  closes: true,
  recursion: false,
  typedLiterals: false,
  depth: Number.POSITIVE_INFINITY
}

const formats = new Set<unknown>([
  ...["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]
])

const encodeOutput = (reasoning: Chat.Request["reasoning"], schema: Chat.JsonSchema | undefined): unknown => {
  const effort = reasoning !== undefined && "effort" in reasoning ? reasoning.effort : "none"
  if (effort === "none" && schema === undefined) return undefined
  return Json.defined({
    effort: effort === "none" ? undefined : effort === "minimal" ? "low" : effort,
    format: schema === undefined ? undefined : { type: "json_schema", schema }
  })
}

const encodeReasoning = (reasoning: Chat.Reasoning | undefined): unknown => {
  if (reasoning === undefined) return undefined
  if ("budgetTokens" in reasoning) return { type: "enabled", budget_tokens: reasoning.budgetTokens }
  return reasoning.effort === "none" ? { type: "disabled" } : { type: "adaptive" }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is refused
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The first field of a body that Anthropic answers with a 400, by its name in a request. What a model refuses is
 * checked only for Anthropic's own host: a proxy may drop or translate the field.
 */
export const unsupported = (body: Protocol.Body, version: string, ownHost: boolean): string | undefined => {
  const generation = ownHost ? generationOf(body["model"]) : undefined
  const fixed = generation !== undefined && generation >= 407
  for (const { field, name, takes } of sampling) {
    const value = body[field]
    if (value !== undefined && (hasNoSampling(version) || (fixed && !takes(value)))) return name
  }
  const thinking = Json.record(body["thinking"])?.["type"]
  // A budget is refused from 4.7 on (measured: handochan/aelix-ai issue 258).
  if (fixed && thinking === "enabled") return "budgetTokens"
  // An effort asks for adaptive thinking, which is refused before 4.6 (measured: askalf/dario pull request 273).
  if (generation !== undefined && generation < 406 && thinking === "adaptive") return "effort"
  return undefined
}

/** From version 2026-10-21 on, each of the fields below is a 400, even with its default (API versions page). */
const hasNoSampling = (version: string): boolean => /^\d{4}-\d\d-\d\d$/.test(version) && version >= "2026-10-21"

/** `takes`: the values that models from 4.7 on still accept, "for backwards compatibility" (API reference). */
const sampling: ReadonlyArray<{
  readonly field: string
  readonly name: string
  readonly takes: (value: unknown) => boolean
}> = [
  { field: "temperature", name: "temperature", takes: (value) => value === 1 },
  { field: "top_p", name: "topP", takes: (value) => typeof value === "number" && value >= 0.99 },
  { field: "top_k", name: "top_k", takes: () => false }
]

/** 407 for `claude-opus-4-7`, 500 for `claude-sonnet-5`; `undefined` if the name does not tell. */
const generationOf = (model: unknown): number | undefined => {
  const [, major, minor = "0"] = /^claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?(?!\d)/.exec(String(model)) ?? []
  return major === undefined ? undefined : Number(major) * 100 + Number(minor)
}
