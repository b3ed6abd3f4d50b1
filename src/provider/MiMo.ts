/**
 * Xiaomi MiMo, on OpenAI's wire. The reason this package exists: under load its token-plan gateway answers 401 for a
 * key that works (esengine/DeepSeek-Reasonix issue 3146).
 *
 * Hosts, header and models: MiMo API docs. A `tp-` key works on the cluster that issued it and nowhere else.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

/** A token-plan cluster, or `payg` for pay-as-you-go. */
export type Region = "cn" | "sgp" | "ams" | "payg"

/** What MiMo takes besides the common options. */
export interface Own {
  /** Where the key is valid. Default `payg`. */
  readonly region?: Region | undefined
}

/** What `make` and `layer` take. */
export type Options = Provider.Options & Own

/** What `layerConfig` takes: the same, with the key from `Config`. */
export type ConfigOptions = Provider.ConfigOptions & Own

const hosts: { readonly [region in Region]: string } = {
  cn: "https://token-plan-cn.xiaomimimo.com/v1",
  sgp: "https://token-plan-sgp.xiaomimimo.com/v1",
  ams: "https://token-plan-ams.xiaomimimo.com/v1",
  payg: "https://api.xiaomimimo.com/v1"
}

const hostOf = (region: Region): string => new URL(hosts[region]).hostname

/** Prefixes of clusters: reported by users. */
const keyHosts: ReadonlyArray<Provider.KeyHosts> = [
  { prefix: "tp-c", hosts: [hostOf("cn")] },
  { prefix: "tp-s", hosts: [hostOf("sgp")] },
  { prefix: "tp-e", hosts: [hostOf("ams")] },
  { prefix: "tp-", hosts: [hostOf("cn"), hostOf("sgp"), hostOf("ams")] },
  { prefix: "sk-", hosts: [hostOf("payg")] }
]

const preset = Provider.preset<Own>(({ region = "payg" }) => ({
  id: "mimo",
  protocol: OpenAiChat.make({
    maxTokens: "max_completion_tokens",
    reasoning: "thinking",
    efforts: { minimal: "low", xhigh: "high", max: "high" },
    output: "json",
    replaysReasoning: true,
    namesToolResults: true
  }),
  baseUrl: hosts[region],
  variable: "MIMO_API_KEY",
  scheme: Credential.header("api-key"),
  keyRequired: true,
  keyHosts,
  model: "mimo-v2.5-pro"
}))

/**
 * Builds a provider that asks MiMo: for a program with several, each under a tag of its own. It cannot fail; its
 * calls can.
 *
 * @example
 * import { Context, Effect, Layer, Redacted } from "effect"
 * import { MiMo, type Provider } from "knowngood"
 *
 * class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
 *
 * const layer = (key: string) =>
 *   Layer.effect(Writer, MiMo.make({ region: "sgp", model: "mimo-v2.5-pro", apiKey: Redacted.make(key) }))
 */
export const make: (options: Options) => Effect.Effect<Provider.Keyed, never, HttpClient.HttpClient> = preset.make

/**
 * A layer of `Provider` that asks MiMo.
 *
 * @example
 * import { Redacted } from "effect"
 * import { MiMo } from "knowngood"
 *
 * const layer = (key: string) => MiMo.layer({ region: "sgp", model: "mimo-v2.5-pro", apiKey: Redacted.make(key) })
 */
export const layer: (options: Options) => Layer.Layer<Provider.Provider, never, HttpClient.HttpClient> = preset.layer

/**
 * A layer of `Provider` that asks MiMo, with the key from `Config`, by default from `MIMO_API_KEY`.
 * A missing key is no `ConfigError`: calls fail with `AuthMissing`, so that a UI can ask for one.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { MiMo } from "knowngood"
 *
 * const layer = Layer.provide(MiMo.layerConfig({ region: "sgp" }), FetchHttpClient.layer)
 */
export const layerConfig: (
  options: ConfigOptions
) => Layer.Layer<Provider.Provider, ConfigError.ConfigError, HttpClient.HttpClient> = preset.layerConfig
