/**
 * One value of a key. This is the only file that opens a secret, and the one place that decides where it may go. What
 * leaves it is an authorized request, a fingerprint, a salted hash, and text with the key removed.
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Redacted from "effect/Redacted"
import * as BaseUrl from "../BaseUrl.js"
import type * as KnownGood from "../KnownGood.js"
import type * as ProviderError from "../ProviderError.js"
import * as Redaction from "./Redaction.js"

/** A key that can be sent. The secret itself is in no field of it. */
export interface Key {
  readonly _tag: "Key"
  /** The first 8 hex digits of the key's SHA-256: they tell keys apart and reveal none. */
  readonly fingerprint: string
  readonly startsWith: (prefix: string) => boolean
  readonly isMadeOf: (secret: string) => boolean
  /** The request with the key in it, if the key may go to that host. */
  readonly authorize: (request: Request, terms: Terms) => Request | Refusal
  /** Removes the key, and any piece of it of 8 characters or more, from a text. */
  readonly redact: (text: string) => string
  /** How a store may recognise the key at a host. */
  readonly digest: (origin: string | undefined) => KnownGood.Digest
}

/** Why there is no key to send. */
export interface NoKey {
  readonly _tag: "NoKey"
  readonly problem: ProviderError.KeyProblem
}

type Request = HttpClientRequest.HttpClientRequest

/** How a key is written into a request: a header, and what precedes the key in it. */
export interface Scheme {
  /** The header's name, in lower case. */
  readonly header: string
  /** What stands before the key in it, a space included. */
  readonly prefix: string
}

/** `Authorization: Bearer …` */
export const bearer: Scheme = { header: "authorization", prefix: "Bearer " }

/** The key alone, in a header of this name. */
export const header = (name: string): Scheme => ({ header: name.toLowerCase(), prefix: "" })

export interface Terms {
  readonly scheme: Scheme
  /** Scheme, host and port that the key is for. */
  readonly origin: string
  /** Whether it may be sent over plain http to another machine. */
  readonly allowInsecure: boolean
}

/** Why the key must not be sent there. */
export interface Refusal {
  readonly _tag: "Refusal"
  readonly problem: "BadBaseUrl" | "BadHeader" | "ForeignCredential" | "InsecureBaseUrl"
  readonly subject?: string | undefined
}

export const isRefusal = (value: Request | Refusal): value is Refusal => "_tag" in value && value._tag === "Refusal"

const noKey = (problem: ProviderError.KeyProblem): NoKey => ({ _tag: "NoKey", problem })

export const absent: NoKey = noKey("Absent")

export const unreadable: NoKey = noKey("Unreadable")

/** The key that was read: the present object, if the key has not changed. */
export const of = (redacted: Redacted.Redacted, present: Key | NoKey): Key | NoKey => {
  const secret = secretOf(redacted)
  if (secret === undefined) return unreadable
  return present._tag === "Key" && present.isMadeOf(secret) ? present : make(secret)
}

/** `undefined` if a caller without types wrapped something else, or if it has been wiped. */
const secretOf = (redacted: Redacted.Redacted): string | undefined => {
  try {
    const value: unknown = Redacted.value(redacted)
    return typeof value === "string" ? value.trim() : undefined
  } catch {
    return undefined
  }
}

const make = (secret: string): Key | NoKey => {
  if (secret === "") return noKey("Blank")
  // Visible ASCII: a header cannot carry anything else, and the platform's own error for that quotes the whole key.
  if (!/^[\x21-\x7e]+$/.test(secret)) return noKey("Unsendable")
  return {
    _tag: "Key",
    fingerprint: hash(secret).slice(0, 8),
    startsWith: (prefix) => secret.startsWith(prefix),
    isMadeOf: (other) => other === secret,
    authorize: (request, terms) => refusal(request, terms) ?? authorized(request, terms.scheme, secret),
    redact: (text) => Redaction.secret(text, secret),
    digest: (origin) => (salt) => hash(`${salt} ${origin} ${secret}`)
  }
}

/** Removes the key itself from a text, if there is a key. */
export const redact = (key: Key | NoKey, text: string): string => (key._tag === "Key" ? key.redact(text) : text)

/** Removes the key itself from a text, and anything that looks like a key. */
export const scrub =
  (key: Key | NoKey): ((text: string) => string) =>
  (text) =>
    Redaction.shapes(redact(key, text))

/** Scheme, host and port that a request goes to. */
export const originOf = (request: Request): string | undefined => BaseUrl.parse(request.url)?.origin

const refusal = (request: Request, { allowInsecure, origin, scheme }: Terms): Refusal | undefined => {
  const to = originOf(request)
  if (to === undefined) return { _tag: "Refusal", problem: "BadBaseUrl" }
  if (to !== origin) return { _tag: "Refusal", problem: "ForeignCredential", subject: origin }
  if (!allowInsecure && BaseUrl.isExposed(to)) return { _tag: "Refusal", problem: "InsecureBaseUrl" }
  // The client's own error would quote the whole header, with the key in it.
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(scheme.header) || !/^[\x20-\x7e]*$/.test(scheme.prefix)) {
    return { _tag: "Refusal", problem: "BadHeader", subject: scheme.header }
  }
  return undefined
}

const authorized = (request: Request, scheme: Scheme, secret: string): Request =>
  HttpClientRequest.setHeader(request, scheme.header, scheme.prefix + secret)

const hash = (text: string): string => bytesToHex(sha256(new TextEncoder().encode(text)))
