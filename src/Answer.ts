/**
 * An answer with a 2xx, and what is read from it: a stream of events, a whole reply, or a list of models.
 */
import * as Channel from "effect/Channel"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Body from "./Body.js"
import * as Chat from "./Chat.js"
import * as Fault from "./Fault.js"
import * as Protocol from "./Protocol.js"
import type * as ProviderError from "./ProviderError.js"
import * as ResponseBody from "./ResponseBody.js"

/** A 2xx whose body is yet to be read. */
export interface Answer {
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: Body.Body
  readonly clocks: ResponseBody.Clocks
  /** Fails as the fault means. */
  readonly fail: (fault: Fault.Fault, sofar?: SoFar) => Effect.Effect<never, ProviderError.ProviderError>
}

/** What had come before the fault. */
export interface SoFar {
  readonly partial: string
  /** Whether it had reached the caller. */
  readonly emitted: boolean
}

/** Which wire, and how this host speaks it. */
export interface Wire {
  readonly protocol: Protocol.Protocol
  readonly dialect: Protocol.Dialect
}

type Read<A> = Effect.Effect<A, ProviderError.ProviderError, Scope.Scope>

/** Waits for the first events; the stream begins with them. A failure before them is the effect's, one after them the stream's. */
export const stream = (
  answer: Answer,
  wire: Wire
): Effect.Effect<Stream.Stream<Chat.Event, ProviderError.ProviderError>, ProviderError.ProviderError, Scope.Scope> => {
  // JSON or a page where a stream was promised: an error mostly, and sometimes the whole answer.
  if (/json|html/.test(answer.headers["content-type"] ?? "")) {
    return Effect.map(events(answer, wire), Stream.fromIterable)
  }
  const reader = Protocol.reader(wire.protocol.decoder(wire.dialect))
  return Effect.gen(function* () {
    const take = yield* ResponseBody.events(answer.body, reader, answer.clocks)
    const first = yield* Effect.catchAll(take, (fault) => answer.fail(fault))
    const later = Effect.catchAll(take, (fault) => answer.fail(fault, { partial: reader.text(), emitted: true }))
    return Stream.fromChannel(written(first, later))
  })
}

/** Writes what has been taken, then takes more, until it is all. */
const written = <E>(
  [events, done]: readonly [events: Chunk.Chunk<Chat.Event>, done: boolean],
  take: Effect.Effect<readonly [events: Chunk.Chunk<Chat.Event>, done: boolean], E>
): Channel.Channel<Chunk.Chunk<Chat.Event>, unknown, E> =>
  done
    ? Channel.write(events)
    : Channel.flatMap(Channel.write(events), () => Channel.flatMap(take, (taken) => written(taken, take)))

/** The whole reply, as the caller decodes it. */
export const reply =
  <A, R>(decode: (reply: Chat.Reply) => Effect.Effect<A, Fault.Fault, R>) =>
  (answer: Answer, wire: Wire): Effect.Effect<A, ProviderError.ProviderError, R | Scope.Scope> =>
    Effect.flatMap(events(answer, wire), (events) => {
      const reply = Chat.reply(events)
      if (reply === undefined) return answer.fail(Fault.malformed("the answer has no end"))
      return Effect.catchAll(decode(reply), (fault) => answer.fail(fault, { partial: reply.text, emitted: false }))
    })

export const models = (answer: Answer, wire: Wire): Read<ReadonlyArray<Protocol.Model>> =>
  whole(answer, wire.protocol.decodeModels)

/** The most that is read of an answer that comes whole. */
const maxBytes = 64 * 1024 * 1024

const whole = <A>(answer: Answer, decode: (text: string) => ReadonlyArray<A> | Fault.Fault): Read<ReadonlyArray<A>> =>
  ResponseBody.text(answer.body, { maxBytes, clocks: answer.clocks }).pipe(
    Effect.catchAll((fault) => answer.fail(fault)),
    Effect.flatMap((text) => {
      const decoded = decode(text)
      return Fault.isFault(decoded) ? answer.fail(decoded) : Effect.succeed(decoded)
    })
  )

const events = (answer: Answer, { dialect, protocol }: Wire): Read<ReadonlyArray<Chat.Event>> =>
  whole(answer, (text) => {
    if (text.trim() === "") return Fault.malformed("the body is empty")
    // Some gateways stream though nobody asked them to.
    if (/^\s*(data|event|:)/.test(text)) return streamed(text, Protocol.reader(protocol.decoder(dialect)))
    return protocol.decodeBody(text, dialect)
  })

const streamed = (text: string, reader: Protocol.Reader): ReadonlyArray<Chat.Event> | Fault.Fault => {
  const events = [...reader.feed(new TextEncoder().encode(text)), ...reader.end()]
  const state = reader.state()
  return Fault.isFault(state) ? state : events
}
