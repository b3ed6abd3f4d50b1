/**
 * What a wire format is. Types only: a protocol is a plain object, which `answer/WireReader` drives.
 *
 * A protocol is pure: it encodes a request into a body, and decodes an answer a step at a time. It knows no host and
 * no key. Where two hosts of one wire differ, the wire's own `make` takes a dialect and closes over it.
 */
import type * as Chat from "./Chat.js"
import type * as Json from "./Json.js"
import type * as Fault from "./refusal/Fault.js"

/** One wire format, as one host speaks it. `OpenAiChat.make`, `OpenAiResponses.make` and `AnthropicMessages.make` give one. */
export interface Protocol {
  /** The wire's name. A `Replay` carries it, and is sent back only over the wire of that name. */
  readonly id: string
  /** Where a chat is posted, under the base URL. */
  readonly path: string
  /** Headers that the wire demands. No option of a preset can replace them. */
  readonly headers: { readonly [name: string]: string }
  /** The body of a request. A value that JSON cannot hold may make it throw: such a request is `InvalidRequest`. */
  readonly encode: (request: Chat.Request, options: EncodeOptions) => Body
  /**
   * The first field of a body that the wire's version or the model is known to refuse, by its name in a request;
   * `undefined` if there is none. A body with one is not sent.
   */
  readonly unsupported: (body: Body) => string | undefined
  /** Makes a decoder for one answer. */
  readonly decoder: () => Decoder
  /** Where the list of models is, under the base URL. */
  readonly modelsPath: string
  /** Decodes the list of models from the text of its body. */
  readonly decodeModels: (text: string) => ReadonlyArray<Model> | Fault.Fault
}

/** A request in the wire's own fields, before it is written as JSON. */
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
  /** The name that a request gives as its `model`. */
  readonly id: string
  /** The name to show to people, if the provider says it. */
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

/** Decodes one answer. Each method appends what it reads to `events`. */
export interface Decoder {
  /** Reads one server-sent event. */
  readonly step: (data: string, name: string, events: Array<Chat.Event>) => Step
  /** The body of a stream has ended: `done` if what has arrived is a complete answer. */
  readonly end: (events: Array<Chat.Event>) => Step
  /** Decodes an answer that was not streamed: one JSON object, whose text is `raw`. */
  readonly decodeBody: (body: Json.Fields, raw: string, events: Array<Chat.Event>) => Step
}
