/** What a preset puts on the wire, read off a scripted gateway. */
import type { HttpClient } from "@effect/platform"
import { Effect, Redacted, Stream } from "effect"
import {
  Anthropic,
  type Chat,
  DeepSeek,
  MiMo,
  MiniMax,
  OpenAi,
  OpenAiCompatible,
  type Provider
} from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"

export type Preset = (
  options: Provider.Options & { readonly model: string }
) => Effect.Effect<Provider.Service, never, HttpClient.HttpClient>

/** Every preset, with the model `m`, so that bodies differ only in what the hosts demand. */
export const presets = {
  openai: OpenAi.make,
  responses: (options) => OpenAi.make({ ...options, wire: "responses" }),
  deepseek: DeepSeek.make,
  mimo: MiMo.make,
  minimax: MiniMax.make,
  anthropic: Anthropic.make,
  groq: (options) => OpenAiCompatible.make({ ...options, id: "groq", baseUrl: "https://gateway.test/openai/v1" }),
  openrouter: (options) =>
    OpenAiCompatible.make({
      ...options,
      id: "openrouter",
      baseUrl: "https://gateway.test/api/v1",
      dialect: { reasoning: "openrouter" }
    }),
  bare: (options) =>
    OpenAiCompatible.make({
      ...options,
      id: "bare",
      baseUrl: "http://127.0.0.1:8080/v1",
      dialect: { reasoning: "none", streamUsage: false }
    })
} satisfies { readonly [name: string]: Preset }

export type Name = keyof typeof presets

/** A service of this preset. */
export const service = (name: Name, options: Provider.Options = {}) =>
  presets[name]({ apiKey: Redacted.make("key-of-the-test"), ...options, model: options.model ?? "m" })

/** The request that the preset sends for this one. The answer is a refusal and does not matter. */
export const sent = (name: Name, request: Chat.Request, options: SentOptions = {}): Effect.Effect<Gateway.Recorded> =>
  Effect.gen(function* () {
    const provider = yield* service(name, options.provider)
    yield* Effect.exit(options.stream ? Stream.runDrain(provider.stream(request)) : provider.complete(request))
    const [recorded] = yield* Gateway.requests
    return recorded ?? (yield* Effect.dieMessage("nothing was sent"))
  }).pipe(Effect.provide(Gateway.layer([Gateway.status(400)])))

export interface SentOptions {
  readonly stream?: boolean
  readonly provider?: Provider.Options
}

/** The body of that request. */
export const body = (name: Name, request: Chat.Request, options?: SentOptions): Effect.Effect<unknown> =>
  Effect.map(sent(name, request, options), (recorded) => recorded.body)
