/**
 * A kind of trouble, calls that are made in it, and what is promised of them. A new one is a file in `weather/` and a line
 * in `Chaos.ts`.
 */
import { FetchHttpClient, type HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import type { Effect, Layer } from "effect"
import type * as Check from "./Check.js"

export interface Weather {
  /** For the command line. */
  readonly id: string
  /** What goes wrong, in a few words. */
  readonly title: string
  readonly run: (options: Options) => Effect.Effect<Outcome>
}

export interface Options {
  readonly seed: number
  readonly clients: ReadonlyArray<Client>
  /** The calls of the storm. The others make as many as they need. */
  readonly calls: number
}

export interface Outcome {
  readonly checks: ReadonlyArray<Check.Check>
  /** What else is worth reading: counts, and the first of what went wrong. */
  readonly lines: ReadonlyArray<string>
  /** The same for a program. */
  readonly facts: Readonly<Record<string, unknown>>
}

export const clients = { fetch: FetchHttpClient.layer, undici: NodeHttpClient.layerUndici } as const satisfies Record<
  string,
  Layer.Layer<HttpClient.HttpClient>
>

export type Client = keyof typeof clients
