/**
 * What a wire format is. Types alone: a protocol is written as a plain object, and `answer/WireReader` drives it.
 *
 * A protocol is pure: it encodes a request into a body, and decodes an answer a step at a time. It knows no host and
 * no key. Where two hosts of one wire differ, the wire's own `make` takes a dialect and closes over it.
 */
import type * as Chat from "./Chat.js"
import type * as Json from "./Json.js"
import type * as Fault from "./refusal/Fault.js"

/** One wire format, as one host speaks it. `OpenAiChat.make` and `AnthropicMessages.make` give one. */
export interface Protocol {
  /** The wire's name. What must be replayed to a model carries it, and goes back over the wire of this name alone. */
  readonly id: string
  /** Where a chat is posted, under the base URL. */
  readonly path: string
  /** Headers that the wire demands. No option of a preset can replace them. */
  readonly headers: { readonly [name: string]: string }
  /** The body of a request. A value that JSON cannot hold may make it throw: such a request is `InvalidRequest`. */
  readonly encode: (request: Chat.Request, options: EncodeOptions) => Body
  /**
   * The first thing in a body that the wire's version or the model is known to refuse, by the name that a request has
   * for it. Such a body is not sent.
   */
  readonly unsupported: (body: Body) => string | undefined
  /** Makes what decodes one answer. */
  readonly decoder: () => Decoder
  /** Where the models are listed, under the base URL. */
  readonly modelsPath: string
  /** Decodes the list of models from the text of its body. */
  readonly decodeModels: (text: string) => ReadonlyArray<Model> | Fault.Fault
}

/** A request as the wire has it, before it is written as JSON. */
export type Body = Json.Fields

/** What a body needs besides the request. */
export interface EncodeOptions {
  /** The model to ask: the request's, else the layer's. */
  readonly model: string
  /** Whether the answer is to be streamed. */
  readonly stream: boolean
}

/** A model that a provider lists. */
export interface Model {
  /** What a request names it by. */
  readonly id: string
  /** What a reader is shown, if the provider says it. */
  readonly name: string | undefined
  /** Who made it, if the provider says it. */
  readonly ownedBy: string | undefined
  /** Tokens, if the provider says it. */
  readonly contextWindow: number | undefined
  /** Seconds since the epoch, if the provider says it. */
  readonly created: number | undefined
}

/** Whether to read on: the answer has more, is complete, or failed. */
export type Step = "more" | "done" | Fault.Fault

/** Decodes one answer. Each method appends to `events` what it has read. */
export interface Decoder {
  /** Reads one server-sent event. */
  readonly step: (data: string, name: string, events: Array<Chat.Event>) => Step
  /** The body of a stream has ended: `done` if what has arrived is a complete answer. */
  readonly end: (events: Array<Chat.Event>) => Step
  /** Decodes an answer that was not streamed: one JSON object, whose text is `raw`. */
  readonly decodeBody: (body: Json.Fields, raw: string, events: Array<Chat.Event>) => Step
}
