/**
 * What is known of a key over time: whether it was accepted, at which host, and how often it has been refused since. It
 * reads the key before each request, so it also knows when another key has taken its place.
 */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import type * as KnownGood from "../KnownGood.js"
import * as Demotion from "./Demotion.js"
import type * as Gate from "./Gate.js"
import * as Key from "./Key.js"

/** The key, or what reads it. */
export type Source = Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown>

/** How a request is authorized; the host is known here. */
export type Terms = Omit<Key.Terms, "origin">

type Request = HttpClientRequest.HttpClientRequest

/** How often the date of a key that is still being accepted is rewritten, in milliseconds. */
const rememberEvery = 24 * 60 * 60 * 1000

/** Marks what `Credential.make` makes: an object that only looks like a credential is not one. */
export const TypeId: unique symbol = Symbol.for("knowngood/Credential")
/** Marks what `Credential.make` makes: an object that only looks like a credential is not one. */
export type TypeId = typeof TypeId

export class Standing {
  readonly [TypeId]: TypeId = TypeId
  /** Hidden from whatever prints an object: a caller without types may pass plain text. */
  readonly #apiKey: Source | undefined
  /** The present key. */
  private current: Key.Key | Key.NoKey = Key.absent
  /** Keys that were accepted, even if replaced since: their last requests may still be in flight. */
  private readonly acceptedKeys = new WeakSet<Key.Key>()
  private origin: string | undefined
  private readonly demotion = new Demotion.Demotion()
  private lastRemembered = Number.NEGATIVE_INFINITY
  /** Ends when the memory has answered for the present key; `undefined` once it has. */
  private recalled: Effect.Effect<void> | undefined

  constructor(
    readonly source: string,
    apiKey: Source | undefined,
    readonly knownGood: SubscriptionRef.SubscriptionRef<boolean>,
    /** Holds back the calls with this key, together. */
    readonly gate: Gate.Gate,
    private readonly memory: KnownGood.Service | undefined
  ) {
    this.#apiKey = apiKey
  }

