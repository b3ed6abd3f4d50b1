/** One streamed answer from a real service, with the key from its environment variable. */
import type { HttpClient } from "@effect/platform"
import { type ConfigError, Effect, Layer, Stream } from "effect"
// A user's program imports these from "knowngood".
import { Anthropic, Chat, DeepSeek, MiMo, MiniMax, OpenAi, Provider } from "../../src/index.js"
import * as Call from "./Call.js"
import type { Page } from "./Page.js"
import * as Step from "./Step.js"
import type { Words } from "./Words.js"

export const names = ["mimo", "deepseek", "minimax", "anthropic", "openai"] as const
export type Name = (typeof names)[number]

export interface Choice {
  readonly model: string | undefined
  readonly region: string | undefined
}

interface Service {
  readonly name: string
  /** The model if none is named: a cheap one that does not think for long. */
  readonly model: string
  readonly regions: ReadonlyArray<string>
  readonly layer: (
    choice: Choice & { readonly model: string }
  ) => Layer.Layer<Provider.Provider, ConfigError.ConfigError, HttpClient.HttpClient>
}

const miMoRegions: ReadonlyArray<MiMo.Region> = ["cn", "sgp", "ams", "payg"]
const miniMaxRegions: ReadonlyArray<MiniMax.Region> = ["cn", "global"]

const services: { readonly [name in Name]: Service } = {
  mimo: {
    name: "MiMo",
    model: "mimo-v2.5-pro",
    regions: miMoRegions,
    layer: ({ model, region }) => MiMo.layerConfig({ model, region: miMoRegions.find((known) => known === region) })
  },
  deepseek: {
    name: "DeepSeek",
    model: "deepseek-v4-flash",
    regions: [],
    layer: ({ model }) => DeepSeek.layerConfig({ model })
  },
  minimax: {
    name: "MiniMax",
    model: "MiniMax-M3",
    regions: miniMaxRegions,
    layer: ({ model, region }) =>
      MiniMax.layerConfig({ model, region: miniMaxRegions.find((known) => known === region) })
  },
  anthropic: {
    name: "Anthropic",
    model: "claude-haiku-4-5",
    regions: [],
    layer: ({ model }) => Anthropic.layerConfig({ model })
  },
  openai: { name: "OpenAI", model: "gpt-4.1-mini", regions: [], layer: ({ model }) => OpenAi.layerConfig({ model }) }
}

/** The regions of a provider; none if it has only one. */
export const regions = (name: Name): ReadonlyArray<string> => services[name].regions

/** Shows one streamed answer. The requests are counted on this side. */
export const play = (
  name: Name,
  choice: Choice,
  page: Page,
  words: Words
): Effect.Effect<Step.Seen, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const service = services[name]
    const model = choice.model ?? service.model
    const [{ question }] = words.talk
    yield* page.heading("", words.live(service.name, model))
    yield* page.paragraph(`> ${question}`)
    const provider = yield* Layer.build(service.layer({ ...choice, model }))
    const answer = Provider.stream({ messages: [Chat.user(question)] })
    const ending = yield* Call.show(Call.speak(Stream.provideContext(answer, provider), page, words), page, words)
    const requests = ending.error === undefined ? ending.retries + 1 : ending.error.attempts
    yield* page.paragraph(words.used(requests), "dim")
    return Step.seen(name, requests, ending)
  }).pipe(Effect.scoped, Effect.orDie)
