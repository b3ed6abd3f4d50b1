/**
 * A provider's key, and the one thing we remember of it: *has it ever been accepted?*
 *
 * This is the only file that opens a secret. What leaves it is an authorized request, a fingerprint and text with the
 * key taken out.
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as SubscriptionRef from "effect/SubscriptionRef"

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
   * A call was refused to the end of its auth retries, though the key was known good. After three in a row the key
   * counts as never accepted: one that was revoked is not hammered for ever.
   */
  readonly exhausted: (key: Key) => Effect.Effect<void>
  /**
   * The flag is worth something at one host only, so the first host that uses a credential owns it. The origin that
   * does: another than the given one means that the caller must not use this credential.
   */
  readonly bind: (origin: string) => Effect.Effect<string>
}

/** One value of the key, closed. */
export interface Key {
  readonly _tag: "Key"
  readonly fingerprint: string
  readonly authorize: (scheme: Scheme) => (request: Request) => Request
  /** Takes the key, and any piece of it of 8 characters or more, out of a text. */
  readonly scrub: (text: string) => string
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
}

/** After this many exhausted calls in a row a key counts as never accepted. */
const forgetAfter = 3

export const make = (options: Options): Effect.Effect<Credential> =>
  Effect.map(SubscriptionRef.make(false), (knownGood) => {
    let current: Key | NoKey = absent
    let secret: string | undefined
    let origin: string | undefined
    let exhaustedInARow = 0

    const set = (good: boolean) =>
      Effect.flatMap(Ref.get(knownGood), (before) => (before === good ? Effect.void : Ref.set(knownGood, good)))

    const turn = (redacted: Redacted.Redacted): Effect.Effect<Key | NoKey> => {
      const next = Redacted.value(redacted).trim()
      if (next === secret) return Effect.succeed(current)
      secret = next
      current = open(next)
      exhaustedInARow = 0
      return Effect.as(set(false), current)
    }

    const read = Effect.matchEffect(keyOf(options), {
      onFailure: (problem) => Effect.succeed<Key | NoKey>({ _tag: "NoKey", problem }),
      onSuccess: turn
    })

    const ifCurrent = (key: Key, then: () => Effect.Effect<void>) =>
      Effect.suspend(() => (key === current ? then() : Effect.void))

    return {
      source: options.source,
      knownGood,
      read,
      fingerprint: Effect.map(read, (key) => (key._tag === "Key" ? key.fingerprint : undefined)),
      accepted: (key) =>
        ifCurrent(key, () => {
          exhaustedInARow = 0
          return set(true)
        }),
      exhausted: (key) =>
        ifCurrent(key, () => {
          exhaustedInARow += 1
          return exhaustedInARow < forgetAfter ? Effect.void : set(false)
        }),
      bind: (to) => Effect.sync(() => (origin ??= to))
    }
  })

const absent: NoKey = { _tag: "NoKey", problem: "Absent" }

const keyOf = (options: Options): Effect.Effect<Redacted.Redacted, NoKey["problem"]> =>
  options.apiKey === undefined
    ? Effect.fail("Absent")
    : Redacted.isRedacted(options.apiKey)
      ? Effect.succeed(options.apiKey)
      : Effect.mapError(options.apiKey, () => "Unreadable")

const open = (secret: string): Key | NoKey => {
  if (secret === "") return { _tag: "NoKey", problem: "Blank" }
  // Visible ASCII. A header cannot carry the rest, and the platform's own error for it quotes the whole key.
  if (!/^[\x21-\x7e]+$/.test(secret)) return { _tag: "NoKey", problem: "Unsendable" }
  return {
    _tag: "Key",
    fingerprint: bytesToHex(sha256(new TextEncoder().encode(secret))).slice(0, 8),
    authorize: (scheme) => scheme(secret),
    scrub: (text) => scrub(text, secret)
  }
}

const gram = 8
const mask = "[redacted]"

/** Servers echo keys whole, cut short, or with stars in the middle; each of these is taken out. */
const scrub = (text: string, secret: string): string => {
  const marked = new Uint8Array(text.length)
  const lower = text.toLowerCase()
  const key = secret.toLowerCase()
  const width = Math.min(gram, key.length)
  const grams = new Set<string>()
  for (let i = 0; i + width <= key.length; i++) grams.add(key.slice(i, i + width))
  for (let i = 0; i + width <= lower.length; i++) {
    if (grams.has(lower.slice(i, i + width))) marked.fill(1, i, i + width)
  }
  return masked(scrubShapes(unmark(text, marked)))
}

const unmark = (text: string, marked: Uint8Array): string => {
  let out = ""
  for (let i = 0; i < text.length; i++) {
    if (marked[i] === 0) out += text[i]
    else if (i === 0 || marked[i - 1] === 0) out += mask
  }
  return out
}

/**
 * Takes out what looks like a key, whoever's it is: `sk-…`, `tp-…`, a bearer token, and a masked one such as
 * `****abcd` (DeepSeek shows the tail of a refused key, OpenAI its head and tail; recorded).
 */
export const scrubShapes = (text: string): string =>
  text
    .replace(/\b(?:sk|tp|pk|rk|xai|gsk|key)-[\w*.-]{6,}/gi, mask)
    .replace(/\bBearer\s+[\w.~+/=*-]{6,}/gi, `Bearer ${mask}`)
    .replace(/[\w-]*\*{3,}[\w*-]*/g, mask)

const masked = (text: string): string => text.replace(/(?:\[redacted\][\w.-]*){2,}/g, mask)
