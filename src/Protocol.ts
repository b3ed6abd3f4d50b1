/**
 * What a wire format is, and the one driver that turns the bytes of an answer into events.
 *
 * A protocol is pure: it encodes a request into a body, and decodes an answer a step at a time. It knows no host and
 * no key; where two hosts of one wire differ, a `Dialect` says how.
 */

import * as Sse from "./answer/Sse.js"
import type * as Chat from "./Chat.js"
import * as Joiner from "./Joiner.js"
import * as Fault from "./refusal/Fault.js"

export interface Protocol {
  readonly id: "openai-chat" | "anthropic-messages"
  /** Where a chat is posted, under the base URL. */
  readonly path: string
  /** Headers that the wire demands. */
  readonly headers: { readonly [name: string]: string }
  readonly encode: (request: Chat.Request, options: EncodeOptions) => Body
  /**
   * The first thing in a body that the wire's version or the model is known to refuse, by the name that a request has
   * for it. Such a body is not sent.
   */
  readonly unsupported: (body: Body) => string | undefined
  /** Decodes a streamed answer. One decoder per answer. */
  readonly decoder: (dialect: Dialect) => Decoder
  /** Decodes an answer that came whole. */
  readonly decodeBody: (text: string, dialect: Dialect) => ReadonlyArray<Chat.Event> | Fault.Fault
  /** Where the models are listed, under the base URL. */
  readonly modelsPath: string
  readonly decodeModels: (text: string) => ReadonlyArray<Model> | Fault.Fault
}

export type Body = { readonly [field: string]: unknown }

export interface EncodeOptions {
  readonly model: string
  readonly stream: boolean
  readonly dialect: Dialect
}

/** A model that a provider lists. */
export interface Model {
  readonly id: string
  readonly name: string | undefined
  readonly ownedBy: string | undefined
  /** Tokens. */
  readonly contextWindow: number | undefined
  /** Seconds since the epoch. */
  readonly created: number | undefined
}

/** How a host departs from its wire's norm. Every field is optional; the norm is what the wire's owner does. */
export interface Dialect {
  /** The field for `maxTokens`. Default `max_tokens`. */
  readonly maxTokens?: "max_tokens" | "max_completion_tokens" | undefined
  /** How `reasoning` is written. Default `effort`: a `reasoning_effort` field. `none` leaves it out. */
  readonly reasoning?: "effort" | "thinking" | "thinking-adaptive" | "openrouter" | "none" | undefined
  /** This host's words for efforts that it does not have under ours. */
  readonly efforts?: { readonly [effort: string]: string } | undefined
  /**
   * How `output` is asked for. `schema` (default): in `response_format`, schema and all; `json`: a JSON object, with the
   * schema told to the model in words; `prompt`: in words alone.
   */
  readonly output?: "schema" | "json" | "prompt" | undefined
  /** Assistant turns carry their `reasoning_content` back. Default false. */
  readonly replaysReasoning?: boolean | undefined
  /**
   * Tool calls carry their `extra_content` back: Gemini's thought signatures. Gemini 3 answers a call without its
   * signature with a 400, and Mistral and Fireworks so answer a call with one. Default: where the model's name has
   * `gemini` in it.
   */
  readonly replaysExtraContent?: boolean | undefined
  /** Tool messages carry the tool's `name`. Default false. */
  readonly namesToolResults?: boolean | undefined
  /** `<think>` at the head of the text is reasoning. Default false. */
  readonly thinkTags?: boolean | undefined
  /** Asks for usage with `stream_options`. Default true. */
  readonly streamUsage?: boolean | undefined
  /** Fields that every request of this host carries, unless the request sets them. */
  readonly defaults?: Body | undefined
}

/** Whether to read on: the answer has more, is complete, or failed. */
export type Step = "more" | "done" | Fault.Fault

export interface Decoder {
  /** Reads one server-sent event and appends what it says. */
  readonly step: (data: string, name: string, events: Array<Chat.Event>) => Step
  /** The body ended. `done` if what came before was a whole answer. */
  readonly end: (events: Array<Chat.Event>) => Step
}

/** Bytes of one answer in, events out. A plain object: a stream and a fold can both drive it. */
export interface Reader {
  /** What this chunk says. Nothing once `state` is not `more`. */
  readonly feed: (bytes: Uint8Array) => ReadonlyArray<Chat.Event>
  /** The body ended, or was cut off: what was still held back, if it was a whole answer. */
  readonly end: () => ReadonlyArray<Chat.Event>
  readonly state: () => Step
  /** Whether a single server-sent event came. */
  readonly begun: () => boolean
  /** The text of the answer so far. */
  readonly text: () => string
}

export interface ReaderOptions {
  /** The most bytes that one server-sent event may have. Default 32 MiB. */
  readonly maxEventBytes?: number | undefined
  /** The most bytes that the whole answer may have. Default 128 MiB. */
  readonly maxBytes?: number | undefined
}

/** Drives a decoder with the bytes of one response body. Cutting the bytes elsewhere gives the same events. */
export const reader = (decoder: Decoder, options?: ReaderOptions): Reader => {
  let state: Step = "more"
  let events: Array<Chat.Event> = []
  let begun = false
  let left = options?.maxBytes ?? 128 * 1024 * 1024
  const parser = Sse.make({
    ...(options?.maxEventBytes === undefined ? undefined : { maxEventBytes: options.maxEventBytes }),
    onEvent: (data, name) => {
      begun = true
      if (state === "more") state = decoder.step(data, name, events)
    }
  })
  const text = Joiner.make()
  const take = () => {
    const taken = events
    events = []
    for (const event of taken) if (event._tag === "TextDelta") text.add(event.text)
    return taken
  }
  return {
    state: () => state,
    begun: () => begun,
    text: text.join,
    feed: (bytes) => {
      if (state !== "more") return []
      left -= bytes.length
      if (left < 0) state = Fault.malformed("TooLarge")
      else if (!parser.feed(bytes) && state === "more") state = Fault.malformed("TooLarge")
      return take()
    },
    end: () => {
      if (state === "more") state = decoder.end(events)
      return take()
    }
  }
}
