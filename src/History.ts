/**
 * A conversation that a provider accepts: every tool call has its result, every result its call, and they stand
 * together. Histories lose one or the other when a turn is interrupted or old turns are cut away, and every wire answers
 * that with a 400.
 */
import * as Chat from "./Chat.js"

/** The same messages if nothing is wrong with them, else repaired ones. The caller's array is not changed. */
export const repair = (messages: ReadonlyArray<Chat.Message>): ReadonlyArray<Chat.Message> => {
  if (isSound(messages)) return messages
  const results = new Map<Chat.AssistantMessage, ReadonlyArray<Chat.ToolMessage>>()
  const kept = new Set<Chat.Message>()
  for (const [index, message] of messages.entries()) {
    if (message.role !== "assistant") continue
    const found = resultsOf(message, messages.slice(index + 1))
    results.set(message, found)
    for (const result of found) kept.add(result)
  }
  return messages.flatMap((message): ReadonlyArray<Chat.Message> => {
    if (message.role === "assistant") return isEmpty(message) ? [] : [message, ...(results.get(message) ?? [])]
    if (message.role === "tool") return kept.has(message) ? [] : [orphan(message)]
    return [message]
  })
}

/** Nothing to repair: results follow their calls at once, each once, and no turn is empty. */
const isSound = (messages: ReadonlyArray<Chat.Message>): boolean => {
  let open = new Set<string>()
  for (const message of messages) {
    if (message.role === "tool") {
      if (!open.delete(message.toolCallId)) return false
      continue
    }
    if (open.size > 0) return false
    if (message.role !== "assistant") continue
    if (isEmpty(message)) return false
    open = new Set((message.toolCalls ?? []).map((call) => call.id))
  }
  return open.size === 0
}

/** One result for each call, in the calls' order: the one that was given before the model spoke again, or a word that there is none. */
const resultsOf = (
  message: Chat.AssistantMessage,
  after: ReadonlyArray<Chat.Message>
): ReadonlyArray<Chat.ToolMessage> => {
  const next = after.findIndex((later) => later.role === "assistant")
  const turn = next === -1 ? after : after.slice(0, next)
  return (message.toolCalls ?? []).map(
    (call) =>
      turn.find((later): later is Chat.ToolMessage => later.role === "tool" && later.toolCallId === call.id) ??
      Chat.toolResult(call, "The call was interrupted; there is no result.", { isError: true })
  )
}

/** A result whose call is gone is still worth knowing. */
const orphan = (result: Chat.ToolMessage): Chat.UserMessage => {
  const said = `Result of an earlier call of ${result.name}:`
  return Chat.user(
    typeof result.content === "string" ? `${said} ${result.content}` : [Chat.text(said), ...result.content]
  )
}

const isEmpty = (message: Chat.AssistantMessage): boolean =>
  message.text === "" && (message.toolCalls ?? []).length === 0 && message.replay === undefined
