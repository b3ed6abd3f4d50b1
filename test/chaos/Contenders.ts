/**
 * Who asks the throttled gateway: this SDK, and two others with their own retries as they come. The others are only
 * there when the packages of `test/bench` are installed.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { FetchHttpClient } from "@effect/platform"
import { Effect, Redacted } from "effect"
import { MiMo } from "../../src/index.js"

/** Asks once. Fails when the SDK does. */
export type Ask = Effect.Effect<unknown, unknown>

export interface Contender {
  /** For the command line. */
  readonly id: string
  readonly name: string
  /** Whether it asks a good key's 401 again. One that does not asks as fast as it can, and disturbs who measures beside it. */
  readonly retries401: boolean
  /** `undefined` if it is not installed. */
  readonly connect: (baseUrl: string) => Effect.Effect<Ask | undefined>
}

const apiKey = "tp-s0throttle0throttle0throttle"
const model = "throttled-1"
const question = { role: "user", content: "Are you there?" } as const

const knowngood = (id: string, name: string, coolDown: boolean): Contender => ({
  id,
  name,
  retries401: true,
  connect: (baseUrl) =>
    Effect.map(MiMo.make({ apiKey: Redacted.make(apiKey), baseUrl, model, coolDown }), (provider) =>
      provider.complete({ messages: [question] })
    ).pipe(Effect.provide(FetchHttpClient.layer))
})

/** The part of `openai` that is used here. */
interface OpenAi {
  readonly default: new (options: {
    readonly apiKey: string
    readonly baseURL: string
  }) => {
    readonly chat: { readonly completions: { readonly create: (body: object) => Promise<unknown> } }
  }
}

const openAiNode: Contender = {
  id: "openai-node",
  name: "openai-node",
  retries401: false,
  connect: (baseURL) =>
    installed<OpenAi>("openai").pipe(
      Effect.map((module) => {
        if (module === undefined) return undefined
        const client = new module.default({ apiKey, baseURL })
        return Effect.tryPromise(() => client.chat.completions.create({ model, messages: [question] }))
      })
    )
}

/** The parts of the AI SDK that are used here. */
interface Ai {
  readonly generateText: (options: { readonly model: unknown; readonly prompt: string }) => Promise<unknown>
}
interface AiOpenAiCompatible {
  readonly createOpenAICompatible: (options: {
    readonly name: string
    readonly apiKey: string
    readonly baseURL: string
  }) => (model: string) => unknown
}

const aiSdk: Contender = {
  id: "ai-sdk",
  name: "AI SDK",
  retries401: false,
  connect: (baseURL) =>
    Effect.all([installed<Ai>("ai"), installed<AiOpenAiCompatible>("@ai-sdk/openai-compatible")]).pipe(
      Effect.map(([ai, compatible]) => {
        if (ai === undefined || compatible === undefined) return undefined
        const languageModel = compatible.createOpenAICompatible({ name: "throttled", apiKey, baseURL })(model)
        return Effect.tryPromise(() => ai.generateText({ model: languageModel, prompt: question.content }))
      })
    )
}

/** The one that has goals. */
export const own: Contender = knowngood("knowngood", "knowngood", true)

/** The one that it is held against. */
export const rival: Contender = aiSdk

export const all: ReadonlyArray<Contender> = [
  own,
  knowngood("no-cool-down", "knowngood, coolDown: false", false),
  openAiNode,
  rival
]

const bench = new URL("../bench/package.json", import.meta.url)

/** A package of the benchmarks', as its own types would have it, or nothing. */
const installed = <Module>(name: string): Effect.Effect<Module | undefined> =>
  Effect.promise(async (): Promise<Module | undefined> => {
    if (!existsSync(new URL(`node_modules/${name}`, bench))) return undefined
    return import(pathToFileURL(createRequire(bench).resolve(name)).href)
  })
