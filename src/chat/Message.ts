/**
 * The messages of a conversation, and what they are made of.
 */

/** Marks where a cached part of the prompt ends. Only Anthropic's wire needs it; the others cache by themselves. */
export interface Cacheable {
  /** The prompt is cached up to here, for five minutes or an hour. Default: no mark. */
  readonly cache?: "5m" | "1h" | undefined
}

/** A piece of text within a message. */
export interface TextPart extends Cacheable {
  readonly type: "text"
  /** The text itself. Text that is only white space is not sent on Anthropic's wire, which refuses it. */
  readonly text: string
}

/** A picture within a message. */
export interface ImagePart extends Cacheable {
  readonly type: "image"
  /** An address that the provider can reach, or the bytes in base64 with their media type (`image/png`). */
  readonly source: { readonly url: string } | { readonly base64: string; readonly mediaType: string }
}

/** What a message consists of, unless it is plain text. */
export type Part = TextPart | ImagePart

/** Instructions that hold for the whole conversation. */
export interface SystemMessage extends Cacheable {
  readonly role: "system"
  /** The instructions. An empty text is not sent. */
  readonly content: string
}

/** What the user said. */
export interface UserMessage extends Cacheable {
  readonly role: "user"
  /** Text, or parts: text and pictures. */
  readonly content: string | ReadonlyArray<Part>
}

/** A complete tool call: its arguments have all arrived, and are parsed. */
export interface ToolCall {
  /** The call's id, which its result repeats. */
  readonly id: string
  /** The name of the tool. */
  readonly name: string
  /** The arguments: parsed JSON, not yet checked against the tool's schema. `Tool.decode` does that. */
  readonly input: unknown
  /** What must be sent back with the call: Gemini's thought signature. */
  readonly replay?: Replay | undefined
}

/** What the model said. `Reply.message` is one, and can be appended to the history as it is. */
export interface AssistantMessage {
  readonly role: "assistant"
  /** Text, or parts of text, each of which may end a cached prefix. Empty if the model only called tools. */
  readonly content: string | ReadonlyArray<TextPart>
  /** What the model thought before it spoke. Sent only to hosts that demand it back: DeepSeek and MiMo. */
  readonly reasoning?: string | undefined
  /** The tools that the model called. A `ToolMessage` should follow for each; if one is missing, the SDK adds it. */
  readonly toolCalls?: ReadonlyArray<ToolCall> | undefined
  /** What must be sent back with the message: signed thinking, `reasoning_details`. */
  readonly replay?: Replay | undefined
}

/**
 * What must be sent back over one wire and means nothing to any other: Anthropic's signed thinking, OpenRouter's
 * `reasoning_details`. Over another wire, the message is sent without it.
 */
export interface Replay {
  /** The `id` of the protocol that can read it. */
  readonly protocol: string
  /** As the provider sent it. */
  readonly content: unknown
}

/** The result of a tool call. */
export interface ToolMessage extends Cacheable {
  readonly role: "tool"
  /** The `id` of the call. */
  readonly toolCallId: string
  /** The name of the tool. */
  readonly name: string
  /** Text, or parts: text and pictures. */
  readonly content: string | ReadonlyArray<Part>
  /** Whether the tool failed. Anthropic's wire tells the model so; on other wires, only the text can. Default false. */
  readonly isError?: boolean | undefined
}

/** One message of a conversation. */
export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** A message with instructions for the model. */
export const system = (content: string, options?: Cacheable): SystemMessage => ({ role: "system", content, ...options })

/**
 * A message from the user: text, or parts.
 *
 * @example
 * Chat.user("Why is the sky blue?")
 * Chat.user([Chat.text("What is this?"), Chat.image({ url: "https://example.com/cat.png" })])
 */
export const user = (content: string | ReadonlyArray<Part>, options?: Cacheable): UserMessage => ({
  role: "user",
  content,
  ...options
})

/** A message from the model, for a history that a program writes itself. `Reply.message` already is one. */
export const assistant = (
  content: string | ReadonlyArray<TextPart>,
  options?: Omit<AssistantMessage, "role" | "content">
): AssistantMessage => ({ role: "assistant", content, ...options })

/**
 * The answer to `call`. A value that is not text is sent as JSON.
 *
 * @example
 * Chat.toolResult(call, { celsius: 21 })
 * Chat.toolResult(call, "There is no such city.", { isError: true })
 */
export const toolResult = (
  call: Pick<ToolCall, "id" | "name">,
  result: unknown,
  options?: { readonly isError?: boolean | undefined }
): ToolMessage => ({
  role: "tool",
  toolCallId: call.id,
  name: call.name,
  content: typeof result === "string" ? result : (JSON.stringify(result) ?? "null"),
  ...options
})

/** A piece of text, where a message has several parts. */
export const text = (text: string, options?: Cacheable): TextPart => ({ type: "text", text, ...options })

/** A picture, by its address or as base64. */
export const image = (source: ImagePart["source"], options?: Cacheable): ImagePart => ({
  type: "image",
  source,
  ...options
})
