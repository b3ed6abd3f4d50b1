/**
 * A provider's key, and the one thing that is remembered of it: *is it known to work?*
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Gate from "./credential/Gate.js"
import * as Standing from "./credential/Standing.js"
import * as KnownGood from "./KnownGood.js"

export type { Scheme } from "./credential/Key.js"
export { bearer, header } from "./credential/Key.js"
export { TypeId } from "./credential/Standing.js"

/** A key and its flag. It does not give the key away. Only `make` makes one. */
export interface Credential {
  /** Marks it as one. */
  readonly [Standing.TypeId]: Standing.TypeId
  /** Where the key comes from, as a user would look for it: by default the name of an environment variable. */
  readonly source: string
  /**
   * Whether the present key is known to work. It is a `Ref`, and a UI can follow its `changes`. A `KnownGood` in the
   * context gives the initial value: when the layer is built or, for a key that an effect reads, at the first call.
   */
  readonly knownGood: SubscriptionRef.SubscriptionRef<boolean>
  /** The first 8 hex digits of the present key's SHA-256; `undefined` without a key. */
  readonly fingerprint: Effect.Effect<string | undefined>
  /** @internal */
  readonly bind: Standing.Standing["bind"]
  /** @internal */
  readonly read: Standing.Standing["read"]
  /** @internal */
  readonly authorize: Standing.Standing["authorize"]
  /** @internal */
  readonly isKnownGood: Standing.Standing["isKnownGood"]
  /** @internal */
  readonly accepted: Standing.Standing["accepted"]
  /** @internal */
  readonly refused: Standing.Standing["refused"]
  /** @internal */
  readonly exhausted: Standing.Standing["exhausted"]
  /** @internal */
  readonly gate: Standing.Standing["gate"]
}

/** What a credential is made from. */
export interface Options {
  /** The key, or an effect that reads it before every attempt. A failure of that effect is `AuthMissing`. */
  readonly apiKey?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** Where errors tell the user to look; for a preset by default its environment variable. */
  readonly source: string
  /** The most answers with this key open at once. Default: unlimited. */
  readonly concurrency?: number | undefined
}

/**
 * Makes a credential, for layers that share one key at one host, or for `Transport.transformClient`. It belongs to the
 * first host that it is used at. With a `KnownGood` in the context, the flag begins as that remembers it.
 *
 * @example
 * import { Config, Effect } from "effect"
 * import { Credential, MiMo } from "knowngood"
 *
 * const two = Effect.gen(function* () {
 *   const credential = yield* Credential.make({ source: "MIMO_API_KEY", apiKey: Config.redacted("MIMO_API_KEY") })
 *   const thinker = yield* MiMo.make({ region: "sgp", model: "mimo-v2.5-pro", credential })
 *   const writer = yield* MiMo.make({ region: "sgp", model: "mimo-v2-flash", credential })
 *   return { thinker, writer }
 * })
 */
export const make = ({ apiKey, concurrency, source }: Options): Effect.Effect<Credential> =>
  Effect.gen(function* () {
    const knownGood = yield* SubscriptionRef.make(false)
    const gate = yield* Gate.make({ concurrency })
    const memory = Option.getOrUndefined(yield* Effect.serviceOption(KnownGood.KnownGood))
    return new Standing.Standing(source, apiKey, knownGood, gate, memory)
  })
