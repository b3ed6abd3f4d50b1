/**
 * An optional memory of accepted keys across restarts: with it, even the first request after a restart has the auth
 * retries. It holds salted hashes and dates, never a key. If the store fails or hangs, that is logged and the program
 * goes on without it: no request fails, and none waits beyond the timeout.
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
 * What is remembered about keys. No member fails or dies, whatever the store does, and a store that hangs costs a
 * member no more than the timeout. Each may be forked, as a daemon where it is to outlive its caller.
 */
export interface Service {
  /**
   * Whether the key was accepted, and not too long ago. `false` if the store cannot tell within the timeout, and at
   * once while it still owes the answer to an earlier question.
   */
  readonly recall: (digest: Digest) => Effect.Effect<boolean>
  /** Writes down that the key was accepted just now. Nothing depends on it, so there is no need to wait for it. */
  readonly remember: (digest: Digest) => Effect.Effect<void>
  /** Takes the key out. Nothing depends on it, so there is no need to wait for it. */
  readonly forget: (digest: Digest) => Effect.Effect<void>
}

/** Hashes a key and its host with the store's salt, in hex. The key itself stays where it is. */
export type Digest = (salt: string) => string

export class KnownGood extends Context.Tag("knowngood/KnownGood")<KnownGood, Service>() {}

export interface Options {
  /** How long an accepted key is remembered. Default 30 days. */
  readonly ttl?: Duration.DurationInput | undefined
  /** How long to wait for the store: for all that `recall` asks together, and for each write. Default 1 second. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** On any `KeyValueStore`: the file system, a browser's storage, memory. Several processes may share one. */
export const layerKeyValueStore = (options?: Options): Layer.Layer<KnownGood, never, KeyValueStore.KeyValueStore> =>
  Layer.effect(
    KnownGood,
    Effect.map(KeyValueStore.KeyValueStore, (store) => {
      const ttl = Duration.toMillis(options?.ttl ?? "30 days")
      return new Memory(KeyValueStore.prefix(store, "knowngood/"), ttl, Duration.decode(options?.timeout ?? "1 second"))
    })
  )

/**
 * How long, in milliseconds, a salt may still be replaced by one that another process made at the same time. A store
 * has no compare-and-set: the last to write wins, and the others see it when they look again.
 */
const young = Duration.toMillis("10 seconds")

/** How long they wait before looking again: by then a write that was under way has long arrived. */
const moment = Duration.millis(500)

/** A clock may be set back by this much: an entry dated further ahead does not count. */
const aheadAtMost = Duration.toMillis("1 day")

class Memory implements Service {
  /** Whether the store answered when it was last asked. If not, nobody waits for it until it does. */
  private answers = true

  constructor(
    private readonly store: KeyValueStore.KeyValueStore,
    private readonly ttl: number,
    private readonly timeout: Duration.Duration
  ) {}

  recall(digest: Digest): Effect.Effect<boolean> {
    const asked = this.within(this.isKnown(digest)).pipe(doneWithout(false))
    return Effect.suspend(() => (this.answers ? asked : Effect.as(Effect.forkDaemon(asked), false)))
  }

  /**
   * The entry is written before it is known whether the salt stays, because a program may end right after its answer.
   * The salt is read anew each time, so that processes that each wrote their own agree from then on, whatever happened.
   */
  remember(digest: Digest): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      const salt = (yield* this.within(this.salt)) ?? (yield* this.newSalt(now))
      yield* this.set(digest(salt.text), String(now))
      if (Math.abs(now - salt.made) > young) return
      yield* Effect.sleep(moment)
      yield* this.follow(digest, salt, String(now))
    }).pipe(doneWithout<void>(undefined))
  }

  forget(digest: Digest): Effect.Effect<void> {
    return Effect.flatMap(this.within(this.salt), (salt) =>
      salt === undefined ? Effect.void : this.remove(digest(salt.text))
    ).pipe(doneWithout<void>(undefined))
  }

  private isKnown(digest: Digest): Effect.Effect<boolean, unknown> {
    return Effect.gen(this, function* () {
      const salt = yield* this.salt
      if (salt === undefined) return false
      const written = yield* this.get(digest(salt.text))
      const age = (yield* Clock.currentTimeMillis) - dateIn(Option.getOrElse(written, () => ""))
      return age >= -aheadAtMost && age <= this.ttl
    })
  }

  private readonly salt = Effect.suspend(() => Effect.map(this.get("salt"), saltIn))

  private newSalt(now: number): Effect.Effect<Salt, unknown> {
    return Effect.flatMap(hex, (text) => {
      const salt = { text: `${text} ${now}`, made: now }
      return Effect.as(this.set("salt", salt.text), salt)
    })
  }

  /** Moves an entry to the salt of another process, unless the key has been forgotten in the meantime. */
  private follow(digest: Digest, { text: from }: Salt, date: string): Effect.Effect<void, unknown> {
    return Effect.gen(this, function* () {
      const salt = yield* this.within(this.salt)
      if (salt === undefined || salt.text === from) return
      if (yield* this.remove(digest(from))) yield* this.set(digest(salt.text), date)
    })
  }

  private get(name: string): Effect.Effect<Option.Option<string>, unknown> {
    return this.noted(Effect.suspend(() => this.store.get(name)))
  }

  private set(name: string, text: string): Effect.Effect<void, unknown> {
    return this.within(this.noted(Effect.suspend(() => this.store.set(name, text))))
  }

  /** Returns whether it was there: the file system's store fails to remove what is not. */
  private remove(name: string): Effect.Effect<boolean, unknown> {
    return Effect.flatMap(this.within(this.get(name)), (written) =>
      Option.isNone(written)
        ? Effect.succeed(false)
        : Effect.as(this.within(this.noted(Effect.suspend(() => this.store.remove(name)))), true)
    )
  }

  /** Any end but an interruption is an answer. */
  private noted<A>(operation: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> {
    return Effect.onExit(operation, (exit) =>
      Effect.sync(() => {
        if (!Exit.isInterrupted(exit)) this.answers = true
      })
    )
  }

  /** Waits no longer than the timeout, even if the store or the caller cannot be interrupted. */
  private within<A>(asked: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> {
    const tooLate = Effect.sync(() => {
      this.answers = false
    })
    return asked.pipe(
      Effect.interruptible,
      Effect.disconnect,
      Effect.interruptible,
      Effect.timeout(this.timeout),
      Effect.tapError((error) => (Cause.isTimeoutException(error) ? tooLate : Effect.void))
    )
  }
}

/** Logs what goes wrong, and goes on. */
const doneWithout =
  <A>(otherwise: A) =>
  (self: Effect.Effect<A, unknown>): Effect.Effect<A> =>
    Effect.catchAllCause(self, (cause) =>
      Effect.as(Effect.logWarning("The memory of accepted keys is not available; going on without.", cause), otherwise)
    )

/** Milliseconds since the epoch; `NaN` for any other text. */
const dateIn = (text: string): number => (/^\d+$/.test(text) ? Number(text) : Number.NaN)

/** It keeps a list of hashes from being matched against hashes made elsewhere. One per store, but see `young`. */
interface Salt {
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly made: number
}

const saltIn = (written: Option.Option<string>): Salt | undefined => {
  const text = Option.getOrElse(written, () => "")
  const [, made] = /^[0-9a-f]{32} (\d+)$/.exec(text) ?? []
  return made === undefined ? undefined : { text, made: Number(made) }
}

const hex = Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 256), 16), (bytes) =>
  bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")
)
