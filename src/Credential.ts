/**
 * A provider's key over time, and the one thing we remember of it: *has it ever been accepted?*
 */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Gate from "./credential/Gate.js"
import * as Key from "./credential/Key.js"
import * as KnownGood from "./KnownGood.js"

export type { Scheme } from "./credential/Key.js"
export { bearer, header } from "./credential/Key.js"

export interface Credential {
  /** Where the key comes from, as a user would look for it: by default the name of an environment variable. */
  readonly source: string
  /**
   * Whether the present key has been accepted. It is a `Ref`, and a UI can follow its `changes`. A `KnownGood` in the
   * context gives the initial value: when the layer is built or, for a key that an effect reads, at the first call.
   */
  readonly knownGood: SubscriptionRef.SubscriptionRef<boolean>
  /** The first 8 hex digits of the present key's SHA-256; `undefined` without a key. */
  readonly fingerprint: Effect.Effect<string | undefined>
  /**
   * The flag means something at one host only, so the first host that uses a credential owns it. Returns the origin
   * that owns it: if it is not the given one, the caller must not use this credential.
   *
   * @internal
   */
  readonly bind: (origin: string) => Effect.Effect<string>
  /**
   * Reads the key, once per attempt, because a key may rotate. A changed key starts at "never accepted".
   *
   * @internal
   */
  readonly read: Effect.Effect<Key.Key | Key.NoKey>
  /**
   * The request with the key in it, or unchanged if there is no key. The first origin that gets the key owns the
   * credential.
   *
   * @internal
   */
  readonly authorize: (request: Request, key: Key.Key | Key.NoKey, terms: Terms) => Request | Key.Refusal
  /**
   * Whether this very key has been accepted: the flag is about the present key, and another may have been sent.
   *
   * @internal
   */
  readonly isKnownGood: (key: Key.Key) => Effect.Effect<boolean>
  /**
   * A call with this key was answered.
   *
   * @internal
   */
  readonly accepted: (key: Key.Key) => Effect.Effect<void>
  /**
   * A call was refused to the end of its auth retries, though the key was known good. After three in a row the key
   * counts as never accepted, so that a revoked key is not hammered for ever. Requests that were in flight together
   * count as one, because one bad minute of the gateway refuses them all.
   *
   * @param turn The number of its last request's turn at the gate.
   * @internal
   */
  readonly exhausted: (key: Key.Key, turn: number) => Effect.Effect<void>
  /**
   * A request of a call was refused, though the key was known good. With many calls in line, each is refused once
   * before any of them has used up its retries, so nine refused in a row say as much as three that used up theirs.
   *
   * @internal
   */
  readonly refused: (key: Key.Key, turn: number, call: object) => Effect.Effect<void>
  /**
   * Holds back the calls with this key, together.
   *
   * @internal
   */
  readonly gate: Gate.Gate
}

type Request = HttpClientRequest.HttpClientRequest

/** @internal */
export type Terms = Omit<Key.Terms, "origin">

export interface Options {
  /** The key, or an effect that reads it before every attempt. A failure of that effect is `AuthMissing`. */
  readonly apiKey?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** Where errors tell the user to look; for a preset by default its environment variable. */
  readonly source: string
  /** The most answers with this key open at once. Default: unlimited. */
  readonly concurrency?: number | undefined
}

/** After this many exhausted calls in a row a key counts as never accepted. */
const forgetAfter = 3

/** But not within this many milliseconds while others are in flight: at a full gateway that is between two answers. */
const exhaustedWithin = 1000

/** Or after this many calls refused one after the other: as many requests as three calls with two retries make. */
const forgetAfterCalls = 9

/** But not within this many milliseconds: a full gateway refuses nine in a moment, and then answers one. */
const forgetAfterMillis = 10_000

/** How often the date of a key that is still being accepted is rewritten, in milliseconds. */
const rememberEvery = 24 * 60 * 60 * 1000

/** With a `KnownGood` in the context, the flag begins with what that remembers of the key. */
export const make = (options: Options): Effect.Effect<Credential> =>
  Effect.gen(function* () {
    const knownGood = yield* SubscriptionRef.make(false)
    const gate = yield* Gate.make({ concurrency: options.concurrency })
    const memory = Option.getOrUndefined(yield* Effect.serviceOption(KnownGood.KnownGood))
    return new Standing(options, knownGood, gate, memory)
  })

/** What is known of the present key. */
class Standing implements Credential {
  readonly source: string
  /** Hidden from whatever prints an object: a caller without types may pass plain text. */
  readonly #apiKey: Options["apiKey"]
  /** The present key. */
  private current: Key.Key | Key.NoKey = Key.absent
  /** Keys that were accepted, even if replaced since: their last requests may still be in flight. */
  private readonly acceptedKeys = new WeakSet<Key.Key>()
  private origin: string | undefined
  private exhaustedInARow = 0
  /** When the first of these was, by the gate's clock. */
  private exhaustedSince = 0
  /** The gate's latest turn when an exhausted call was last counted. */
  private turnOfExhausted = 0
  /** Calls that were refused since a request was last accepted, each sent after the one before was refused. */
  private readonly refusedCalls = new Set<object>()
  private turnOfRefused = 0
  /** When the first of them was refused, by the gate's clock. */
  private refusedSince = 0
  private lastRemembered = Number.NEGATIVE_INFINITY
  /** Ends when the memory has answered for the present key; `undefined` once it has. */
  private recalled: Effect.Effect<void> | undefined

