/**
 * MiniMax, on OpenAI's wire. Hosts, models and `reasoning_split`: MiniMax API docs. Its streams end without `[DONE]`
 * (recorded), and its errors may come inside a 200, in `base_resp`.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

/** Mainland China, or the rest of the world. Each has keys of its own. */
export type Region = "cn" | "global"

/** What MiniMax takes besides the common options. */
export interface Own {
  /** Where the key is valid. Default `global`. */
  readonly region?: Region | undefined
}

/** What `make` and `layer` take. */
export type Options = Provider.Options & Own

/** What `layerConfig` takes: the same, with the key from `Config`. */
export type ConfigOptions = Provider.ConfigOptions & Own

const hosts: { readonly [region in Region]: string } = {
  cn: "https://api.minimaxi.com/v1",
  global: "https://api.minimax.io/v1"
}

const preset = Provider.preset<Own>(({ region = "global" }) => ({
  id: "minimax",
  // Older models write their thinking into the text whatever `reasoning_split` says, so the tags are read as well.
  protocol: OpenAiChat.make({
    maxTokens: "max_completion_tokens",
    reasoning: "thinking-adaptive",
    output: "prompt",
    thinkTags: true,
    defaults: { reasoning_split: true }
  }),
  baseUrl: hosts[region],
  variable: "MINIMAX_API_KEY",
  scheme: Credential.bearer,
  keyRequired: true,
  model: "MiniMax-M3"
}))

/**
 * Builds a provider that asks MiniMax: for a program with several, each under a tag of its own. It cannot fail; its
 * calls can.
 *
 * @example
 * import { Context, Effect, Layer, Redacted } from "effect"
 * import { MiniMax, type Provider } from "knowngood"
 *
 * class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
 *
 * const layer = (key: string) =>
 *   Layer.effect(Writer, MiniMax.make({ region: "cn", apiKey: Redacted.make(key) }))
 */
export const make: (options: Options) => Effect.Effect<Provider.Keyed, never, HttpClient.HttpClient> = preset.make

/**
 * A layer of `Provider` that asks MiniMax.
 *
 * @example
 * import { Redacted } from "effect"
 * import { MiniMax } from "knowngood"
 *
 * const layer = (key: string) => MiniMax.layer({ region: "cn", apiKey: Redacted.make(key) })
 */
export const layer: (options: Options) => Layer.Layer<Provider.Provider, never, HttpClient.HttpClient> = preset.layer

/**
 * A layer of `Provider` that asks MiniMax, with the key from `Config`, by default from `MINIMAX_API_KEY`.
 * A missing key is no `ConfigError`: calls fail with `AuthMissing`, so that a UI can ask for one.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { MiniMax } from "knowngood"
 *
 * const layer = Layer.provide(MiniMax.layerConfig({ region: "cn" }), FetchHttpClient.layer)
 */
export const layerConfig: (
  options: ConfigOptions
) => Layer.Layer<Provider.Provider, ConfigError.ConfigError, HttpClient.HttpClient> = preset.layerConfig
