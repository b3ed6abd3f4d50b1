/** A call on the page: the answer as it is written, each retry before its wait, and the error at the end, explained. */
import { Effect, Stream } from "effect"
// A user's program imports these from "knowngood".
import { Chat, Explain, type ProviderError, RetryObserver } from "../../src/index.js"
import type { Page } from "./Page.js"
import type { Words } from "./Words.js"

/** How a call went. */
export interface Ending {
  readonly error: ProviderError.ProviderError | undefined
  readonly retries: number
  /** The last thing shown apart from the answer: the error, or else a retry. */
  readonly message: string | undefined
}

/** Shows the call while it runs. It does not fail: an error is shown, too. */
export const show = <R>(
  call: Effect.Effect<unknown, ProviderError.ProviderError, R>,
  page: Page,
  words: Words
): Effect.Effect<Ending, never, R> =>
  Effect.gen(function* () {
    let retries = 0
    let message: string | undefined

    const onRetry = (notice: RetryObserver.RetryNotice) => {
      const { detail, title } = Explain.retrying(notice, words.catalog)
      retries += 1
      message = words.retry(title, detail)
      return page.moment(message, "yellow")
    }

    const onError = (error: ProviderError.ProviderError) =>
      Effect.gen(function* () {
        const { action, detail, title } = Explain.explain(error, words.catalog)
        message = `${detail} ${action}`
        yield* page.moment(title, "bold")
        yield* page.aside(detail)
        yield* page.aside(`→ ${action}`)
        return error
      })

    const error = yield* call.pipe(
      Effect.provideService(RetryObserver.RetryObserver, { onRetry }),
      Effect.matchEffect({ onFailure: onError, onSuccess: () => Effect.succeed(undefined) })
    )
    return { error, retries, message }
  })

/** Writes the answer token by token, and returns it as a whole. */
export const speak = <E>(
  answer: Stream.Stream<Chat.Event, E>,
  page: Page,
  words: Words
): Effect.Effect<Chat.Reply, E> => {
  let thinking = false
  const write = (event: Chat.Event): Effect.Effect<void> => {
    if (event._tag === "TextDelta") return page.write(event.text)
    if (event._tag !== "ReasoningDelta" || thinking) return Effect.void
    thinking = true
    return page.moment(words.thinking, "dim")
  }
  return answer.pipe(Stream.tap(write), Chat.collect)
}
