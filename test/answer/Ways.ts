/** The three ways to an answer, whose text each gives. */
import { Effect } from "effect"
import { Chat, Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { hello, streamed, whole } from "../Wire.js"

/** How many requests were made. */
export const requests = Effect.map(Gateway.requests, (requests) => requests.length)

const listened = Effect.suspend(() => {
  let told = ""
  const tell = (event: Chat.Event) => {
    if (event._tag === "TextDelta") told += event.text
  }
  return Effect.map(Provider.listen(hello, tell), () => told)
})

export const ways: ReadonlyArray<
  readonly [string, Gateway.Answer, Effect.Effect<string, Provider.Error, Provider.Provider>]
> = [
  ["complete", whole, Effect.map(Provider.complete(hello), ({ text }) => text)],
  ["stream", streamed, Effect.map(Chat.collect(Provider.stream(hello)), ({ text }) => text)],
  ["listen", streamed, listened]
]
