/**
 * The memory of accepted keys across restarts, optional: with it the first request after a restart has the auth retries
 * too. It holds salted hashes and dates, never a key. A store that fails or hangs is logged and done without: it neither
 * fails a request nor holds one up.
 */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

export interface Service {
  /** Whether the key was accepted, and not too long ago. */
  readonly recall: (digest: Digest) => Effect.Effect<boolean>
  readonly remember: (digest: Digest) => Effect.Effect<void>
  readonly forget: (digest: Digest) => Effect.Effect<void>
}

/** A key at a host, as a hash in hex, for a salt of the store's. The key stays where it is. */
export type Digest = (salt: string) => string

export class KnownGood extends Context.Tag("knowngood/KnownGood")<KnownGood, Service>() {}

export interface Options {
  /** How long an accepted key is remembered. Default 30 days. */
  readonly ttl?: Duration.DurationInput | undefined
  /** How long the store is waited for. Default 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** On any `KeyValueStore`: the file system, a browser's storage, memory. */
export const layerKeyValueStore = (options?: Options): Layer.Layer<KnownGood, never, KeyValueStore.KeyValueStore> =>
  Layer.effect(
    KnownGood,
    Effect.gen(function* () {
      const store = KeyValueStore.prefix(yield* KeyValueStore.KeyValueStore, "knowngood/")
      const ttl = Duration.toMillis(options?.ttl ?? "30 days")
      const timeout = Duration.decode(options?.timeout ?? "1 second")
      const one = yield* Effect.makeSemaphore(1)
      let known: string | undefined
      // Kept once it is there; a store that was of no use once is asked again.
      const salt = one.withPermits(1)(
        Effect.suspend(() =>
          known !== undefined
            ? Effect.succeed(known)
            : Effect.tap(saltOf(store), (salt) => {
                known = salt
              })
        )
      )

      const entry = <A>(otherwise: A, digest: Digest, use: (name: string) => Effect.Effect<A, unknown>) =>
        salt.pipe(
          Effect.flatMap((salt) => use(digest(salt))),
          Effect.timeout(timeout),
          Effect.catchAllCause((cause) =>
            Effect.as(
              Effect.logWarning("The memory of accepted keys is not available; going on without.", cause),
              otherwise
            )
          )
        )

      return {
        recall: (digest) =>
          entry(false, digest, (name) =>
            Effect.zipWith(store.get(name), Clock.currentTimeMillis, (written, now) =>
              Option.exists(written, (text) => isRecent(text, now, ttl))
            )
          ),
        remember: (digest) =>
          entry(undefined, digest, (name) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => store.set(name, String(now)))
          ),
        forget: (digest) => entry(undefined, digest, (name) => store.remove(name))
      }
    })
  )

/** A date from the future is as little worth as none. */
const isRecent = (text: string, now: number, ttl: number): boolean => {
  const at = /^\d+$/.test(text) ? Number(text) : Number.NaN
  return at <= now && now - at <= ttl
}

/** Made once per store. It keeps a list of hashes from being matched against hashes made elsewhere. */
const saltOf = (store: KeyValueStore.KeyValueStore) =>
  Effect.flatMap(store.get("salt"), (written) => {
    const known = Option.filter(written, (text) => /^[0-9a-f]{32}$/.test(text))
    if (Option.isSome(known)) return Effect.succeed(known.value)
    return Effect.tap(newSalt, (salt) => store.set("salt", salt))
  })

const newSalt = Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 256), 16), (bytes) =>
  bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")
)
