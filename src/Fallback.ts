/**
 * Several providers as one: the next is asked when one cannot answer, as long as the caller has seen nothing of an
 * answer.
 */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Iteration from "./answer/Iteration.js"
import * as Opened from "./answer/Opened.js"
import type * as ProviderError from "./ProviderError.js"
import * as Service from "./Service.js"
import * as Call from "./transport/Call.js"

/** How a fallback decides, and whom it tells. */
export interface Options {
  /** Told before the next provider is asked. Default: nobody is told. */
  readonly onFallback?: ((notice: FallbackNotice) => Effect.Effect<void>) | undefined
  /** Which errors move on. Default: `movesOn`. */
  readonly when?: ((error: ProviderError.ProviderError) => boolean) | undefined
}

/** One step from a provider to the next. */
export interface FallbackNotice {
  /** Why: what the provider before failed with. */
  readonly error: ProviderError.ProviderError
  /** The place in the list of the provider that is asked next, from 0. */
  readonly next: number
}

/**
 * Whether another provider may be spared this error: trouble that passes, an empty account, a key that is missing or
 * refused. A request that is wrong is wrong everywhere, and an answer that makes no sense was paid for.
 */
export const movesOn = (error: ProviderError.ProviderError): boolean => moves[error._tag]

const moves: { readonly [tag in ProviderError.ProviderError["_tag"]]: boolean } = {
  Transient: true,
  QuotaExceeded: true,
  AuthMissing: true,
  AuthRejected: true,
  InvalidRequest: false,
  InvalidResponse: false
}

/**
 * One provider of several: each is asked when the one before it fails, with its own retries, key and policy. If all
 * fail, the error is the last one's. Its `id`, `model` and `credential` are the first one's, and a request that names a
 * model names it to all of them.
 *
 * @example
 * import { Effect, Layer } from "effect"
 * import { DeepSeek, MiMo, Provider } from "knowngood"
 *
 * const services = Effect.all([MiMo.make({ region: "sgp" }), DeepSeek.make({})])
 * const layer = Layer.effect(
 *   Provider.Provider,
 *   Effect.map(services, (all) =>
 *     Provider.fallback(all, { onFallback: ({ error }) => Effect.log(`${error.provider} cannot answer`) })
 *   )
 * )
 */
export const make = (providers: Arr.NonEmptyReadonlyArray<Service.Service>, options: Options = {}): Service.Service => {
  const { onFallback = () => Effect.void, when = movesOn } = options
  const [first, ...others] = providers

  /** Whether to go on to the next one, having told of it. */
  const goesOn = (error: ProviderError.ProviderError, next: number) =>
    next < providers.length && !error.emitted && when(error)
      ? Effect.as(onFallback({ error, next }), true)
      : Effect.succeed(false)

  const ask = <A>(one: (provider: Service.Service) => Effect.Effect<A, ProviderError.ProviderError>) =>
    others.reduce(
      (sofar, provider, index) =>
        Effect.catchAll(sofar, (error) =>
          Effect.flatMap(goesOn(error, index + 1), (on) => (on ? one(provider) : Effect.fail(error)))
        ),
      one(first)
    )

  return Service.make({
    id: first.id,
    model: first.model,
    credential: first.credential,
    complete: (request) => ask((provider) => provider.complete(request)),
    models: ask((provider) => provider.models),
    // Otherwise a provider that failed keeps its turn and its connection for as long as another one's answer is read.
    open: (request) =>
      Opened.opening((scope) =>
        ask((provider) => Call.keepOnSuccess(scope, (scope) => Opened.within(provider.open(request), scope)))
      )
  })
}

/**
 * The same of layers, each of which provides a `Provider`: they are built one after the other, each for itself, and the
 * program gets the one that they make together. It fails if one of them does, and requires what all of them require.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { DeepSeek, MiMo, Provider } from "knowngood"
 *
 * const layer = Provider.fallbackLayer([MiMo.layerConfig({ region: "sgp" }), DeepSeek.layerConfig({})]).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 */
export function layer<Layers extends Arr.NonEmptyReadonlyArray<Layer.Layer<Service.Provider, unknown, unknown>>>(
  layers: Layers,
  options?: Options
): Layer.Layer<Service.Provider, Layer.Layer.Error<Layers[number]>, Layer.Layer.Context<Layers[number]>>
export function layer<E, R>(
  layers: Arr.NonEmptyReadonlyArray<Layer.Layer<Service.Provider, E, R>>,
  options?: Options
): Layer.Layer<Service.Provider, E, R> {
  // Each in a memory of its own: a layer that is named twice is two providers. Not by `Layer.merge`, which may hang.
  const all = Effect.forEach(layers, (one) => Effect.map(Layer.build(one), Context.get(Service.Provider)))
  return Iteration.layer(
    Service.Provider,
    Effect.map(all, (services) => make(services, options))
  )
}
