/**
 * The bytes of a response, a chunk at a time, by callback. An Effect stream costs a hundred microseconds to set up and
 * ten per read, and live traffic is one event per read. So the platform's underlying stream is read directly, where
 * that is what the response shows and nobody else has begun to read it. Any other response is read through its own
 * members.
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as KeylessResponse from "./KeylessResponse.js"

export interface Body {
  /**
   * Asks for the next chunk. There must be no unanswered question. Nothing is read ahead, so not asking holds the
   * socket back.
   */
  readonly next: (then: (read: Next) => void) => void
  /** Whether it has been read to its end, or has broken: then there is nothing left to release. */
  readonly isOver: () => boolean
  /** Gives the body up, without waiting. If it has not been read to its end, this closes the connection. */
  readonly release: Effect.Effect<void>
}

/** The answer to `next`. */
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

const ended: Next = { _tag: "End" }
const unreadable: Next = { _tag: "Unreadable", encoding: undefined }
const bytesRead = (bytes: Uint8Array): Next => ({ _tag: "Bytes", bytes })
const broken = (code: string): Next => ({ _tag: "Broken", code })

type Response = HttpClientResponse.HttpClientResponse

/** The body as the response shows it, with its content encoding undone if nobody has done that yet. */
export const fromResponse = (response: Response): Effect.Effect<Body> =>
  Effect.suspend(() => {
    const direct = directBody(response)
    if (direct !== undefined) return Effect.succeed(decoded(direct.body, direct.encoding()))
    const inner = unwrapped(response)
    const stream = Stream.suspend(() => response.stream)
    return Effect.map(
      // The response has kept what was read in one piece, and its stream is used up.
      wasRead(inner)
        ? fromStream(Stream.empty, inOnePiece(response))
        : // Asking undici's response for an empty body in one piece would end the process.
          fromStream(stream, sourceOf(inner) === undefined ? inOnePiece(response) : undefined),
      (body) => decoded(body, response.headers["content-encoding"])
    )
  })

/**
 * The response inside the platform's wrapper that aborts a request, and inside our own. Neither wrapper reads anything.
 */
const unwrapped = (response: Response): Response => {
  const inner = KeylessResponse.bodySource(response) ?? (isInterruptible(response) ? response.original : undefined)
  return inner === undefined ? response : unwrapped(inner)
}

const isInterruptible = (response: Response): response is Response & { readonly original: Response } =>
  Object.hasOwn(response, "controller") &&
  Predicate.hasProperty(response, "original") &&
  Predicate.hasProperty(response.original, HttpClientResponse.TypeId)

/** All bytes at once. A response keeps what it was asked for in this way, for whoever asks again. */
const inOnePiece = (response: Response): Effect.Effect<Uint8Array, HttpClientError.ResponseError> =>
  Effect.orElse(
    Effect.map(
      Effect.suspend(() => response.text),
      (text) => new TextEncoder().encode(text)
    ),
    () =>
      Effect.map(
        Effect.suspend(() => response.arrayBuffer),
        (buffer) => new Uint8Array(buffer)
      )
  )

// ---------------------------------------------------------------------------------------------------------------------
// The platform's own streams
// ---------------------------------------------------------------------------------------------------------------------

interface DirectBody {
  readonly body: Body
  /** The content encoding in which it arrived. */
  readonly encoding: () => string | undefined
}

/** The stream that one of the platform's responses is made of, if it shows that stream and nobody has touched it. */
const directBody = (response: Response): DirectBody | undefined => {
  const source = sourceOf(response)
  if (source === undefined || wasRead(response) || !hasItsOwnStream(response)) return undefined
  if (source instanceof globalThis.Response) {
    const { body, bodyUsed, headers } = source
    if (body === null || bodyUsed || body.locked) return undefined
    return { body: fromReadableStream(body), encoding: () => headers.get("content-encoding") ?? undefined }
  }
  const readable = Predicate.hasProperty(source, "body") ? source.body : source
  if (!isReadable(readable) || isTouched(readable)) return undefined
  return { body: fromReadable(readable), encoding: () => response.headers["content-encoding"] }
}

const fetchPrototype: object = Object.getPrototypeOf(
  HttpClientResponse.fromWeb(HttpClientRequest.get(""), new globalThis.Response())
)

