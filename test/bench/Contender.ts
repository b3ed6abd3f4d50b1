/** Who is measured, on which wire, and what each has to do. */
import type * as Wire from "./Wire.js"

/** A client of one base URL, made once and used for many calls, as an application does. */
export interface Client {
  /** Streams one chat, and tells each piece of its text as it comes. */
  readonly stream: (onText: (text: string) => void) => Promise<unknown>
  /** The text of one chat that is not streamed. */
  readonly complete: () => Promise<string>
}

/** `root` is the address up to where the API begins: `/v1` follows. */
export type Connect = (root: string) => Client

/** What is measured: streams, replies that come whole, or memory. */
export type Kind = "stream" | "whole" | "memory"

export interface Contender {
  readonly name: string
  /** A file of `contenders/`, and the `Connect` in it for each wire that it speaks. */
  readonly file: string
  readonly wires: ReadonlyArray<Wire.Name>
  /** So slow per event that its streams are shorter than the others', so that a run ends. */
  readonly slow?: boolean
  /** What it has a part in. Default: all. Ways to follow a stream differ in nothing else. */
  readonly only?: ReadonlyArray<Kind>
  /** Takes part in a quick run. */
  readonly quick?: boolean
}

/** What the others are compared with. */
export const limit = "fetch, by hand"

const both: ReadonlyArray<Wire.Name> = ["chat", "messages"]

/** `@effect/ai-openai` speaks only the Responses wire; it is compared with a hand-written loop on that wire. */
export const all: ReadonlyArray<Contender> = [
  { name: limit, file: "fetch", wires: [...both, "responses"], quick: true },
  { name: "undici + eventsource-parser", file: "undici", wires: both },
  { name: "knowngood (undici)", file: "knowngoodUndici", wires: both, quick: true },
  { name: "knowngood listen (undici)", file: "listenUndici", wires: both, quick: true, only: ["stream"] },
  { name: "knowngood (fetch)", file: "knowngoodFetch", wires: both, quick: true },
  { name: "knowngood listen (fetch)", file: "listenFetch", wires: both, quick: true, only: ["stream"] },
  { name: "knowngood iterate (fetch)", file: "iterateFetch", wires: both, only: ["stream"] },
  { name: "Effect alone (undici)", file: "platformUndici", wires: ["chat"], only: ["stream", "whole"] },
  { name: "Effect alone (fetch)", file: "platformFetch", wires: ["chat"], only: ["stream", "whole"] },
  { name: "openai", file: "openai", wires: ["chat"], quick: true },
  { name: "@anthropic-ai/sdk", file: "anthropic", wires: ["messages"] },
  { name: "ai", file: "aiSdk", wires: both, slow: true },
  { name: "@effect/ai (undici)", file: "effectAiUndici", wires: ["responses", "messages"], slow: true },
  { name: "@effect/ai (fetch)", file: "effectAiFetch", wires: ["responses", "messages"], slow: true }
]

export const on = (wire: Wire.Name, quick: boolean, kind: Kind): ReadonlyArray<Contender> =>
  all.filter(
    ({ only, quick: short, wires }) =>
      wires.includes(wire) && (!quick || short === true) && only?.includes(kind) !== false
  )
