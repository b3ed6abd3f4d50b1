/**
 * What the events of an answer add up to.
 */
import * as Joiner from "../Joiner.js"
import type { Event, Finish, FinishReason, Usage } from "./Event.js"
import type { AssistantMessage, ToolCall } from "./Message.js"

/** A complete answer: the sum of its events. */
export interface Reply {
  /** The text that the model wrote for the reader. Empty if it only called tools. */
  readonly text: string
  /** What the model thought, where the provider shows it. Empty otherwise. */
  readonly reasoning: string
  /** The tools that it called, in order. */
  readonly toolCalls: ReadonlyArray<ToolCall>
  /** Why the model stopped. */
  readonly reason: FinishReason
  /** The provider's own word for `reason`. */
  readonly rawReason: string
  /** What the answer cost. */
  readonly usage: Usage
  /** The model that answered, as the provider names it. */
  readonly model: string | undefined
  /** The answer's id. */
  readonly id: string | undefined
  /** What the model said instead of an answer, or why it was stopped, where the wire keeps that apart from the text. */
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

/** Adds up events, one at a time. */
export interface Sum {
  /** Adds an event. Whatever follows `Finish` is ignored. */
  readonly add: (event: Event) => void
  /** The answer; `undefined` until `Finish` was added. */
  readonly reply: () => Reply | undefined
}

/** Starts a sum, for a program that follows an answer event by event and wants the reply at the end. */
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
    content: text,
    ...(reasoning === "" ? undefined : { reasoning }),
    ...(toolCalls.length === 0 ? undefined : { toolCalls }),
    ...(finish.replay === undefined ? undefined : { replay: finish.replay })
  }
})
