/**
 * Several providers as one: the next is asked when one cannot answer, as long as the caller has seen nothing of an
 * answer.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Opened from "./answer/Opened.js"
import type * as ProviderError from "./ProviderError.js"
import type { Service } from "./Service.js"
import * as Call from "./transport/Call.js"

export interface Options {
  /** Told before the next provider is asked. Default: nobody is told. */
  readonly onFallback?: ((notice: FallbackNotice) => Effect.Effect<void>) | undefined
  /** Which errors move on. Default: `movesOn`. */
  readonly when?: ((error: ProviderError.ProviderError) => boolean) | undefined
}

export interface FallbackNotice {
  /** Why: what the provider before failed with. */
  readonly error: ProviderError.ProviderError
  /** The place in the list of the provider that is asked next, from 0. */
  readonly next: number
}

/** What another provider may be spared: trouble that passes, an empty account, a key that is missing or refused. */
export const movesOn = (error: ProviderError.ProviderError): boolean => error._tag in movable

const movable = { Transient: true, QuotaExceeded: true, AuthMissing: true, AuthRejected: true }

/** One `Service` of several. Its `credential` is the first one's; each provider keeps its own key, flag and policy. */
export const make = (providers: Arr.NonEmptyReadonlyArray<Service>, options: Options = {}): Service => {
  const { onFallback = () => Effect.void, when = movesOn } = options
  const [first, ...others] = providers

  /** Whether to go on to the next one, having told of it. */
  const goesOn = (error: ProviderError.ProviderError, next: number) =>
    next < providers.length && !error.emitted && when(error)
      ? Effect.as(onFallback({ error, next }), true)
      : Effect.succeed(false)

  const effect = <A, R>(ask: (provider: Service) => Effect.Effect<A, ProviderError.ProviderError, R>) =>
    others.reduce(
      (sofar, provider, index) =>
        Effect.catchAll(sofar, (error) =>
          Effect.flatMap(goesOn(error, index + 1), (on) => (on ? ask(provider) : Effect.fail(error)))
        ),
      ask(first)
    )

  // Otherwise a provider that failed keeps its turn and its connection for as long as another one's answer is read.
  const open: Service["open"] = (request) =>
    Opened.opening((scope) =>
      effect((provider) => Call.keepOnSuccess(scope, (scope) => Opened.within(provider.open(request), scope)))
    )

  return {
    credential: first.credential,
    complete: (request) => effect((provider) => provider.complete(request)),
    completeWith: (request, decode) => effect((provider) => provider.completeWith(request, decode)),
    models: effect((provider) => provider.models),
    verify: effect((provider) => provider.verify),
    open,
    stream: (request) => Opened.toStream(open(request)),
    listen: (request, onEvent) => Opened.listen(open(request), onEvent)
  }
}
