/**
 * An optional memory of accepted keys across restarts. With it, a key that was accepted in an earlier run has its auth
 * retries from the first request. It holds salted hashes and dates, never a key. If the store fails or hangs, that is
 * logged and the program goes on without it: no request fails, and none waits beyond the timeout.
 */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

/**
 * The memory. No member fails or dies, whatever the store does, and a store that hangs costs a member no more than the
 * timeout. A member may be forked, as a daemon where it has to outlive its caller.
 */
export interface Service {
  /**
   * Whether the key was accepted within the last `ttl`. `false` if the store does not answer within the timeout, and
   * `false` at once while an earlier question to it is still unanswered.
   */
  readonly recall: (digest: Digest) => Effect.Effect<boolean>
  /** Records that the key has just been accepted. Nothing depends on it, so there is no need to wait for it. */
  readonly remember: (digest: Digest) => Effect.Effect<void>
  /** Removes the key. Nothing depends on it, so there is no need to wait for it. */
  readonly forget: (digest: Digest) => Effect.Effect<void>
}

/** Hashes a key and its host with the store's salt, in hex. The key itself never reaches the memory. */
export type Digest = (salt: string) => string

/** The tag of the memory. A provider's layer uses it if the context has one; without one, nothing is remembered. */
export class KnownGood extends Context.Tag("knowngood/KnownGood")<KnownGood, Service>() {}

/** The options of `layerKeyValueStore`. */
export interface Options {
  /** How long an accepted key is remembered. Default 30 days. */
  readonly ttl?: Duration.DurationInput | undefined
  /**
   * How long to wait for the store: for all the reads of one `recall` together, and for each write. Default 1 second.
   */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * A memory on any `KeyValueStore`: the file system, a browser's storage, a database. Several processes may share one.
 * The entries are under `knowngood/`. It never fails: what goes wrong with the store is logged as a warning.
 *
 * @example
 * import { KeyValueStore } from "@effect/platform"
 * import { NodeHttpClient, NodeContext } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Chat, KnownGood, MiMo, Provider } from "knowngood"
 *
 * const memory = KnownGood.layerKeyValueStore({ ttl: "7 days" }).pipe(
 *   Layer.provide(KeyValueStore.layerFileSystem(".cache")),
 *   Layer.provide(NodeContext.layer)
 * )
 * const provider = MiMo.layerConfig({ region: "sgp", model: "mimo-v2.5-pro" }).pipe(
 *   Layer.provide(memory),
 *   Layer.provide(NodeHttpClient.layerUndici)
 * )
 * const answer = Provider.complete({ messages: [Chat.user("Hello")] }).pipe(Effect.provide(provider))
 */
export const layerKeyValueStore = (options?: Options): Layer.Layer<KnownGood, never, KeyValueStore.KeyValueStore> =>
  Layer.effect(
    KnownGood,
    Effect.map(KeyValueStore.KeyValueStore, (store) => {
      const ttl = Duration.toMillis(options?.ttl ?? "30 days")
      return new Memory(KeyValueStore.prefix(store, "knowngood/"), ttl, Duration.decode(options?.timeout ?? "1 second"))
    })
  )

/**
 * How long, in milliseconds, a new salt may still be overwritten by another process that made one at the same time. A
 * store has no compare-and-set: the last writer wins, and the others see it when they look again.
 */
const settling = Duration.toMillis("10 seconds")

/** How long to wait before looking again: by then any write that was under way has arrived. */
const secondLook = Duration.millis(500)

/** How far, in milliseconds, the clock may be set back: an entry dated further in the future does not count. */
const clockError = Duration.toMillis("1 day")

class Memory implements Service {
  /** Whether the store answered when it was last asked. If not, nobody waits for it until it does. */
  private isAnswering = true

  constructor(
    private readonly store: KeyValueStore.KeyValueStore,
    private readonly ttl: number,
    private readonly timeout: Duration.Duration
  ) {}

  recall(digest: Digest): Effect.Effect<boolean> {
    const answer = this.inTime(this.isKnown(digest)).pipe(loggedOr(false))
    return Effect.suspend(() => (this.isAnswering ? answer : Effect.as(Effect.forkDaemon(answer), false)))
  }

