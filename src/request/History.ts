/**
 * Repairs a conversation so that providers accept it: every tool call has its result, every result has its call, and
 * results directly follow their calls. A history loses some of this when a turn is interrupted or old turns are cut
 * away, and every wire answers that with a 400.
 */
import type * as Chat from "../Chat.js"
import * as Message from "../chat/Message.js"

/** The same messages if nothing is wrong with them, else repaired ones. The caller's array is not changed. */
export const repair = (messages: ReadonlyArray<Chat.Message>): ReadonlyArray<Chat.Message> =>
  isSound(messages) ? messages : turnsOf(messages).flatMap(repairTurn)

/** Nothing to repair: results follow their calls at once, each once, and no turn is empty. */
const isSound = (messages: ReadonlyArray<Chat.Message>): boolean => {
  /** How many calls of each id still await their result. */
  const open = new Map<string, number>()
  for (const message of messages) {
    if (message.role === "tool") {
      const count = open.get(message.toolCallId)
      if (count === undefined) return false
      if (count === 1) open.delete(message.toolCallId)
      else open.set(message.toolCallId, count - 1)
      continue
    }
    if (open.size > 0) return false
    if (message.role !== "assistant") continue
    if (isEmpty(message)) return false
    for (const { id } of message.toolCalls ?? []) open.set(id, (open.get(id) ?? 0) + 1)
  }
  return open.size === 0
}

/** What the model said, and all messages up to what it said next. Only the first turn may lack the model's words. */
type Turn = ReadonlyArray<Chat.Message>

const turnsOf = (messages: ReadonlyArray<Chat.Message>): ReadonlyArray<Turn> => {
  let turn: Array<Chat.Message> = []
  const turns = [turn]
  for (const message of messages) {
    if (message.role === "assistant") {
      turn = []
      turns.push(turn)
    }
    turn.push(message)
  }
  return turns
}

/**
 * After the model's words comes one result for each call, in the order of the calls: the first one that was given, or a
 * note that there is none.
 */
const repairTurn = (turn: Turn): Turn => {
  const [said] = turn
  if (said?.role !== "assistant") return turn.map(orphaned)
  const rest = turn.slice(1)
  if (isEmpty(said)) return rest.map(orphaned)
  const given = placesOf(rest)
  const taken = new Set<number>()
  const results = (said.toolCalls ?? []).map((call) => {
    const place = given.get(call.id)?.pop()
    const result = place === undefined ? undefined : rest[place]
    if (place === undefined || result === undefined) return interrupted(call)
    taken.add(place)
    return result
  })
  return [said, ...results, ...rest.flatMap((message, place) => (taken.has(place) ? [] : [orphaned(message)]))]
}

/** The places of each id's results, last one first. */
const placesOf = (messages: Turn): ReadonlyMap<string, Array<number>> => {
  const places = new Map<string, Array<number>>()
  for (let place = messages.length - 1; place >= 0; place--) {
    const message = messages[place]
    if (message?.role !== "tool") continue
    const known = places.get(message.toolCallId)
    if (known === undefined) places.set(message.toolCallId, [place])
    else known.push(place)
  }
  return places
}

const interrupted = (call: Chat.ToolCall): Chat.ToolMessage =>
  Message.toolResult(call, "The call was interrupted; there is no result.", { isError: true })

const orphaned = (message: Chat.Message): Chat.Message => (message.role === "tool" ? orphan(message) : message)

/** A result whose call is gone still has something to tell the model. */
const orphan = (result: Chat.ToolMessage): Chat.UserMessage => {
  const said = `Result of an earlier call of ${result.name}:`
  return Message.user(
    typeof result.content === "string" ? `${said} ${result.content}` : [Message.text(said), ...result.content]
  )
}

const isEmpty = ({ content, replay, toolCalls = [] }: Chat.AssistantMessage): boolean =>
  replay === undefined &&
  toolCalls.length === 0 &&
  (typeof content === "string" ? content === "" : content.every(({ text }) => text === ""))
