/**
 * The bytes of a body, a chunk at a time, by callback: an Effect stream costs a hundred microseconds to set up and ten
 * per read, and live traffic is one event per read.
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"

export interface Body {
  /**
   * Asks for the next chunk; not again before `then` has been called. Nothing is read ahead, so not asking holds the
   * socket back.
   */
  readonly next: (then: (next: Next) => void) => void
  /** Whether it has been read to its end, or has broken: then there is nothing left to release. */
  readonly hasEnded: () => boolean
  /** Gives the body up, without waiting. If it has not been read to its end, this closes the connection. */
  readonly release: Effect.Effect<void>
}

/** What comes next of a body. */
export type Next =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "End" }
  /** The connection broke. `code` is the system's, such as `ECONNRESET`. */
  | { readonly _tag: "Broken"; readonly code: string }
  /**
   * There is a body, but it cannot be read: somebody else has read it, or it has an encoding, named here, that cannot
   * be undone. Asking the server again would give the same.
   */
  | { readonly _tag: "Unreadable"; readonly encoding: string | undefined }

const end: Next = { _tag: "End" }

const unreadable: Next = { _tag: "Unreadable", encoding: undefined }

const broken = (code: string): Next => ({ _tag: "Broken", code })

const brokenBy = (cause: unknown, otherwise = "Decode"): Next => broken(codeOf(cause) ?? otherwise)

export const bytes = (bytes: Uint8Array): Next => ({ _tag: "Bytes", bytes })

// ---------------------------------------------------------------------------------------------------------------------
// Web streams and Node streams
// ---------------------------------------------------------------------------------------------------------------------

export const fromReadableStream = (stream: ReadableStream<Uint8Array>): Body => {
  const reader = stream.getReader()
  let hasEnded = false
  const ending = (next: Next): Next => {
    hasEnded = true
    return next
  }
  return {
    next: (then) => {
      reader.read().then(
        ({ value }) => then(value === undefined ? ending(end) : nextOf(value)),
        (cause) => then(ending(brokenBy(cause)))
      )
    },
    hasEnded: () => hasEnded,
    // Not awaited: cancelling may take for ever.
    release: Effect.sync(() => void reader.cancel().catch(alreadyBroken))
  }
}

/** A broken stream refuses to be cancelled, and need not be. */
const alreadyBroken = () => undefined

/** The stream that a program's own `Fetch` returns may hold anything. */
const nextOf = (value: unknown): Next => {
  if (value instanceof Uint8Array) return bytes(value)
  if (typeof value === "string") return bytes(new TextEncoder().encode(value))
  if (ArrayBuffer.isView(value)) return bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  return value instanceof ArrayBuffer ? bytes(new Uint8Array(value)) : unreadable
}

/** The part of a Node stream that is used here. */
export interface Readable {
  readonly read: () => unknown
  readonly on: (event: "readable" | "end" | "error" | "close", listener: (cause?: unknown) => void) => unknown
  readonly destroy: () => unknown
}

export const isReadable = (value: unknown): value is Readable =>
  Predicate.hasProperty(value, "read") && Predicate.hasProperty(value, "on") && Predicate.hasProperty(value, "destroy")

/** A Node stream. One read takes everything that has arrived since the last. */
export const fromReadable = (readable: Readable): Body => new ReadableBody(readable)

class ReadableBody implements Body {
  /** Whoever has asked and has no answer yet. */
  private asker: ((next: Next) => void) | undefined
  /** How it ended, once it has. */
  private end: Next | undefined
  private isAnswering = false

  constructor(private readonly readable: Readable) {
    // It may have broken before anyone listened, and it reports that only once.
    if (Predicate.hasProperty(readable, "destroyed") && readable.destroyed === true) {
      this.end = brokenBy(Predicate.hasProperty(readable, "errored") ? readable.errored : undefined, "ECONNRESET")
    }
    readable.on("readable", this.answer)
    readable.on("end", () => this.finish(end))
    readable.on("error", (cause) => this.finish(brokenBy(cause)))
    readable.on("close", () => this.finish(broken("ECONNRESET")))
  }

  readonly next: Body["next"] = (then) => {
    this.asker = then
    this.answer()
  }

  readonly hasEnded: Body["hasEnded"] = () => this.end !== undefined

  readonly release: Body["release"] = Effect.sync(() => void this.readable.destroy())

  private finish(next: Next): void {
    this.end ??= next
    this.answer()
  }

