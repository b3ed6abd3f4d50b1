/**
 * Retries made visible: an observer is notified of each one before its wait begins.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ProviderError from "./ProviderError.js"

/** "Retrying 1 of 2 in 0.6 s: the gateway refused the key", as facts. */
export interface RetryNotice {
  /** The provider's id: `mimo`, `anthropic`, … */
  readonly provider: string
  /** Why: the error that is being retried. */
  readonly error: ProviderError.ProviderError
  /** Which retry this is in its lane, from 1. */
  readonly attempt: number
  /** How many retries the lane allows; `undefined` if the schedule does not say. */
  readonly budget: number | undefined
  /** The wait that begins now. */
  readonly delay: Duration.Duration
  /** Now, in milliseconds since the epoch. */
  readonly at: number
}

/**
 * Notified of every retry. It runs inside the call, so a slow observer delays the call, and its defect is the call's.
 * Default: no observer.
 *
 * @example
 * import { Effect } from "effect"
 * import { Chat, Explain, Provider, RetryObserver } from "knowngood"
 *
 * const answer = Provider.complete({ messages: [Chat.user("Why is the sky blue?")] }).pipe(
 *   Effect.provideService(RetryObserver.RetryObserver, {
 *     onRetry: (notice) => Effect.logInfo(Explain.retrying(notice).title)
 *   })
 * )
 */
export class RetryObserver extends Context.Reference<RetryObserver>()("knowngood/RetryObserver", {
  defaultValue: () => ({ onRetry: (_: RetryNotice): Effect.Effect<void> => Effect.void })
}) {}
