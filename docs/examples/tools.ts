import { Effect, Either, Schema } from "effect"
import { Chat, Provider, Tool } from "knowngood"

const weather = Tool.make({
  name: "get_weather",
  description: "The weather in a city, now",
  parameters: Schema.Struct({ city: Schema.String })
})

const forecast = (city: string) => `21 °C and clear in ${city}`

/** Asks, runs the tools that the model calls, and asks again, until there is an answer. */
export const ask = (question: string) => {
  const step = (messages: ReadonlyArray<Chat.Message>): Effect.Effect<string, Provider.Error, Provider.Provider> =>
    Effect.flatMap(Provider.complete({ messages, tools: [weather] }), (reply) => {
      if (reply.toolCalls.length === 0) return Effect.succeed(reply.text)
      const results = reply.toolCalls.map((call) =>
        Either.match(weather.decode(call), {
          // Arguments that do not fit are the model's mistake, which it can correct if it is told.
          onLeft: (misfit) => misfit.message,
          onRight: ({ city }) => Chat.toolResult(call, forecast(city))
        })
      )
      return step([...messages, reply.message, ...results])
    })
  return step([Chat.user(question)])
}
