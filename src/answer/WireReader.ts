/**
 * Drives a protocol's decoder with the bytes of one response body. Plain code: a stream and a fold can both use it, and
 * cutting the bytes elsewhere gives the same events.
 */
import type * as Chat from "../Chat.js"
import * as Joiner from "../Joiner.js"
import * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as Fault from "../refusal/Fault.js"
import * as Sse from "./Sse.js"

export interface Options {
  /** The most bytes that one server-sent event may have. Default 32 MiB. */
  readonly maxEventBytes?: number | undefined
  /** The most bytes that the whole answer may have. Default 128 MiB. */
  readonly maxBytes?: number | undefined
}

export const make = (decoder: Protocol.Decoder, options?: Options): WireReader => new WireReader(decoder, options)

/** Decodes an answer that was not streamed, with the decoder that also reads streams. */
export const decodeBody = (decoder: Protocol.Decoder, text: string): ReadonlyArray<Chat.Event> | Fault.Fault => {
  const fields = Json.record(Json.parse(text))
  if (fields === undefined) return Fault.malformed("NotTheProtocol", text)
  const events: Array<Chat.Event> = []
  const step = decoder.decodeBody(fields, text, events)
  return Fault.isFault(step) ? step : events
}

export class WireReader {
  private step: Protocol.Step = "more"
  /** What the decoder has read since the last `feed`. */
  private events: Array<Chat.Event> = []
  /** Whether at least one server-sent event has arrived. */
  private hasBegun = false
  /** How many bytes may still arrive. */
  private left: number
  /** The text of the answer so far. */
  private readonly joiner = Joiner.make()
  private readonly parser: Sse.Parser

  constructor(
    private readonly decoder: Protocol.Decoder,
    { maxBytes = 128 * 1024 * 1024, maxEventBytes }: Options = {}
  ) {
    this.left = maxBytes
    this.parser = Sse.make({
      ...(maxEventBytes === undefined ? undefined : { maxEventBytes }),
      onEvent: (data, name) => {
        this.hasBegun = true
        if (this.step === "more") this.step = this.decoder.step(data, name, this.events)
      }
    })
  }

  /** The events in this chunk. None once `state` is not `more`. */
  feed(bytes: Uint8Array): ReadonlyArray<Chat.Event> {
    if (this.step !== "more") return []
    this.left -= bytes.length
    if (this.left < 0) this.step = Fault.malformed("TooLarge")
    else if (!this.parser.feed(bytes) && this.step === "more") this.step = Fault.malformed("TooLarge")
    return this.take()
  }

  /** The body has ended or was cut off. Gives what was held back, if the answer is complete. */
  end(): ReadonlyArray<Chat.Event> {
    if (this.step === "more") this.step = this.decoder.end(this.events)
    return this.take()
  }

  state(): Protocol.Step {
    return this.step
  }

  /** Whether at least one server-sent event has arrived. */
  begun(): boolean {
    return this.hasBegun
  }

  /** The text of the answer so far. */
  text(): string {
    return this.joiner.join()
  }

  private take(): ReadonlyArray<Chat.Event> {
    const { events } = this
    this.events = []
    for (const event of events) if (event._tag === "TextDelta") this.joiner.add(event.text)
    return events
  }
}
