/**
 * An answer with a 2xx, and what is read from it: a stream of events, a whole reply, or a list of models.
 */
import * as Effect from "effect/Effect"
import * as Chat from "../Chat.js"
import type * as Protocol from "../Protocol.js"
import type * as ProviderError from "../ProviderError.js"
import * as Fault from "../refusal/Fault.js"
import { EventReader } from "./EventReader.js"
import * as Opened from "./Opened.js"
import * as Provenance from "./Provenance.js"
import * as ResponseBody from "./ResponseBody.js"
import * as WireReader from "./WireReader.js"

/** A 2xx whose body is yet to be read. */
export interface Answer extends ResponseBody.Source {
  readonly contentType: () => string | undefined
  /** Fails as the fault means. */
  readonly fail: (fault: Fault.Fault, sofar?: SoFar) => Effect.Effect<never, ProviderError.ProviderError>
  /** For a fault that is found in the reply once the call has ended: fails as that fault means. */
  readonly afterwards: () => Provenance.Fail
}

/** What had arrived before the fault. */
export interface SoFar {
  readonly partial: string
  /** Whether that had reached the caller. */
  readonly emitted: boolean
}

type Read<A, R = never> = Effect.Effect<A, ProviderError.ProviderError, R>

/** Waits for the first events. A failure before them is this effect's, so that the call can be repeated. */
export const open = (answer: Answer, protocol: Protocol.Protocol): Read<Opened.Opened> => {
  // JSON or a page where a stream was promised: an error mostly, and sometimes the whole answer.
  if (/json|html/.test(answer.contentType() ?? "")) {
    return Effect.map(events(answer, protocol), Opened.fromEvents)
  }
  const reader = WireReader.make(protocol.decoder())
  const { take, wait } = new EventReader(answer, reader)
  const later = (fault: Fault.Fault) => answer.fail(fault, { partial: reader.text(), emitted: true })
  return Effect.matchEffect(Opened.next({ take, wait }), {
    onFailure: (fault) => answer.fail(fault),
    onSuccess: (first) =>
      Effect.succeed({
        first,
        wait,
        take: () => {
          const more = take()
          return more._tag === "Failed" ? Opened.failed(Effect.catchAll(more.failure, later)) : more
        }
      })
  })
}

/** The whole reply. */
export const reply = (answer: Answer, protocol: Protocol.Protocol): Read<Chat.Reply> =>
  Effect.flatMap(events(answer, protocol), (events) => {
    const reply = Chat.reply(events)
    return reply === undefined
      ? answer.fail(Fault.malformed("NotTheProtocol"))
      : Effect.succeed(Provenance.noted(reply, answer.afterwards()))
  })

export const models = (answer: Answer, protocol: Protocol.Protocol): Read<ReadonlyArray<Protocol.Model>> =>
  readText(answer, protocol.decodeModels)

/** The most bytes that are read of an answer that is not streamed. */
const maxBytes = 64 * 1024 * 1024

const readText = <A>(
  answer: Answer,
  decode: (text: string) => ReadonlyArray<A> | Fault.Fault
): Read<ReadonlyArray<A>> =>
  Effect.matchEffect(ResponseBody.text(answer, maxBytes), {
    onFailure: (fault) => answer.fail(fault),
    onSuccess: (text) => {
      const decoded = decode(text)
      return Fault.isFault(decoded) ? answer.fail(decoded) : Effect.succeed(decoded)
    }
  })

const events = (answer: Answer, protocol: Protocol.Protocol): Read<ReadonlyArray<Chat.Event>> =>
  readText(answer, (text) => {
    if (text.trim() === "") return Fault.malformed("Empty")
    // Some gateways stream though nobody asked them to.
    if (/^\s*(data|event|:)/.test(text)) return streamed(text, WireReader.make(protocol.decoder()))
    return WireReader.decodeBody(protocol.decoder(), text)
  })

const streamed = (text: string, reader: WireReader.WireReader): ReadonlyArray<Chat.Event> | Fault.Fault => {
  const events = [...reader.feed(new TextEncoder().encode(text)), ...reader.end()]
  const state = reader.state()
  return Fault.isFault(state) ? state : events
}
