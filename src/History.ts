/**
 * A conversation that a provider accepts: every tool call has its result, every result its call, and they stand
 * together. Histories lose one or the other when a turn is interrupted or old turns are cut away, and every wire answers
 * that with a 400.
 */
import * as Chat from "./Chat.js"

/** The same messages if nothing is wrong with them, else repaired ones. The caller's array is not changed. */
export const repair = (messages: ReadonlyArray<Chat.Message>): ReadonlyArray<Chat.Message> => {
  if (isSound(messages)) return messages
  const kept = new Set<number>()
  const repaired: Array<ReadonlyArray<Chat.Message>> = messages.map((message, index) => {
    if (message.role !== "assistant") return [message]
    if (isEmpty(message)) return []
    const found = resultsOf(message, messages, index)
    for (const { place } of found) kept.add(place)
    return [message, ...found.map(({ result }) => result)]
  })
  return repaired.flatMap((turn, index) => {
    const [message] = turn
    if (message?.role !== "tool") return turn
    return kept.has(index) ? [] : [orphan(message)]
  })
}

/** Nothing to repair: results follow their calls at once, each once, and no turn is empty. */
const isSound = (messages: ReadonlyArray<Chat.Message>): boolean => {
  let open: Array<string> = []
  for (const message of messages) {
    if (message.role === "tool") {
      const place = open.indexOf(message.toolCallId)
      if (place === -1) return false
      open.splice(place, 1)
      continue
    }
    if (open.length > 0) return false
    if (message.role !== "assistant") continue
    if (isEmpty(message)) return false
    open = (message.toolCalls ?? []).map((call) => call.id)
  }
  return open.length === 0
}

interface Found {
  /** Where in the history; -1 for one that had to be made. */
  readonly place: number
  readonly result: Chat.ToolMessage
}

/** One result for each call, in the calls' order: the one that was given before the model spoke again, or a word that there is none. */
const resultsOf = (
  message: Chat.AssistantMessage,
  messages: ReadonlyArray<Chat.Message>,
  index: number
): ReadonlyArray<Found> => {
  const next = messages.findIndex((later, place) => place > index && later.role === "assistant")
  const given = messages
    .slice(0, next === -1 ? messages.length : next)
    .flatMap((result, place) => (place > index && result.role === "tool" ? [{ place, result }] : []))
  return (message.toolCalls ?? []).map((call) => {
    const first = given.findIndex(({ result }) => result.toolCallId === call.id)
    const [found] = first === -1 ? [] : given.splice(first, 1)
    return found ?? { place: -1, result: interrupted(call) }
  })
}

const interrupted = (call: Chat.ToolCall): Chat.ToolMessage =>
  Chat.toolResult(call, "The call was interrupted; there is no result.", { isError: true })

/** A result whose call is gone is still worth knowing. */
const orphan = (result: Chat.ToolMessage): Chat.UserMessage => {
  const said = `Result of an earlier call of ${result.name}:`
  return Chat.user(
    typeof result.content === "string" ? `${said} ${result.content}` : [Chat.text(said), ...result.content]
  )
}

const isEmpty = (message: Chat.AssistantMessage): boolean =>
  message.text === "" && (message.toolCalls ?? []).length === 0 && message.replay === undefined
