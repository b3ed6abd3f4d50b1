/**
 * The words of a conversation: what a program asks (`Request`), what arrives (`Event`) and what that adds up to
 * (`Reply`). Plain data, the same for every provider; the protocols translate.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Joiner from "./Joiner.js"

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

/** A mark after which the provider may cache the prompt. Anthropic's wire has it; the others cache by themselves. */
export interface Cacheable {
  /** Ends a cached prefix here. `"5m"` and `"1h"` are how long Anthropic keeps it. */
  readonly cache?: "5m" | "1h" | undefined
}

export interface TextPart extends Cacheable {
  readonly type: "text"
  readonly text: string
}

/** A picture: an address the provider can reach, or the bytes in base64. */
export interface ImagePart extends Cacheable {
  readonly type: "image"
  readonly source: { readonly url: string } | { readonly base64: string; readonly mediaType: string }
}

export type Part = TextPart | ImagePart

export interface SystemMessage extends Cacheable {
  readonly role: "system"
  readonly content: string
}

export interface UserMessage extends Cacheable {
  readonly role: "user"
  readonly content: string | ReadonlyArray<Part>
}

/** A whole tool call: the arguments are complete and parsed. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly input: unknown
  /** What its wire needs to see again with the call: Gemini's thought signature. */
  readonly replay?: Replay | undefined
}

/** What the model said. `Reply.message` is one, and can be appended to the history as it is. */
export interface AssistantMessage {
  readonly role: "assistant"
  readonly text: string
  readonly reasoning?: string | undefined
  readonly toolCalls?: ReadonlyArray<ToolCall> | undefined
  readonly replay?: Replay | undefined
}

/**
 * What one wire needs to see again and no other wire can read: Anthropic's signed thinking blocks, OpenRouter's
 * `reasoning_details`. A message that goes to another wire is sent without it.
 */
export interface Replay {
  readonly protocol: string
  readonly content: unknown
}

/** The result of a tool call. */
export interface ToolMessage extends Cacheable {
  readonly role: "tool"
  readonly toolCallId: string
  readonly name: string
  readonly content: string | ReadonlyArray<Part>
  readonly isError?: boolean | undefined
}

export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

export const system = (content: string, options?: Cacheable): SystemMessage => ({ role: "system", content, ...options })

export const user = (content: string | ReadonlyArray<Part>, options?: Cacheable): UserMessage => ({
  role: "user",
  content,
  ...options
})

export const assistant = (text: string, options?: Omit<AssistantMessage, "role" | "text">): AssistantMessage => ({
  role: "assistant",
  text,
  ...options
})

/** The answer to `call`. A value that is not text is sent as JSON. */
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

export const text = (text: string, options?: Cacheable): TextPart => ({ type: "text", text, ...options })

export const image = (source: ImagePart["source"], options?: Cacheable): ImagePart => ({
  type: "image",
  source,
  ...options
})

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

export type JsonSchema = { readonly [key: string]: unknown }

export interface ToolDefinition extends Cacheable {
  readonly name: string
  readonly description?: string | undefined
  readonly parameters: JsonSchema
}

export interface Request {
  readonly messages: ReadonlyArray<Message>
  /** Overrides the layer's model for this call. */
  readonly model?: string | undefined
  readonly tools?: ReadonlyArray<ToolDefinition> | undefined
  /** `required`: any tool; a name: that one. The provider's default is `auto`. */
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined
  /** Tokens. Required on the Anthropic wire, where the default is 4096. */
  readonly maxTokens?: number | undefined
  /** Anthropic's API from 2026-10-21 on, and its models from 4.7 on, take neither this nor `topP`. */
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly stop?: ReadonlyArray<string> | undefined
  readonly seed?: number | undefined
  /** How much the model may think. Sent in the provider's own words; left out where it has none. */
  readonly reasoning?: Reasoning | undefined
  /** `json`: any JSON value; a schema: that shape, where the provider can hold the model to it. */
  readonly output?: "json" | { readonly name?: string | undefined; readonly schema: JsonSchema } | undefined
  /** Whom the request is for, by an opaque id, so that the provider can trace abuse. */
  readonly user?: string | undefined
  /** Fields of the provider's own, merged into the body. They cannot replace a field that the protocol sets. */
  readonly extra?: { readonly [key: string]: unknown } | undefined
}

