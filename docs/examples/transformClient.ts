import { HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Config, Context, Effect, Layer, Schema } from "effect"
import { Credential, Explain, ProviderError, Transport } from "knowngood"

/** A client of the weather service: its address, its key, and an error for whatever is not a 2xx. */
export class Weather extends Context.Tag("Weather")<Weather, HttpClient.HttpClient>() {
  static readonly layer = Layer.effect(
    Weather,
    Effect.gen(function* () {
      const credential = yield* Credential.make({ source: "WEATHER_KEY", apiKey: Config.redacted("WEATHER_KEY") })
      return (yield* HttpClient.HttpClient).pipe(
        HttpClient.mapRequest(HttpClientRequest.prependUrl("https://api.weather.example/v1")),
        HttpClient.filterStatusOk,
        Transport.transformClient({ provider: "weather", credential, scheme: Credential.header("x-api-key") })
      )
    })
  )
}

export const temperature = (city: string) =>
  Effect.flatMap(Weather, (weather) => weather.get("/now", { urlParams: { city } })).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Schema.Struct({ celsius: Schema.Number }))),
    Effect.tapError(({ cause }) =>
      ProviderError.isProviderError(cause) ? Effect.logError(Explain.explain(cause).detail) : Effect.void
    )
  )
