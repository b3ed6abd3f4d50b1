/**
 * A provider's key, and the one thing we remember of it: *has it ever been accepted?*
 *
 * This is the only file that opens a secret. What leaves it is an authorized request, a fingerprint and text with the
 * key taken out.
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Gate from "./Gate.js"
import * as KnownGood from "./KnownGood.js"
import * as Redaction from "./Redaction.js"

export interface Credential {
  /** Where the key comes from, as a user would look for it: by default the name of an environment variable. */
  readonly source: string
  /** Whether the present key has been accepted. A `Ref`, and a UI can follow its `changes`. */
  readonly knownGood: SubscriptionRef.SubscriptionRef<boolean>
  /** The first 8 hex digits of the present key's SHA-256; `undefined` without a key. */
  readonly fingerprint: Effect.Effect<string | undefined>
  /** Reads the key, once per attempt, because a key may rotate. A changed key starts at "never accepted". */
  readonly read: Effect.Effect<Key | NoKey>
  /** A call with this key was answered. */
  readonly accepted: (key: Key) => Effect.Effect<void>
  /**
   * A call that began then (milliseconds since the epoch) was refused to the end of its auth retries, though the key was
   * known good. After three in a row the key counts as never accepted: one that was revoked is not hammered for ever.
   * Calls that ran beside each other count as one, because one bad minute of the gateway refuses them all.
   */
  readonly exhausted: (key: Key, began: number) => Effect.Effect<void>
  /**
   * The flag is worth something at one host only, so the first host that uses a credential owns it. The origin that
   * does: another than the given one means that the caller must not use this credential.
   */
  readonly bind: (origin: string) => Effect.Effect<string>
  /** Holds the calls with this key back together. */
  readonly gate: Gate.Gate
}

/** One value of the key, closed. */
export interface Key {
  readonly _tag: "Key"
  readonly fingerprint: string
  readonly authorize: (scheme: Scheme) => (request: Request) => Request
  readonly startsWith: (prefix: string) => boolean
  /** Takes the key, and any piece of it of 8 characters or more, out of a text. */
  readonly redact: (text: string) => string
}

/** Why there is no key to send. */
export interface NoKey {
  readonly _tag: "NoKey"
  readonly problem: "Absent" | "Blank" | "Unsendable" | "Unreadable"
}

type Request = HttpClientRequest.HttpClientRequest

/** How a key is written into a request. */
export type Scheme = (secret: string) => (request: Request) => Request

/** `Authorization: Bearer …` */
export const bearer: Scheme = (secret) => HttpClientRequest.setHeader("authorization", `Bearer ${secret}`)

/** The key alone, in a header of this name. */
export const header =
  (name: string): Scheme =>
  (secret) =>
    HttpClientRequest.setHeader(name, secret)

export interface Options {
  /** The key, or an effect that reads it before every attempt. A failure of that effect is `AuthMissing`. */
  readonly apiKey?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  readonly source: string
  /** The most calls with this key in flight at once. Default: no bound. */
  readonly concurrency?: number | undefined
}

/** After this many exhausted calls in a row a key counts as never accepted. */
const forgetAfter = 3

/** So often the date of a key that goes on being accepted is written anew. */
const rememberEvery = 24 * 60 * 60 * 1000

