/**
 * OpenAI, over either of its wires. Host and fields: OpenAI API docs; in chat completions, its reasoning models refuse
 * `max_tokens` (recorded).
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"
import * as OpenAiResponses from "../protocol/OpenAiResponses.js"

/** What OpenAI needs besides the common options. */
export interface Own {
  /** The model of requests that name none. There is no default: models come and go. */
  readonly model: string
  /**
   * `chat`: chat completions. `responses`: the newer wire, on which the model sees its earlier reasoning again, even
   * though OpenAI keeps nothing (`store: false`): the reasoning is encrypted, and `Reply.message` carries it. There, a
   * request with `stop` is not sent: it fails with `InvalidRequest`, its `problem` `Unsupported`. Default `chat`.
   */
  readonly wire?: "chat" | "responses" | undefined
}

/** What `make` and `layer` take. */
export type Options = Provider.Options & Own

/** What `layerConfig` takes: the same, with the key from `Config`. */
export type ConfigOptions = Provider.ConfigOptions & Own

const preset = Provider.preset<Own>(({ wire }) => ({
  id: "openai",
  protocol: wire === "responses" ? OpenAiResponses.make() : OpenAiChat.make({ maxTokens: "max_completion_tokens" }),
  baseUrl: "https://api.openai.com/v1",
  variable: "OPENAI_API_KEY",
  scheme: Credential.bearer,
  keyRequired: true
}))

/**
 * Builds a provider that asks OpenAI: for a program with several, each under a tag of its own. It cannot fail; its
 * calls can.
 *
 * @example
 * import { Context, Effect, Layer, Redacted } from "effect"
 * import { OpenAi, type Provider } from "knowngood"
 *
 * class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
 *
 * const layer = (key: string) =>
 *   Layer.effect(Writer, OpenAi.make({ model: "gpt-5.5", apiKey: Redacted.make(key) }))
 */
export const make: (options: Options) => Effect.Effect<Provider.Keyed, never, HttpClient.HttpClient> = preset.make

/**
 * A layer of `Provider` that asks OpenAI.
 *
 * @example
 * import { Redacted } from "effect"
 * import { OpenAi } from "knowngood"
 *
 * const layer = (key: string) => OpenAi.layer({ model: "gpt-5.5", apiKey: Redacted.make(key), wire: "responses" })
 */
export const layer: (options: Options) => Layer.Layer<Provider.Provider, never, HttpClient.HttpClient> = preset.layer

/**
 * A layer of `Provider` that asks OpenAI, with the key from `Config`, by default from `OPENAI_API_KEY`.
 * A missing key is no `ConfigError`: calls fail with `AuthMissing`, so that a UI can ask for one.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { OpenAi } from "knowngood"
 *
 * const layer = Layer.provide(OpenAi.layerConfig({ model: "gpt-5.5" }), FetchHttpClient.layer)
 */
export const layerConfig: (
  options: ConfigOptions
) => Layer.Layer<Provider.Provider, ConfigError.ConfigError, HttpClient.HttpClient> = preset.layerConfig