  /**
   * The flag means something at one host only, so the first host that uses a credential owns it. Returns the origin
   * that owns it: if it is not the given one, the caller must not use this credential.
   */
  bind(origin: string): Effect.Effect<string> {
    return Effect.suspend(() => {
      const owner = this.own(origin)
      // The memory knows a key at a host, so it can be asked only now that the host is known.
      const canAsk = this.memory !== undefined && Redacted.isRedacted(this.#apiKey)
      return Effect.as(canAsk ? this.read : Effect.void, owner)
    })
  }

  /**
   * The request with the key in it, or unchanged if there is no key. The first origin that gets the key owns the
   * credential.
   */
  authorize(request: Request, key: Key.Key | Key.NoKey, terms: Terms): Request | Key.Refusal {
    if (key._tag === "NoKey") return request
    const origin = Key.originOf(request) ?? ""
    const authorized = key.authorize(request, { ...terms, origin: this.origin ?? origin })
    // A host that must not have the key does not own it either.
    if (!Key.isRefusal(authorized)) this.own(origin)
    return authorized
  }

  /** Reads the key, once per attempt, because a key may rotate. A changed key is not known good. */
  get read(): Effect.Effect<Key.Key | Key.NoKey> {
    const apiKey = this.#apiKey
    if (apiKey === undefined) return Effect.succeed(Key.absent)
    if (Redacted.isRedacted(apiKey)) return Effect.suspend(() => this.use(apiKey))
    // A caller without types may give plain text. Run as an effect, it would end up in the defect's message.
    if (!Effect.isEffect(apiKey)) return Effect.succeed(Key.unreadable)
    return Effect.matchCauseEffect(apiKey, {
      onFailure: () => Effect.succeed(Key.unreadable),
      onSuccess: (redacted) =>
        Redacted.isRedacted(redacted) ? this.use(redacted) : Effect.succeed<Key.NoKey>(Key.unreadable)
    })
  }

  get fingerprint(): Effect.Effect<string | undefined> {
    return Effect.map(this.read, (key) => (key._tag === "Key" ? key.fingerprint : undefined))
  }

  /** Whether this very key has been accepted: the flag is about the present key, and another may have been sent. */
  isKnownGood(key: Key.Key): Effect.Effect<boolean> {
    return key === this.current ? Ref.get(this.knownGood) : Effect.succeed(this.acceptedKeys.has(key))
  }

  /** A request with this key was answered. */
  accepted(key: Key.Key): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.acceptedKeys.add(key)
      // An answer to a key that has been replaced says nothing about the present one.
      if (key !== this.current) return Effect.void
      this.demotion.forgive()
      return Effect.flatMap(this.set(true), (changed) => this.remember(key, changed))
    })
  }

  /** A request of this call was refused, though the key was known good. */
  refused(key: Key.Key, call: Demotion.Call): Effect.Effect<void> {
    return Effect.suspend(() =>
      key === this.current && this.demotion.refused(call, this.scene()) ? this.demote(key) : Effect.void
    )
  }

  /** This call was refused to the end of its auth retries, though the key was known good. */
  exhausted(key: Key.Key, call: Demotion.Call): Effect.Effect<void> {
    return Effect.suspend(() =>
      key === this.current && this.demotion.exhausted(call, this.scene()) ? this.demote(key) : Effect.void
    )
  }

  private scene(): Demotion.Scene {
    const { isBeingServed, isIdle, lastTurn } = this.gate
    return { now: this.gate.now(), lastTurn, isIdle, isBeingServed }
  }

  private own(origin: string): string {
    this.origin ??= origin
    return this.origin
  }

  /** Calls that wait at the gate find out at once, by one request each. */
  private demote(key: Key.Key): Effect.Effect<void> {
    this.acceptedKeys.delete(key)
    this.demotion.forgive()
    return Effect.zipRight(
      this.set(false),
      Effect.suspend(() => {
        this.gate.open()
        return this.memory === undefined
          ? Effect.void
          : Effect.asVoid(Effect.forkDaemon(this.memory.forget(key.digest(this.origin))))
      })
    )
  }

  /** Returns whether this changed the flag. */
  private set(good: boolean): Effect.Effect<boolean> {
    return Effect.flatMap(Ref.get(this.knownGood), (before) =>
      before === good ? Effect.succeed(false) : Effect.as(Ref.set(this.knownGood, good), true)
    )
  }

  private use(redacted: Redacted.Redacted): Effect.Effect<Key.Key | Key.NoKey> {
    const key = Key.of(redacted, this.current)
    if (key === this.current) return this.recalled === undefined ? Effect.succeed(key) : Effect.as(this.recalled, key)
    this.current = key
    this.recalled = undefined
    this.demotion.forgive()
    this.lastRemembered = Number.NEGATIVE_INFINITY
    return Effect.as(key._tag === "Key" ? this.recall(key) : this.set(false), key)
  }

  /** In a fiber of its own: every call that begins meanwhile waits for its answer, and may be interrupted without it. */
  private recall(key: Key.Key): Effect.Effect<void> {
    const { memory } = this
    if (memory === undefined) return Effect.asVoid(this.set(false))
    const done = Deferred.unsafeMake<void>(FiberId.none)
    const wait = Deferred.await(done)
    this.recalled = wait
    // Never sets to false: a call may have been answered in the meantime.
    const recalled = Effect.flatMap(memory.recall(key.digest(this.origin)), (good) => {
      if (good) this.acceptedKeys.add(key)
      return good && key === this.current ? this.set(true) : Effect.succeed(false)
    })
    const known = Effect.suspend(() => {
      if (this.recalled === wait) this.recalled = undefined
      return Deferred.succeed(done, undefined)
    })
    const begin = Effect.interruptible(recalled).pipe(Effect.ensuring(known), Effect.forkDaemon)
    return this.set(false).pipe(Effect.zipRight(begin), Effect.uninterruptible, Effect.zipRight(wait))
  }

  private remember(key: Key.Key, isNew: boolean): Effect.Effect<void> {
    const { memory } = this
    if (memory === undefined) return Effect.void
    return Effect.suspend(() => {
      // Not by the wall clock: if that is set back, it takes too long to reach the next day.
      const now = this.gate.now()
      if (!isNew && now - this.lastRemembered < rememberEvery) return Effect.void
      this.lastRemembered = now
      return Effect.asVoid(Effect.forkDaemon(memory.remember(key.digest(this.origin))))
    })
  }
}