/** What one of the platform's responses is made of. Its descriptor is read, which bypasses the `get` of a Proxy. */
const sourceOf = (response: Response): unknown => {
  const prototype: unknown = Object.getPrototypeOf(response)
  const source: unknown = Object.getOwnPropertyDescriptor(response, "source")?.value
  if (prototype === fetchPrototype) return source
  // The responses of Node's clients cannot be imported here. Their classes extend this one directly, and neither is made
  // of a `Response`.
  const isOfNode = prototype instanceof Inspectable.Class && Object.hasOwn(prototype, "constructor")
  return isOfNode && !(source instanceof globalThis.Response) ? source : undefined
}

/** Where the platform's responses keep what was read in one piece. */
const keptFields = ["textBody", "textEffect", "arrayBufferBody", "formDataBody"] as const

const wasRead = (response: Response): boolean =>
  keptFields.some((field) => Predicate.hasProperty(response, field) && response[field] !== undefined)

const marker: Response["stream"] = Stream.empty

/**
 * Whether its `stream` is the one that its class makes of its source. A Proxy gives itself away: another value that is
 * put there for a moment does not come back unchanged.
 */
const hasItsOwnStream = (response: Response): boolean => {
  if (Object.hasOwn(response, "stream")) return false
  try {
    return (
      Reflect.defineProperty(response, "stream", { value: marker, configurable: true }) && response.stream === marker
    )
  } catch {
    // A Proxy that forbids this is not the platform's own response.
    return false
  } finally {
    Reflect.deleteProperty(response, "stream")
  }
}

/** A web stream. */
export const fromReadableStream = (stream: ReadableStream<Uint8Array>): Body => {
  const reader = stream.getReader()
  let isOver = false
  return {
    next: (then) => {
      reader.read().then(
        ({ value }) => {
          isOver = value === undefined
          then(value === undefined ? ended : readOf(value))
        },
        (cause) => {
          isOver = true
          then(broken(codeOf(cause) ?? "Decode"))
        }
      )
    },
    isOver: () => isOver,
    // Not awaited: cancelling may take for ever.
    release: Effect.sync(() => void reader.cancel().catch(alreadyBroken))
  }
}

/** A broken stream refuses to be cancelled, and needs it no more. */
const alreadyBroken = () => undefined