/** With a `KnownGood` in the context, what it remembers of the key is where the flag begins. */
export const make = (options: Options): Effect.Effect<Credential> =>
  Effect.gen(function* () {
    const knownGood = yield* SubscriptionRef.make(false)
    const gate = yield* Gate.make({ concurrency: options.concurrency })
    const memory = Option.getOrUndefined(yield* Effect.serviceOption(KnownGood.KnownGood))
    let current: Opened | NoKey = absent
    let secret: string | undefined
    let origin: string | undefined
    let exhaustedInARow = 0
    let lastExhausted = Number.NEGATIVE_INFINITY
    let lastRemembered = Number.NEGATIVE_INFINITY
    /** Ends when it is known what the memory holds of the present key. `undefined` once it is. */
    let recalled: Effect.Effect<void> | undefined

    /** Whether that changed it. */
    const set = (good: boolean): Effect.Effect<boolean> =>
      Effect.flatMap(Ref.get(knownGood), (before) =>
        before === good ? Effect.succeed(false) : Effect.as(Ref.set(knownGood, good), true)
      )

    const turn = (redacted: Redacted.Redacted): Effect.Effect<Key | NoKey> => {
      const next = Redacted.value(redacted).trim()
      const opened = next === secret ? current : open(next)
      if (next === secret) return recalled === undefined ? Effect.succeed(opened) : Effect.as(recalled, opened)
      secret = next
      current = opened
      recalled = undefined
      exhaustedInARow = 0
      lastRemembered = Number.NEGATIVE_INFINITY
      if (opened._tag === "NoKey" || memory === undefined) return Effect.as(set(false), opened)
      // By a fiber of its own: a slow store is waited for by all calls that begin meanwhile, and by none alone.
      const done = Deferred.unsafeMake<void>(FiberId.none)
      const wait = Deferred.await(done)
      recalled = wait
      const known = Effect.suspend(() => {
        if (recalled === wait) recalled = undefined
        return Deferred.succeed(done, undefined)
      })
      const begin = recall(memory, opened).pipe(Effect.ensuring(known), Effect.forkDaemon)
      return set(false).pipe(Effect.zipRight(begin), Effect.uninterruptible, Effect.zipRight(wait), Effect.as(opened))
    }

    /** Never sets to false: a call may have been answered in the meantime. */
    const recall = (memory: KnownGood.Service, key: Opened) =>
      Effect.interruptible(
        Effect.flatMap(memory.recall(key.digest(origin)), (good) =>
          good && key === current ? set(true) : Effect.succeed(false)
        )
      )

    const { apiKey } = options
    const read: Effect.Effect<Key | NoKey> =
      apiKey === undefined
        ? Effect.succeed(absent)
        : Redacted.isRedacted(apiKey)
          ? Effect.suspend(() => turn(apiKey))
          : Effect.matchEffect(readable(apiKey), {
              onFailure: () => Effect.succeed(unreadable),
              onSuccess: turn
            })

    const accepted = (key: Opened) => {
      exhaustedInARow = 0
      return Effect.flatMap(set(true), (changed) =>
        memory === undefined ? Effect.void : remember(memory, key, changed)
      )
    }

    const remember = (memory: KnownGood.Service, key: Opened, anew: boolean) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (!anew && now - lastRemembered < rememberEvery) return Effect.void
        lastRemembered = now
        return Effect.asVoid(Effect.forkDaemon(memory.remember(key.digest(origin))))
      })

    const exhausted = (key: Opened, began: number) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (began < lastExhausted) return Effect.void
        lastExhausted = now
        exhaustedInARow += 1
        if (exhaustedInARow < forgetAfter) return Effect.void
        return Effect.zipRight(set(false), memory?.forget(key.digest(origin)) ?? Effect.void)
      })

    /** What is said of a key that has been replaced says nothing of the present one. */
    const ifCurrent = (key: Key, then: (key: Opened) => Effect.Effect<void>) =>
      Effect.suspend(() => (key === current && current._tag === "Key" ? then(current) : Effect.void))

    return {
      source: options.source,
      knownGood,
      gate,
      read,
      fingerprint: Effect.map(read, (key) => (key._tag === "Key" ? key.fingerprint : undefined)),
      accepted: (key) => ifCurrent(key, accepted),
      exhausted: (key, began) => ifCurrent(key, (key) => exhausted(key, began)),
      bind: (to) => Effect.sync(() => (origin ??= to))
    }
  })

const absent: NoKey = { _tag: "NoKey", problem: "Absent" }

const unreadable: NoKey = { _tag: "NoKey", problem: "Unreadable" }

/** A caller without types may give plain text. Run as an effect, it would end up in the defect's message. */
const readable = <A>(apiKey: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
  Effect.isEffect(apiKey) ? apiKey : Effect.fail("no effect")

/** A key, and how a store may recognise it at a host. */
interface Opened extends Key {
  readonly digest: (origin: string | undefined) => KnownGood.Digest
}

const hash = (text: string): string => bytesToHex(sha256(new TextEncoder().encode(text)))

const open = (secret: string): Opened | NoKey => {
  if (secret === "") return { _tag: "NoKey", problem: "Blank" }
  // Visible ASCII. A header cannot carry the rest, and the platform's own error for it quotes the whole key.
  if (!/^[\x21-\x7e]+$/.test(secret)) return { _tag: "NoKey", problem: "Unsendable" }
  return {
    _tag: "Key",
    fingerprint: hash(secret).slice(0, 8),
    authorize: (scheme) => scheme(secret),
    startsWith: (prefix) => secret.startsWith(prefix),
    digest: (origin) => (salt) => hash(`${salt} ${origin} ${secret}`),
    redact: (text) => Redaction.secret(text, secret)
  }
}

/** Takes what looks like a key out of a text, and the key itself. */
export const scrub =
  (key: Key | NoKey): ((text: string) => string) =>
  (text) =>
    Redaction.shapes(key._tag === "Key" ? key.redact(text) : text)