export type Reasoning =
  | { readonly effort: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" }
  | { readonly budgetTokens: number }

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

/** Tokens. A count is `undefined` where the wire did not say. `inputTokens` includes the cached ones on every wire. */
export interface Usage {
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly totalTokens: number | undefined
  readonly cachedInputTokens: number | undefined
  readonly reasoningTokens: number | undefined
}

export const unknownUsage: Usage = {
  inputTokens: undefined,
  outputTokens: undefined,
  totalTokens: undefined,
  cachedInputTokens: undefined,
  reasoningTokens: undefined
}

/** Why the model stopped. `pause`: it wants to be called again with what it said so far. */
export type FinishReason = "stop" | "length" | "tool-calls" | "content-filter" | "pause" | "other"

export type Event =
  | { readonly _tag: "TextDelta"; readonly text: string }
  | { readonly _tag: "ReasoningDelta"; readonly text: string }
  | { readonly _tag: "ToolCallDelta"; readonly id: string; readonly name: string; readonly delta: string }
  | ({ readonly _tag: "ToolCall" } & ToolCall)
  | Finish

export interface Finish {
  readonly _tag: "Finish"
  readonly reason: FinishReason
  /** The provider's own word for `reason`. */
  readonly rawReason: string
  readonly usage: Usage
  /** The model that answered, as the provider names it. */
  readonly model: string | undefined
  /** The answer's id. */
  readonly id: string | undefined
  /** What the model said instead of an answer, or why it was stopped, where the wire keeps that apart from the text. */
  readonly refusal?: string | undefined
  readonly replay?: Replay | undefined
}

/** A whole answer: the fold of its events. */
export interface Reply {
  readonly text: string
  readonly reasoning: string
  readonly toolCalls: ReadonlyArray<ToolCall>
  readonly reason: FinishReason
  readonly rawReason: string
  readonly usage: Usage
  readonly model: string | undefined
  readonly id: string | undefined
  readonly refusal: string | undefined
  /** The assistant's turn, to be appended to the history. */
  readonly message: AssistantMessage
}

/** Adds up the events of one answer. `undefined` if they have no `Finish`. */
export const reply = (events: Iterable<Event>): Reply | undefined => {
  const { add, reply } = sum()
  for (const event of events) add(event)
  return reply()
}

/** A sum of events, made an event at a time. */
export interface Sum {
  /** What comes behind `Finish` is no part of the answer. */
  readonly add: (event: Event) => void
  /** `undefined` as long as there was no `Finish`. */
  readonly reply: () => Reply | undefined
}

export const sum = (): Sum => {
  const text = Joiner.make()
  const reasoning = Joiner.make()
  const toolCalls: Array<ToolCall> = []
  let finish: Finish | undefined
  return {
    add: (event) => {
      if (finish !== undefined) return
      if (event._tag === "TextDelta") text.add(event.text)
      else if (event._tag === "ReasoningDelta") reasoning.add(event.text)
      else if (event._tag === "ToolCall") toolCalls.push(called(event))
      else if (event._tag === "Finish") finish = event
    },
    reply: () => (finish === undefined ? undefined : finished(text.join(), reasoning.join(), toolCalls, finish))
  }
}

const called = ({ id, input, name, replay }: ToolCall): ToolCall => ({
  id,
  name,
  input,
  ...(replay === undefined ? undefined : { replay })
})

const finished = (text: string, reasoning: string, toolCalls: ReadonlyArray<ToolCall>, finish: Finish): Reply => ({
  text,
  reasoning,
  toolCalls,
  reason: finish.reason,
  rawReason: finish.rawReason,
  usage: finish.usage,
  model: finish.model,
  id: finish.id,
  refusal: finish.refusal,
  message: {
    role: "assistant",
    text,
    ...(reasoning === "" ? undefined : { reasoning }),
    ...(toolCalls.length === 0 ? undefined : { toolCalls }),
    ...(finish.replay === undefined ? undefined : { replay: finish.replay })
  }
})

/** Runs a stream to its end and adds it up. A provider's stream always ends with `Finish` or fails. */
export const collect = <E, R>(self: Stream.Stream<Event, E, R>): Effect.Effect<Reply, E, R> =>
  Effect.suspend(() => {
    const { add, reply } = sum()
    const run = Stream.runForEachChunk(self, (events) => Effect.sync(() => Chunk.forEach(events, add)))
    return Effect.map(run, () => {
      const whole = reply()
      if (whole === undefined) throw new Error("Chat.collect: the stream ended without a Finish event")
      return whole
    })
  })

/** Only the text that the model writes for the reader. */
export const textOnly = <E, R>(self: Stream.Stream<Event, E, R>): Stream.Stream<string, E, R> =>
  Stream.filterMap(self, (event) => (event._tag === "TextDelta" ? Option.some(event.text) : Option.none()))
