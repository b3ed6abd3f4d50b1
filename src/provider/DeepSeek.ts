/**
 * DeepSeek, on OpenAI's wire. Host, models, thinking and the demand for `reasoning_content`: DeepSeek API docs.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

/** What `make` and `layer` take. */
export type Options = Provider.Options

/** What `layerConfig` takes: the same, with the key from `Config`. */
export type ConfigOptions = Provider.ConfigOptions

const preset = Provider.preset<unknown>(() => ({
  id: "deepseek",
  protocol: OpenAiChat.make({ reasoning: "thinking", output: "json", replaysReasoning: true }),
  baseUrl: "https://api.deepseek.com",
  variable: "DEEPSEEK_API_KEY",
  scheme: Credential.bearer,
  keyRequired: true,
  model: "deepseek-v4-flash"
}))

/**
 * Builds a provider that asks DeepSeek: for a program with several, each under a tag of its own. It cannot fail; its
 * calls can.
 *
 * @example
 * import { Context, Effect, Layer, Redacted } from "effect"
 * import { DeepSeek, type Provider } from "knowngood"
 *
 * class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
 *
 * const layer = (key: string) =>
 *   Layer.effect(Writer, DeepSeek.make({ model: "deepseek-v4-pro", apiKey: Redacted.make(key) }))
 */
export const make: (options: Options) => Effect.Effect<Provider.Keyed, never, HttpClient.HttpClient> = preset.make

/**
 * A layer of `Provider` that asks DeepSeek.
 *
 * @example
 * import { Redacted } from "effect"
 * import { DeepSeek } from "knowngood"
 *
 * const layer = (key: string) => DeepSeek.layer({ model: "deepseek-v4-pro", apiKey: Redacted.make(key) })
 */
export const layer: (options: Options) => Layer.Layer<Provider.Provider, never, HttpClient.HttpClient> = preset.layer

/**
 * A layer of `Provider` that asks DeepSeek, with the key from `Config`, by default from `DEEPSEEK_API_KEY`.
 * A missing key is no `ConfigError`: calls fail with `AuthMissing`, so that a UI can ask for one.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { DeepSeek } from "knowngood"
 *
 * const layer = Layer.provide(DeepSeek.layerConfig({ model: "deepseek-v4-pro" }), FetchHttpClient.layer)
 */
export const layerConfig: (
  options: ConfigOptions
) => Layer.Layer<Provider.Provider, ConfigError.ConfigError, HttpClient.HttpClient> = preset.layerConfig