  /**
   * The entry is written at once, although a new salt may still be overwritten, because a program may end right after
   * its first answer. The salt is read each time and never kept, so processes that each wrote their own agree from the
   * next key on.
   */
  remember(digest: Digest): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      const salt = (yield* this.inTime(this.salt)) ?? (yield* this.newSalt(now))
      yield* this.set(digest(salt.text), String(now))
      if (Math.abs(now - salt.madeAt) > settling) return
      yield* Effect.sleep(secondLook)
      yield* this.moveToStoredSalt(digest, salt, String(now))
    }).pipe(loggedOr<void>(undefined))
  }

  forget(digest: Digest): Effect.Effect<void> {
    return Effect.flatMap(this.inTime(this.salt), (salt) =>
      salt === undefined ? Effect.void : this.remove(digest(salt.text))
    ).pipe(loggedOr<void>(undefined))
  }

  private isKnown(digest: Digest): Effect.Effect<boolean, unknown> {
    return Effect.gen(this, function* () {
      const salt = yield* this.salt
      if (salt === undefined) return false
      const entry = yield* this.get(digest(salt.text))
      const age = (yield* Clock.currentTimeMillis) - dateOf(Option.getOrElse(entry, () => ""))
      return age >= -clockError && age <= this.ttl
    })
  }

  private readonly salt = Effect.suspend(() => Effect.map(this.get("salt"), saltOf))

  private newSalt(now: number): Effect.Effect<Salt, unknown> {
    return Effect.flatMap(hex, (text) => {
      const salt = { text: `${text} ${now}`, madeAt: now }
      return Effect.as(this.set("salt", salt.text), salt)
    })
  }

  /**
   * If another process has overwritten the salt, moves the entry to that one, unless it has been forgotten meanwhile.
   */
  private moveToStoredSalt(digest: Digest, written: Salt, date: string): Effect.Effect<void, unknown> {
    return Effect.gen(this, function* () {
      const stored = yield* this.inTime(this.salt)
      if (stored === undefined || stored.text === written.text) return
      if (yield* this.remove(digest(written.text))) yield* this.set(digest(stored.text), date)
    })
  }

  private get(name: string): Effect.Effect<Option.Option<string>, unknown> {
    return this.noticed(Effect.suspend(() => this.store.get(name)))
  }

  private set(name: string, text: string): Effect.Effect<void, unknown> {
    return this.inTime(this.noticed(Effect.suspend(() => this.store.set(name, text))))
  }

  /**
   * Returns whether there was such an entry. Asks first, because the file system's store fails to remove what is not
   * there.
   */
  private remove(name: string): Effect.Effect<boolean, unknown> {
    return Effect.flatMap(this.inTime(this.get(name)), (entry) =>
      Option.isNone(entry)
        ? Effect.succeed(false)
        : Effect.as(this.inTime(this.noticed(Effect.suspend(() => this.store.remove(name)))), true)
    )
  }

  /** Notices that the store answered: with success or failure, but not by being interrupted. */
  private noticed<A>(operation: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> {
    return Effect.onExit(operation, (exit) =>
      Effect.sync(() => {
        if (!Exit.isInterrupted(exit)) this.isAnswering = true
      })
    )
  }

  /** Waits no longer than the timeout, even if the store or the caller cannot be interrupted. */
  private inTime<A>(operation: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> {
    const timedOut = Effect.sync(() => {
      this.isAnswering = false
    })
    return operation.pipe(
      Effect.interruptible,
      Effect.disconnect,
      Effect.interruptible,
      Effect.timeout(this.timeout),
      Effect.tapError((error) => (Cause.isTimeoutException(error) ? timedOut : Effect.void))
    )
  }
}

/** Logs any failure or defect, and succeeds with this value instead. */
const loggedOr =
  <A>(value: A) =>
  (self: Effect.Effect<A, unknown>): Effect.Effect<A> =>
    Effect.catchAllCause(self, (cause) =>
      Effect.as(Effect.logWarning("The memory of accepted keys is unavailable; continuing without it.", cause), value)
    )

/** Milliseconds since the epoch; `NaN` for any other text. */
const dateOf = (text: string): number => (/^\d+$/.test(text) ? Number(text) : Number.NaN)

/**
 * Keeps the hashes in one store from being matched against hashes from elsewhere. One per store, but see `settling`.
 */
interface Salt {
  /** 32 hex digits, a space, and `madeAt`: what the store holds. */
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly madeAt: number
}

const saltOf = (entry: Option.Option<string>): Salt | undefined => {
  const text = Option.getOrElse(entry, () => "")
  const [, madeAt] = /^[0-9a-f]{32} (\d+)$/.exec(text) ?? []
  return madeAt === undefined ? undefined : { text, madeAt: Number(madeAt) }
}

/** 128 random bits. */
const hex = Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 256), 16), (bytes) =>
  bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")
)
