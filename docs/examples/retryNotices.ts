import { Effect, Layer } from "effect"
import { Explain, type Provider, RetryObserver } from "knowngood"
import { zh } from "knowngood/explain/zh"

/** Logs "Retrying 1 of 2 in 0.6 s" and the reason before each wait. */
export const notices = Layer.succeed(RetryObserver.RetryObserver, {
  onRetry: (notice) => {
    const { detail, title } = Explain.retrying(notice)
    return Effect.logInfo(title, detail)
  }
})

/** The same, and every failure, in Chinese. */
export const inChinese = <A, R>(self: Effect.Effect<A, Provider.Error, R>) =>
  self.pipe(
    Effect.tapError((error) => Effect.logError(Explain.explain(error, zh).detail)),
    Effect.provideService(RetryObserver.RetryObserver, {
      onRetry: (notice) => Effect.logInfo(Explain.retrying(notice, zh).title)
    })
  )