  /** A loop, because the reader asks again as soon as it is answered: the stack must not grow with the data. */
  private readonly answer = (): void => {
    if (this.isAnswering) return
    this.isAnswering = true
    while (this.asker !== undefined) {
      const value = this.readable.read()
      const next = value === null ? this.end : nextOf(value)
      if (next === undefined) break
      const then = this.asker
      this.asker = undefined
      then(next)
    }
    this.isAnswering = false
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Effect streams
// ---------------------------------------------------------------------------------------------------------------------

type Bytes = Stream.Stream<Uint8Array, HttpClientError.ResponseError>

/** A fiber pulls a chunk when asked. If the stream has no byte at all, the body may still be had in one piece. */
export const fromStream = (
  stream: Bytes,
  inOnePiece: Effect.Effect<Uint8Array, HttpClientError.ResponseError> = Effect.succeed(new Uint8Array(0))
): Effect.Effect<Body> =>
  Effect.suspend(() => {
    const puller = new Puller(stream, inOnePiece)
    return Effect.map(Effect.forkDaemon(Effect.interruptible(puller.run)), (fiber) => ({
      next: puller.next,
      hasEnded: puller.hasEnded,
      // Not awaited: a stream's finalizer may never end.
      release: Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))
    }))
  })

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

class Puller {
  /** Whoever has asked and is not answered yet. */
  private asker: ((next: Next) => void) | undefined
  /** Wakes the fiber while it waits to be asked. */
  private wake: (() => void) | undefined
  private isAtEnd = false

  constructor(
    private readonly stream: Bytes,
    private readonly inOnePiece: Effect.Effect<Uint8Array, HttpClientError.ResponseError>
  ) {}

  readonly next: Body["next"] = (then) => {
    this.asker = then
    this.wake?.()
  }

  readonly hasEnded: Body["hasEnded"] = () => this.isAtEnd

  /** What the fiber does. */
  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.catchAllCause(
      Effect.scoped(Effect.flatMap(Stream.toPull(this.stream), (pull) => this.serve(pull, false))),
      // Only the stream's finalizer can have failed, after everything was read.
      () => this.answer(unreadable)
    )
  )

  private serve(pull: Pull, hasBegun: boolean): Effect.Effect<void> {
    return Effect.zipRight(
      this.question,
      Effect.matchCauseEffect(pull, {
        onFailure: (cause) => (hasBegun ? this.answer(endOf(cause)) : this.answerInOnePiece(endOf(cause))),
        onSuccess: (chunks) => {
          const pulled = join(chunks)
          return Effect.zipRight(this.answer(bytes(pulled)), this.serve(pull, hasBegun || pulled.length > 0))
        }
      })
    )
  }

  /** The stream had no byte, perhaps because somebody has read it. `next` is how it ended. */
  private answerInOnePiece(next: Next): Effect.Effect<void> {
    return Effect.matchCauseEffect(this.inOnePiece, {
      onFailure: (cause) => this.answer(breakOf(cause) ?? next),
      onSuccess: (all) =>
        all.length === 0
          ? this.answer(next)
          : Effect.zipRight(this.answer(bytes(all)), Effect.zipRight(this.question, this.answer(end)))
    })
  }

  /** Waits until somebody asks. */
  private readonly question = Effect.async<void>((resume) => {
    if (this.asker !== undefined) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
  })

  private answer(next: Next): Effect.Effect<void> {
    return Effect.sync(() => {
      const then = this.asker
      this.asker = undefined
      this.wake = undefined
      this.isAtEnd = next._tag !== "Bytes"
      then?.(next)
    })
  }
}

/**
 * A response without a body (a 204) has merely ended. A stream that dies has another reader, of whom `fetch` allows
 * only one.
 */
const endOf = (cause: Cause.Cause<Option.Option<HttpClientError.ResponseError>>): Next =>
  Either.match(Cause.failureOrCause(cause), {
    onRight: () => unreadable,
    onLeft: (error) =>
      Option.isNone(error) || error.value.reason === "EmptyBody"
        ? end
        : broken(codeOf(error.value.cause) ?? error.value.reason)
  })

/** How the connection broke; `undefined` if it did because an earlier reader gave it up. */
const breakOf = (cause: Cause.Cause<HttpClientError.ResponseError>): Next | undefined => {
  const code = Option.getOrUndefined(Option.map(Cause.failureOption(cause), (error) => codeOf(error.cause)))
  return code === undefined || code.includes("ABORT") ? undefined : broken(code)
}

const join = (chunks: Chunk.Chunk<Uint8Array>): Uint8Array =>
  Chunk.size(chunks) === 1 ? Chunk.unsafeHead(chunks) : concat(Chunk.toReadonlyArray(chunks))

export const concat = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

/**
 * The system's code in an error or in its causes: `fetch` only says "fetch failed", and the cause says why. Some errors
 * are their own cause, so the depth is limited.
 */
export const codeOf = (error: unknown): string | undefined => {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 16; cause = cause.cause, depth++) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
  }
  return undefined
}
