/**
 * An answer with a 2xx, and what is read from it: a stream of events, a whole reply, or a list of models.
 */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Chat from "./Chat.js"
import * as Fault from "./Fault.js"
import * as Protocol from "./Protocol.js"
import type * as ProviderError from "./ProviderError.js"
import * as ResponseBody from "./ResponseBody.js"

/** A 2xx whose body is yet to be read. */
export interface Answer extends ResponseBody.Source {
  readonly contentType: () => string | undefined
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

type Read<A, R = never> = Effect.Effect<A, ProviderError.ProviderError, R>

/** An answer that has begun: its first events, and how to get at those after them. */
export interface Begun {
  readonly first: Taken
  readonly take: Read<Taken>
  /** Hands each later event over when it comes. */
  readonly each: (onEvent: (event: Chat.Event) => void) => Read<void>
}

/** Events, and whether they are the last. */
export type Taken = readonly [events: Chunk.Chunk<Chat.Event>, done: boolean]

/** Waits for the first events. A failure before them is this effect's, so that the call can be repeated. */
export const begin = (answer: Answer, wire: Wire): Read<Begun> => {
  // JSON or a page where a stream was promised: an error mostly, and sometimes the whole answer.
  if (/json|html/.test(answer.contentType() ?? "")) {
    return Effect.map(events(answer, wire), (events) => {
      const first: Taken = [Chunk.unsafeFromArray(events), true]
      return { first, take: Effect.succeed(first), each: () => Effect.void }
    })
  }
  const reader = Protocol.reader(wire.protocol.decoder(wire.dialect))
  const { each, take } = ResponseBody.events(answer, reader)
  const later = (fault: Fault.Fault) => answer.fail(fault, { partial: reader.text(), emitted: true })
  return Effect.matchEffect(take, {
    onFailure: (fault) => answer.fail(fault),
    onSuccess: (first) =>
      Effect.succeed({
        first,
        take: Effect.catchAll(take, later),
        each: (onEvent) => Effect.catchAll(each(onEvent), later)
      })
  })
}

/** Writes what has been taken, then takes more, until it is all. */
export const written = ({
  first,
  take
}: Begun): Channel.Channel<Chunk.Chunk<Chat.Event>, unknown, ProviderError.ProviderError> => {
  const write = ([events, done]: Taken): ReturnType<typeof written> =>
    done ? Channel.write(events) : Channel.flatMap(Channel.write(events), () => Channel.flatMap(take, write))
  return write(first)
}

/** Hands every event over as it comes; the reply is what they add up to. */
export const told = ({ each, first: [events, done] }: Begun, onEvent: (event: Chat.Event) => void): Read<Chat.Reply> =>
  Effect.suspend(() => {
    const sum = Chat.sum()
    const tell = (event: Chat.Event): void => {
      sum.add(event)
      onEvent(event)
    }
    for (const event of events) tell(event)
    return Effect.map(done ? Effect.void : each(tell), () => {
      const reply = sum.reply()
      if (reply === undefined) throw new Error("an answer ended without a Finish event, and without a fault")
      return reply
    })
  })

/** The whole reply, as the caller decodes it. */
export const reply =
  <A, R>(decode: (reply: Chat.Reply) => Effect.Effect<A, Fault.Fault, R>) =>
  (answer: Answer, wire: Wire): Read<A, R> =>
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
  Effect.matchEffect(ResponseBody.text(answer, maxBytes), {
    onFailure: (fault) => answer.fail(fault),
    onSuccess: (text) => {
      const decoded = decode(text)
      return Fault.isFault(decoded) ? answer.fail(decoded) : Effect.succeed(decoded)
    }
  })

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
