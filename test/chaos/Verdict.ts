/** The outcome of a call, compared with what the server must have said. */
import { Chat, type ProviderError } from "../../src/index.js"
import * as Speech from "./Speech.js"

/** How the output that a call gave is wrong. */
export type Flaw = "duplicate" | "lost" | "mixed up"

/**
 * The flaw in what a stream gave. A stream that failed may have given a beginning; one that ended must have given all.
 */
export const ofEvents = (call: number, seen: ReadonlyArray<Chat.Event>, ended: boolean): Flaw | undefined => {
  const expected = Speech.eventsOf(call).map(keyOf)
  const keys = seen.map(keyOf)
  if (keys.some((key) => !expected.includes(key))) return "mixed up"
  if (new Set(keys).size < keys.length) return "duplicate"
  if (keys.some((key, i) => key !== expected[i])) return keys.length < expected.length ? "lost" : "mixed up"
  return ended && keys.length < expected.length ? "lost" : undefined
}

/** Pieces differ from each other, so an event that comes twice is a duplicate. */
const keyOf = (event: Chat.Event): string => JSON.stringify(Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1)))

/** The flaw in an answer that is not streamed: it is the right one, or another call's. */
export const ofReply = (call: number, reply: Chat.Reply): Flaw | undefined => {
  const expected = Chat.reply(Speech.eventsOf(call))
  return JSON.stringify(expected) === JSON.stringify(reply) ? undefined : "mixed up"
}

/** The flaw in the partial text of an error. */
export const ofPartial = (error: ProviderError.ProviderError, seen: ReadonlyArray<Chat.Event>): Flaw | undefined => {
  const shown = seen.map((event) => (event._tag === "TextDelta" ? event.text : "")).join("")
  if (error.emitted !== seen.length > 0) return "lost"
  return !error.emitted || error.partial === shown ? undefined : "lost"
}

/** The tag of an error, and its reason where it has one. */
export const nameOf = (error: ProviderError.ProviderError): string =>
  "reason" in error ? `${error._tag} ${error.reason}` : error._tag
