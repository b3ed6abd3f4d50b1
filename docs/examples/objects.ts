import { Effect, Schema } from "effect"
import { Chat, Provider } from "knowngood"

class Review extends Schema.Class<Review>("Review")({
  product: Schema.String,
  stars: Schema.Int.pipe(Schema.between(1, 5)),
  complaint: Schema.optional(Schema.String).annotations({ description: "in a few words, if there is one" })
}) {}

/** An array of classes. Each host is told the schema in the way that it can be told it, and gives the same value. */
export const reviews = (text: string) =>
  Effect.gen(function* () {
    const { reply, value } = yield* Provider.completeObject(Schema.Array(Review), {
      messages: [Chat.system("List the reviews in the text."), Chat.user(text)]
    })
    yield* Effect.logDebug(`${value.length} reviews for ${reply.usage.totalTokens} tokens`)
    return value
  })

const Mood = Schema.Literal("glad", "sad", "neither")

/** One of three words. An answer that is none of them is undecided, and so is one that the model refused to give. */
export const mood = (text: string) =>
  Provider.completeObject(Mood, { messages: [Chat.user(`How does the author feel? ${text}`)] }).pipe(
    Effect.map(({ value }) => value),
    Effect.catchTag("InvalidResponse", () => Effect.succeed("neither" as const))
  )
