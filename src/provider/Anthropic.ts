/**
 * Anthropic, and everyone who speaks its wire: with `baseUrl`, MiMo, DeepSeek, MiniMax and GLM under their `/anthropic`.
 * Host, headers and versions: Anthropic API docs.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as BaseUrl from "../BaseUrl.js"
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as AnthropicMessages from "../protocol/AnthropicMessages.js"

/** What Anthropic takes besides the common options. */
export interface Own {
  /** The model of requests that name none. There is no default: models come and go. */
  readonly model: string
  /** How the key is sent. Default `Credential.header("x-api-key")`; MiMo's `/anthropic` documents `api-key`. */
  readonly scheme?: Credential.Scheme | undefined
  /**
   * The version of the API, a date. Default `2023-06-01`. `2026-10-21` and later take no `temperature`, `topP` and
   * `top_k`: a request that has one fails with `InvalidRequest`, its `problem` `Unsupported`, and is not sent.
   */
  readonly version?: string | undefined
}

/** What `make` and `layer` take. */
export type Options = Provider.Options & Own

/** What `layerConfig` takes: the same, with the key from `Config`. */
export type ConfigOptions = Provider.ConfigOptions & Own

const host = "https://api.anthropic.com"

const preset = Provider.preset<Own & Pick<Provider.Options, "baseUrl">>(({ baseUrl = host, scheme, version }) => ({
  id: "anthropic",
  protocol: AnthropicMessages.make({ version, ownHost: BaseUrl.parse(baseUrl)?.origin === host }),
  baseUrl: host,
  variable: "ANTHROPIC_API_KEY",
  scheme: scheme ?? Credential.header("x-api-key"),
  keyRequired: true
}))

/**
 * Builds a provider that asks Anthropic: for a program with several, each under a tag of its own. It cannot fail; its
 * calls can.
 *
 * @example
 * import { Context, Effect, Layer, Redacted } from "effect"
 * import { Anthropic, type Provider } from "knowngood"
 *
 * class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
 *
 * const layer = (key: string) =>
 *   Layer.effect(Writer, Anthropic.make({ model: "claude-sonnet-5", apiKey: Redacted.make(key) }))
 */
export const make: (options: Options) => Effect.Effect<Provider.Keyed, never, HttpClient.HttpClient> = preset.make

/**
 * A layer of `Provider` that asks Anthropic.
 *
 * @example
 * import { Redacted } from "effect"
 * import { Anthropic } from "knowngood"
 *
 * const layer = (key: string) => Anthropic.layer({ model: "claude-sonnet-5", apiKey: Redacted.make(key) })
 */
export const layer: (options: Options) => Layer.Layer<Provider.Provider, never, HttpClient.HttpClient> = preset.layer

/**
 * A layer of `Provider` that asks Anthropic, with the key from `Config`, by default from `ANTHROPIC_API_KEY`.
 * A missing key is no `ConfigError`: calls fail with `AuthMissing`, so that a UI can ask for one.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Anthropic } from "knowngood"
 *
 * const layer = Layer.provide(Anthropic.layerConfig({ model: "claude-sonnet-5" }), FetchHttpClient.layer)
 */
export const layerConfig: (
  options: ConfigOptions
) => Layer.Layer<Provider.Provider, ConfigError.ConfigError, HttpClient.HttpClient> = preset.layerConfig