/** The stream that a program's own `Fetch` returns may hold anything. */
const readOf = (value: unknown): Next => {
  if (value instanceof Uint8Array) return bytesRead(value)
  if (typeof value === "string") return bytesRead(new TextEncoder().encode(value))
  if (ArrayBuffer.isView(value)) return bytesRead(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  return value instanceof ArrayBuffer ? bytesRead(new Uint8Array(value)) : unreadable
}

/** The part of a Node stream that is used here. */
export interface Readable {
  readonly read: () => unknown
  readonly on: (event: "readable" | "end" | "error" | "close", listener: (cause?: unknown) => void) => unknown
  readonly destroy: () => unknown
}

export const isReadable = (value: unknown): value is Readable =>
  Predicate.hasProperty(value, "read") && Predicate.hasProperty(value, "on") && Predicate.hasProperty(value, "destroy")

const isTouched = (readable: Readable): boolean =>
  (Predicate.hasProperty(readable, "readableDidRead") && readable.readableDidRead === true) ||
  // Not null: somebody is listening to it, or has been.
  (Predicate.hasProperty(readable, "readableFlowing") && typeof readable.readableFlowing === "boolean")

/** A Node stream. One read takes everything that has arrived since the last. */
export const fromReadable = (readable: Readable): Body => {
  /** Whoever has asked and is not answered yet. */
  let asker: ((read: Next) => void) | undefined
  /** How it ended, once it has. */
  let end: Next | undefined
  let isAnswering = false

  /** A loop, because the reader asks again as soon as it is answered: the stack must not grow with the data. */
  const answer = (): void => {
    if (isAnswering) return
    isAnswering = true
    while (asker !== undefined) {
      const value = readable.read()
      const read = value === null ? end : readOf(value)
      if (read === undefined) break
      const then = asker
      asker = undefined
      then(read)
    }
    isAnswering = false
  }
  const finish = (read: Next): void => {
    end ??= read
    answer()
  }

  // It may have broken before anyone listened, and it reports that only once.
  if (Predicate.hasProperty(readable, "destroyed") && readable.destroyed === true) {
    end = broken((Predicate.hasProperty(readable, "errored") ? codeOf(readable.errored) : undefined) ?? "ECONNRESET")
  }
  readable.on("readable", answer)
  readable.on("end", () => finish(ended))
  readable.on("error", (cause) => finish(broken(codeOf(cause) ?? "Decode")))
  readable.on("close", () => finish(broken("ECONNRESET")))
  return {
    next: (then) => {
      asker = then
      answer()
    },
    isOver: () => end !== undefined,
    release: Effect.sync(() => void readable.destroy())
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Any other response
// ---------------------------------------------------------------------------------------------------------------------

type Bytes = Stream.Stream<Uint8Array, HttpClientError.ResponseError>

/** A fiber pulls a chunk when asked. If the stream has no byte at all, the body may still come in one piece. */
export const fromStream = (
  stream: Bytes,
  inOnePiece: Effect.Effect<Uint8Array, HttpClientError.ResponseError> = Effect.succeed(new Uint8Array(0))
): Effect.Effect<Body> =>
  Effect.suspend(() => {
    const puller = new Puller(stream, inOnePiece)
    return Effect.map(Effect.forkDaemon(Effect.interruptible(puller.run)), (fiber) => ({
      next: puller.next,
      isOver: puller.isOver,
      // Not awaited: a stream's finalizer may never end.
      release: Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))
    }))
  })

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

class Puller {
  /** Whoever has asked and is not answered yet. */
  private asker: ((read: Next) => void) | undefined
  /** Wakes the fiber while it waits to be asked. */
  private wake: (() => void) | undefined
  private hasEnded = false

  constructor(
    private readonly stream: Bytes,
    private readonly inOnePiece: Effect.Effect<Uint8Array, HttpClientError.ResponseError>
  ) {}

  readonly next: Body["next"] = (then) => {
    this.asker = then
    this.wake?.()
  }

  readonly isOver: Body["isOver"] = () => this.hasEnded

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
          const bytes = join(chunks)
          return Effect.zipRight(this.answer(bytesRead(bytes)), this.serve(pull, hasBegun || bytes.length > 0))
        }
      })
    )
  }

  /** The stream had no byte, perhaps because somebody has read it. `end` is how it ended. */
  private answerInOnePiece(end: Next): Effect.Effect<void> {
    return Effect.matchCauseEffect(this.inOnePiece, {
      onFailure: (cause) => this.answer(brokenBy(cause) ?? end),
      onSuccess: (bytes) =>
        bytes.length === 0
          ? this.answer(end)
          : Effect.zipRight(this.answer(bytesRead(bytes)), Effect.zipRight(this.question, this.answer(ended)))
    })
  }

  /** Waits until somebody asks. */
  private readonly question = Effect.async<void>((resume) => {
    if (this.asker !== undefined) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
  })

  private answer(read: Next): Effect.Effect<void> {
    return Effect.sync(() => {
      const then = this.asker
      this.asker = undefined
      this.wake = undefined
      this.hasEnded = read._tag !== "Bytes"
      then?.(read)
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
        ? ended
        : broken(codeOf(error.value.cause) ?? error.value.reason)
  })

/** How the connection broke; `undefined` if an earlier reader gave it up. */
const brokenBy = (cause: Cause.Cause<HttpClientError.ResponseError>): Next | undefined => {
  const code = Option.getOrUndefined(Option.map(Cause.failureOption(cause), (error) => codeOf(error.cause)))
  return code === undefined || code.includes("ABORT") ? undefined : broken(code)
}

const join = (chunks: Chunk.Chunk<Uint8Array>): Uint8Array => {
  if (Chunk.size(chunks) === 1) return Chunk.unsafeHead(chunks)
  return concat(Chunk.toReadonlyArray(chunks))
}

const concat = (all: ReadonlyArray<Uint8Array>): Uint8Array => {
  const joined = new Uint8Array(all.reduce((size, bytes) => size + bytes.length, 0))
  let at = 0
  for (const bytes of all) {
    joined.set(bytes, at)
    at += bytes.length
  }
  return joined
}

// ---------------------------------------------------------------------------------------------------------------------
// Content encodings
// ---------------------------------------------------------------------------------------------------------------------

/**
 * `fetch` undoes an encoding but leaves its header in place, and Node's clients undo none. So the first bytes decide: a
 * model's answer is text, and encoded bytes are not.
 */
const decoded = (body: Body, header: string | undefined): Body => {
  const encoding = header?.trim().toLowerCase() ?? ""
  return encoding === "" || encoding === "identity" ? body : new Encoded(body, encoding)
}

/** How many bytes it takes to tell whether it is text. */
const enoughToTell = 8

class Encoded implements Body {
  /** The first chunks, until there are enough bytes to tell. */
  private first: Array<Uint8Array> = []
  /** How many bytes those are. */
  private size = 0
  /** What is read from then on. */
  private decided: Body | undefined

  constructor(
    private readonly body: Body,
    private readonly encoding: string
  ) {}

  readonly next: Body["next"] = (then) => {
    if (this.decided !== undefined) return this.decided.next(then)
    this.body.next((read) => {
      if (read._tag === "Bytes") {
        this.first.push(read.bytes)
        this.size += read.bytes.length
        if (this.size < enoughToTell) return this.next(then)
      }
      const first = concat(this.first)
      this.first = []
      const body = withFirst(first, this.body, read._tag === "Bytes" ? undefined : read)
      this.decided = isText(first) ? body : decompressed(body, this.encoding)
      this.decided.next(then)
    })
  }

  readonly isOver: Body["isOver"] = () => this.body.isOver()

  readonly release: Body["release"] = Effect.suspend(() =>
    this.decided === undefined ? this.body.release : this.decided.release
  )
}

/** The body with its first bytes put back, and its end, if that has been read already. */
const withFirst = (first: Uint8Array, body: Body, end: Next | undefined): Body => {
  let isFirstRead = first.length === 0
  return {
    ...body,
    next: (then) => {
      if (isFirstRead) return end === undefined ? body.next(then) : then(end)
      isFirstRead = true
      then(bytesRead(first))
    }
  }
}

/** Valid UTF-8, a sequence cut off at the end aside, without control characters other than tab and line ends. */
const isText = (bytes: Uint8Array): boolean => {
  const head = bytes.subarray(0, 64)
  if (head.some((byte) => byte < 32 && byte !== 9 && byte !== 10 && byte !== 13)) return false
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true })
    return true
  } catch {
    return false
  }
}

