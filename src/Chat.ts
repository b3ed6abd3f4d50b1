/**
 * A conversation: what a program asks (`Request`), what arrives (`Event`) and what that adds up to (`Reply`). Plain
 * data, the same for every provider; the protocols translate it.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Event } from "./chat/Event.js"
import { type Reply, sum } from "./chat/Reply.js"

export * from "./chat/Event.js"
export * from "./chat/Message.js"
export * from "./chat/Reply.js"
export * from "./chat/Request.js"

/**
 * Runs a stream to its end and adds up its events. A provider's stream ends with `Finish` or fails; a stream that ends
 * without either is a defect.
 *
 * @example
 * import { Chat, Provider } from "knowngood"
 *
 * const reply = Provider.stream({ messages: [Chat.user("Why is the sky blue?")] }).pipe(Chat.collect)
 */
export const collect = <E, R>(self: Stream.Stream<Event, E, R>): Effect.Effect<Reply, E, R> =>
  Effect.suspend(() => {
    const { add, reply } = sum()
    const run = Stream.runForEachChunk(self, (events) => Effect.sync(() => Chunk.forEach(events, add)))
    return Effect.map(run, () => {
      const complete = reply()
      if (complete === undefined) throw new Error("Chat.collect: the stream ended without a Finish event")
      return complete
    })
  })

/**
 * Only the text that the model writes for the reader, piece by piece.
 *
 * @example
 * import { Chat, Provider } from "knowngood"
 *
 * const text = Provider.stream({ messages: [Chat.user("Why is the sky blue?")] }).pipe(Chat.textOnly)
 */
export const textOnly = <E, R>(self: Stream.Stream<Event, E, R>): Stream.Stream<string, E, R> =>
  Stream.filterMap(self, (event) => (event._tag === "TextDelta" ? Option.some(event.text) : Option.none()))
