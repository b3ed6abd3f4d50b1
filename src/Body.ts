/**
 * The bytes of a response, a chunk at a time, by callback. An Effect stream costs a hundred microseconds to set up and
 * ten per read, and live traffic is one event per read; so where the platform's own stream can be had, it is read.
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"

export interface Body {
  /** Asks for the next chunk, once at a time. Nothing is read ahead of it, so whoever does not ask holds the socket back. */
  readonly next: (then: (read: Read) => void) => void
  /** Whether it was read to its end, or broke: there is nothing left to give up then. */
  readonly isOver: () => boolean
  /** Gives the body up. What has not been read to its end closes its connection. */
  readonly release: Effect.Effect<void>
}

export type Read =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "End" }
  /** The connection broke, in the system's word for it, as `ECONNRESET`. */
  | { readonly _tag: "Broken"; readonly code: string }

const end: Read = { _tag: "End" }

/** A web stream. */
export const fromReadableStream = (stream: ReadableStream<Uint8Array>): Body => {
  const reader = stream.getReader()
  let over = false
  return {
    next: (then) => {
      reader.read().then(
        ({ value }) => {
          over = value === undefined
          then(value === undefined ? end : { _tag: "Bytes", bytes: value })
        },
        (cause) => {
          over = true
          then({ _tag: "Broken", code: codeOf(cause) ?? "Decode" })
        }
      )
    },
    isOver: () => over,
    // Not waited for: a body may take for ever to be given up.
    release: Effect.sync(() => void reader.cancel().catch(alreadyBroken))
  }
}

/** A stream that broke refuses to be cancelled; there is nothing left to give up then. */
const alreadyBroken = () => undefined

/** What is needed of a Node stream. */
export interface Readable {
  readonly read: () => Uint8Array | null
  readonly on: (event: "readable" | "end" | "error" | "close", listener: (cause?: unknown) => void) => unknown
  readonly destroy: () => unknown
}

export const isReadable = (value: unknown): value is Readable =>
  Predicate.hasProperty(value, "read") && Predicate.hasProperty(value, "on") && Predicate.hasProperty(value, "destroy")

/** A Node stream. A read takes all that has come since the one before. */
export const fromReadable = (readable: Readable): Body => {
  let asked: ((read: Read) => void) | undefined
  let last: Read | undefined

  const answer = (read: Read): void => {
    const then = asked
    asked = undefined
    then?.(read)
  }
  const look = (): void => {
    if (asked === undefined) return
    const bytes = readable.read()
    if (bytes !== null) answer({ _tag: "Bytes", bytes })
    else if (last !== undefined) answer(last)
  }
  const finish = (read: Read): void => {
    last ??= read
    look()
  }

  readable.on("readable", look)
  readable.on("end", () => finish(end))
  readable.on("error", (cause) => finish({ _tag: "Broken", code: codeOf(cause) ?? "Decode" }))
  readable.on("close", () => finish({ _tag: "Broken", code: "ECONNRESET" }))
  return {
    next: (then) => {
      asked = then
      look()
    },
    isOver: () => last !== undefined,
    release: Effect.sync(() => void readable.destroy())
  }
}

/** Any response's stream: a fiber pulls a chunk whenever one is asked for. */
export const fromStream = (stream: Stream.Stream<Uint8Array, HttpClientError.ResponseError>): Effect.Effect<Body> => {
  let asked: ((read: Read) => void) | undefined
  let wake: (() => void) | undefined
  let over = false

  const wanted = Effect.async<void>((resume) => {
    if (asked !== undefined) return resume(Effect.void)
    wake = () => resume(Effect.void)
  })
  const answer = (read: Read) =>
    Effect.sync(() => {
      const then = asked
      asked = undefined
      wake = undefined
      over = read._tag !== "Bytes"
      then?.(read)
    })
  const serve = (pull: Pull): Effect.Effect<void> =>
    Effect.zipRight(
      wanted,
      Effect.matchEffect(pull, {
        onFailure: (error) => answer(ended(error)),
        onSuccess: (chunks) => Effect.zipRight(answer({ _tag: "Bytes", bytes: join(chunks) }), serve(pull))
      })
    )

  const whole = Effect.scoped(Effect.flatMap(Stream.toPull(stream), serve))
  return Effect.map(Effect.forkDaemon(Effect.interruptible(whole)), (fiber) => ({
    next: (then) => {
      asked = then
      wake?.()
    },
    isOver: () => over,
    release: Fiber.interrupt(fiber)
  }))
}

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

/** A body that never was (a 204) has merely ended. */
const ended = (error: Option.Option<HttpClientError.ResponseError>): Read =>
  Option.isNone(error) || error.value.reason === "EmptyBody"
    ? end
    : { _tag: "Broken", code: codeOf(error.value.cause) ?? error.value.reason }

const join = (chunks: Chunk.Chunk<Uint8Array>): Uint8Array => {
  if (Chunk.size(chunks) === 1) return Chunk.unsafeHead(chunks)
  const all = Chunk.toReadonlyArray(chunks)
  const joined = new Uint8Array(all.reduce((size, bytes) => size + bytes.length, 0))
  let at = 0
  for (const bytes of all) {
    joined.set(bytes, at)
    at += bytes.length
  }
  return joined
}

/** The system's word in an error, however deep: `fetch` says "fetch failed", and why in the cause. */
export const codeOf = (error: unknown): string | undefined => {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
  }
  return undefined
}