/** The platform's names for the encodings that it may know. Brotli is recent: Node has had it since 24.7. */
const formats: { readonly [encoding: string]: string } = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
  br: "brotli"
}

const decompressed = (body: Body, encoding: string): Body => {
  const undecodable: Next = { _tag: "Unreadable", encoding: encoding.slice(0, 40) }
  const stream = decompression(encoding)
  if (stream === undefined) return { ...body, next: (then) => then(undecodable) }
  let hasBegun = false
  /** How the body itself broke, which the decompressed stream cannot say. */
  let broke: Next | undefined
  let isCancelled = false
  const packed = new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        new Promise((resolve) =>
          body.next((read) => {
            resolve()
            if (isCancelled) return
            if (read._tag === "Bytes") return controller.enqueue(read.bytes)
            if (read._tag === "End") return controller.close()
            broke = read
            controller.error(new Error(read._tag))
          })
        ),
      cancel: () => {
        isCancelled = true
      }
    },
    { highWaterMark: 0 }
  )
  const plain = fromReadableStream(packed.pipeThrough(stream))
  return {
    next: (then) =>
      plain.next((read) => {
        if (read._tag === "Bytes") hasBegun = true
        // If not even the beginning can be decompressed, the body does not have the encoding that it names.
        then(read._tag === "Broken" ? (broke ?? (hasBegun ? read : undecodable)) : read)
      }),
    isOver: body.isOver,
    release: Effect.zipRight(plain.release, body.release)
  }
}

const decompression = (encoding: string): ReadableWritablePair<Uint8Array, Uint8Array> | undefined => {
  const format = formats[encoding]
  if (format === undefined || globalThis.DecompressionStream === undefined) return undefined
  try {
    return Reflect.construct(globalThis.DecompressionStream, [format])
  } catch {
    // The platform does not know this encoding.
    return undefined
  }
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
