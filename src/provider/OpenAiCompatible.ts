/**
 * Any host that speaks OpenAI's wire: a gateway, a hosted open model, a server on this machine. The key is optional,
 * because a local server wants none.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

/** What such a host needs besides the common options. */
export interface Own {
  /** Names the provider in errors and notices. */
  readonly id: string
  /** Up to where `/chat/completions` follows, mostly with a `/v1` at its end. */
  readonly baseUrl: string
  /** The model of requests that name none. There is no default. */
  readonly model: string
  /** How this host departs from OpenAI. Default: not at all. */
  readonly dialect?: OpenAiChat.Dialect | undefined
}

/** What `make` and `layer` take. */
export type Options = Provider.Options & Own

/** What `layerConfig` takes: the same, with the key from `Config`. */
export type ConfigOptions = Provider.ConfigOptions & Own

const preset = Provider.preset<Own>(({ baseUrl, dialect, id }) => ({
  id,
  protocol: OpenAiChat.make(dialect),
  baseUrl,
  variable: `${id.toUpperCase().replace(/[^A-Z0-9]+/g, "_")}_API_KEY`,
  scheme: Credential.bearer,
  keyRequired: false
}))

/**
 * Builds a provider that asks the host: for a program with several, each under a tag of its own. It cannot fail; its
 * calls can.
 *
 * @example
 * import { Context, Effect, Layer, Redacted } from "effect"
 * import { OpenAiCompatible, type Provider } from "knowngood"
 *
 * const host = { id: "ollama", baseUrl: "http://localhost:11434/v1", model: "qwen3" }
 *
 * class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
 *
 * const layer = (key: string) =>
 *   Layer.effect(Writer, OpenAiCompatible.make({ ...host, apiKey: Redacted.make(key) }))
 */
export const make: (options: Options) => Effect.Effect<Provider.Keyed, never, HttpClient.HttpClient> = preset.make

/**
 * A layer of `Provider` that asks the host. A local server needs no `apiKey`.
 *
 * @example
 * import { Redacted } from "effect"
 * import { OpenAiCompatible } from "knowngood"
 *
 * const host = { id: "ollama", baseUrl: "http://localhost:11434/v1", model: "qwen3" }
 *
 * const layer = (key: string) => OpenAiCompatible.layer({ ...host, apiKey: Redacted.make(key) })
 */
export const layer: (options: Options) => Layer.Layer<Provider.Provider, never, HttpClient.HttpClient> = preset.layer

/**
 * A layer of `Provider` that asks the host, with the key from `Config`: by default from the variable that is named after
 * the `id`, `OLLAMA_API_KEY`. Without a key none is sent; where the server wants one, calls fail with `AuthMissing`.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { OpenAiCompatible } from "knowngood"
 *
 * const host = { id: "ollama", baseUrl: "http://localhost:11434/v1", model: "qwen3" }
 *
 * const layer = Layer.provide(OpenAiCompatible.layerConfig(host), FetchHttpClient.layer)
 */
export const layerConfig: (
  options: ConfigOptions
) => Layer.Layer<Provider.Provider, ConfigError.ConfigError, HttpClient.HttpClient> = preset.layerConfig
