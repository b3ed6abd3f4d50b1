import { Context, Effect, Layer, Redacted } from "effect"
import { Chat, DeepSeek, OpenAiCompatible, Provider } from "knowngood"

/** A program with two providers declares a tag for each, and builds them with `make`. */
class Planner extends Context.Tag("Planner")<Planner, Provider.Service>() {}
class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}

export const providers = Layer.mergeAll(
  Layer.effect(Planner, DeepSeek.make({ apiKey: Redacted.make("sk-…"), model: "deepseek-v4-pro" })),
  Layer.effect(Writer, OpenAiCompatible.make({ id: "ollama", baseUrl: "http://localhost:11434/v1", model: "qwen3" }))
)

export const article = (subject: string) =>
  Effect.gen(function* () {
    const planner = yield* Planner
    const writer = yield* Writer
    const plan = yield* planner.complete({ messages: [Chat.user(`An outline, please: ${subject}`)] })
    const text = yield* writer.complete({ messages: [Chat.user(`Write it out:\n${plan.text}`)] })
    return text.text
  })

/** Or one of them is the fallback of the other. */
export const either = Layer.effect(
  Provider.Provider,
  Effect.map(Effect.all([Planner, Writer]), ([planner, writer]) => Provider.fallback([planner, writer]))
)