  constructor(
    { apiKey, source }: Options,
    readonly knownGood: SubscriptionRef.SubscriptionRef<boolean>,
    readonly gate: Gate.Gate,
    private readonly memory: KnownGood.Service | undefined
  ) {
    this.source = source
    this.#apiKey = apiKey
  }

  bind(origin: string): Effect.Effect<string> {
    return Effect.suspend(() => {
      const owner = this.own(origin)
      // The memory knows a key at a host, so it can be asked only now that the host is known.
      const isAtHand = this.memory !== undefined && Redacted.isRedacted(this.#apiKey)
      return Effect.as(isAtHand ? this.read : Effect.void, owner)
    })
  }

  authorize(request: Request, key: Key.Key | Key.NoKey, terms: Terms): Request | Key.Refusal {
    if (key._tag === "NoKey") return request
    const origin = Key.originOf(request) ?? ""
    const authorized = key.authorize(request, { ...terms, origin: this.origin ?? origin })
    // A host that must not have the key does not own it either.
    if (!Key.isRefusal(authorized)) this.own(origin)
    return authorized
  }

  get read(): Effect.Effect<Key.Key | Key.NoKey> {
    const apiKey = this.#apiKey
    if (apiKey === undefined) return Effect.succeed(Key.absent)
    if (Redacted.isRedacted(apiKey)) return Effect.suspend(() => this.take(apiKey))
    // A caller without types may give plain text. Run as an effect, it would end up in the defect's message.
    if (!Effect.isEffect(apiKey)) return Effect.succeed(Key.unreadable)
    return Effect.matchCauseEffect(apiKey, {
      onFailure: () => Effect.succeed(Key.unreadable),
      onSuccess: (redacted) =>
        Redacted.isRedacted(redacted) ? this.take(redacted) : Effect.succeed<Key.NoKey>(Key.unreadable)
    })
  }

  get fingerprint(): Effect.Effect<string | undefined> {
    return Effect.map(this.read, (key) => (key._tag === "Key" ? key.fingerprint : undefined))
  }

  isKnownGood(key: Key.Key): Effect.Effect<boolean> {
    return key === this.current ? Ref.get(this.knownGood) : Effect.succeed(this.acceptedKeys.has(key))
  }

  accepted(key: Key.Key): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.acceptedKeys.add(key)
      // An answer to a key that has been replaced says nothing about the present one.
      if (key !== this.current) return Effect.void
      this.forgive()
      return Effect.flatMap(this.set(true), (changed) => this.remember(key, changed))
    })
  }

  exhausted(key: Key.Key, turn: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (key !== this.current || turn <= this.turnOfExhausted || this.gate.isBeingServed) return Effect.void
      this.turnOfExhausted = this.gate.lastTurn
      if (this.exhaustedInARow === 0) this.exhaustedSince = this.gate.now()
      this.exhaustedInARow += 1
      const isLong = this.gate.isIdle || this.gate.now() - this.exhaustedSince >= exhaustedWithin
      return isLong && this.exhaustedInARow >= forgetAfter ? this.demote(key) : Effect.void
    })
  }

  refused(key: Key.Key, turn: number, call: object): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (key !== this.current || turn <= this.turnOfRefused || this.gate.isBeingServed) return Effect.void
      this.turnOfRefused = this.gate.lastTurn
      if (this.refusedCalls.size === 0) this.refusedSince = this.gate.now()
      this.refusedCalls.add(call)
      const isLong = this.gate.now() - this.refusedSince >= forgetAfterMillis
      return isLong && this.refusedCalls.size >= forgetAfterCalls ? this.demote(key) : Effect.void
    })
  }

  private forgive(): void {
    this.exhaustedInARow = 0
    this.refusedCalls.clear()
  }

  private own(origin: string): string {
    this.origin ??= origin
    return this.origin
  }

  /** Calls that wait at the gate find out at once, by one request each. */
  private demote(key: Key.Key): Effect.Effect<void> {
    this.acceptedKeys.delete(key)
    this.refusedCalls.clear()
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

  /** Returns whether that changed the flag. */
  private set(good: boolean): Effect.Effect<boolean> {
    return Effect.flatMap(Ref.get(this.knownGood), (before) =>
      before === good ? Effect.succeed(false) : Effect.as(Ref.set(this.knownGood, good), true)
    )
  }

  private take(redacted: Redacted.Redacted): Effect.Effect<Key.Key | Key.NoKey> {
    const key = Key.of(redacted, this.current)
    if (key === this.current) return this.recalled === undefined ? Effect.succeed(key) : Effect.as(this.recalled, key)
    this.current = key
    this.recalled = undefined
    this.forgive()
    this.lastRemembered = Number.NEGATIVE_INFINITY
    return Effect.as(key._tag === "Key" ? this.recall(key) : this.set(false), key)
  }

  /** In a fiber of its own: all calls that begin meanwhile wait for one answer, and none of them owns the question. */
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

  private remember(key: Key.Key, anew: boolean): Effect.Effect<void> {
    const { memory } = this
    if (memory === undefined) return Effect.void
    return Effect.suspend(() => {
      // Not by the wall clock: if that is set back, it takes too long to reach the next day.
      const now = this.gate.now()
      if (!anew && now - this.lastRemembered < rememberEvery) return Effect.void
      this.lastRemembered = now
      return Effect.asVoid(Effect.forkDaemon(memory.remember(key.digest(this.origin))))
    })
  }
}
