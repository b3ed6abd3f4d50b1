/**
 * The bytes of a response, a chunk at a time, by callback. An Effect stream costs a hundred microseconds to set up and
 * ten per read, and live traffic is one event per read; so the platform's own stream is read where the response shows
 * just that, and nobody else has begun to. Every other response is read as it shows itself.
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
  /** Asks for the next chunk, once at a time. Nothing is read ahead of it, so whoever does not ask holds the socket back. */
  readonly next: (then: (read: Read) => void) => void
  /** Whether it was read to its end, or broke: there is nothing left to give up then. */
  readonly isOver: () => boolean
  /** Gives the body up, and waits for nobody. What has not been read to its end closes its connection. */
  readonly release: Effect.Effect<void>
}

export type Read =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "End" }
  /** The connection broke, in the system's word for it, as `ECONNRESET`. */
  | { readonly _tag: "Broken"; readonly code: string }
  /**
   * There was something, and it cannot be had: somebody else has read it, or it came in an encoding, named here, that
   * cannot be undone. Asking the server again would come to the same.
   */
  | { readonly _tag: "Unreadable"; readonly encoding: string | undefined }

const end: Read = { _tag: "End" }
const unreadable: Read = { _tag: "Unreadable", encoding: undefined }
const bytesRead = (bytes: Uint8Array): Read => ({ _tag: "Bytes", bytes })
const broken = (code: string): Read => ({ _tag: "Broken", code })

type Response = HttpClientResponse.HttpClientResponse

/** The body of the response, as the response shows it, with its content encoding undone if nobody has done so yet. */
export const fromResponse = (response: Response): Effect.Effect<Body> =>
  Effect.suspend(() => {
    const own = ownBody(response)
    if (own !== undefined) return Effect.succeed(undone(own.body, own.encoding()))
    const inner = under(response)
    const stream = Stream.suspend(() => response.stream)
    return Effect.map(
      // What has been read whole is kept whole, and its stream is used up.
      wasRead(inner)
        ? fromStream(Stream.empty, inOnePiece(response))
        : // A body of undici's that was empty and is asked for in one piece ends the process.
          fromStream(stream, sourceOf(inner) === undefined ? inOnePiece(response) : undefined),
      (body) => undone(body, response.headers["content-encoding"])
    )
  })

/** The response inside of the one by which the platform gives up a request, and of our own, which read nothing. */
const under = (response: Response): Response => {
  const inner = KeylessResponse.inside(response) ?? (isInterruptible(response) ? response.original : undefined)
  return inner === undefined ? response : under(inner)
}

const isInterruptible = (response: Response): response is Response & { readonly original: Response } =>
  Object.hasOwn(response, "controller") &&
  Predicate.hasProperty(response, "original") &&
  Predicate.hasProperty(response.original, HttpClientResponse.TypeId)

/** A response keeps what was read of it whole, for whoever asks again. */
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

interface Own {
  readonly body: Body
  readonly encoding: () => string | undefined
}

/** The stream under a response of the platform's, if that is what the response shows, and it is untouched. */
const ownBody = (response: Response): Own | undefined => {
  const source = sourceOf(response)
  if (source === undefined || wasRead(response) || !showsItsOwn(response)) return undefined
  if (source instanceof globalThis.Response) {
    const { body, bodyUsed, headers } = source
    if (body === null || bodyUsed || body.locked) return undefined
    return { body: fromReadableStream(body), encoding: () => headers.get("content-encoding") ?? undefined }
  }
  const readable = Predicate.hasProperty(source, "body") ? source.body : source
  if (!isReadable(readable) || isTouched(readable)) return undefined
  return { body: fromReadable(readable), encoding: () => response.headers["content-encoding"] }
}

const fetched: object = Object.getPrototypeOf(
  HttpClientResponse.fromWeb(HttpClientRequest.get(""), new globalThis.Response())
)

/** What a response of the platform's is made of. Taken by its descriptor, which goes around the `get` of a Proxy. */
const sourceOf = (response: Response): unknown => {
  const prototype: unknown = Object.getPrototypeOf(response)
  const source: unknown = Object.getOwnPropertyDescriptor(response, "source")?.value
  if (prototype === fetched) return source
  // The classes of Node's clients cannot be imported here. Both extend this one, and neither is made of a `Response`.
  const isOfNode = prototype instanceof Inspectable.Class && Object.hasOwn(prototype, "constructor")
  return isOfNode && !(source instanceof globalThis.Response) ? source : undefined
}

/** Where the platform's responses keep what was read of them in one piece. */
const kept = ["textBody", "textEffect", "arrayBufferBody", "formDataBody"] as const

const wasRead = (response: Response): boolean =>
  kept.some((field) => Predicate.hasProperty(response, field) && response[field] !== undefined)

const marker: Response["stream"] = Stream.empty

/**
 * Whether its `stream` is what its class makes of its source. A Proxy looks the same in every way but this: what is
 * put there for a moment does not come out as it went in.
 */
const showsItsOwn = (response: Response): boolean => {
  if (Object.hasOwn(response, "stream")) return false
  try {
    return (
      Reflect.defineProperty(response, "stream", { value: marker, configurable: true }) && response.stream === marker
    )
  } catch {
    // A Proxy that minds being looked at is not the platform's own.
    return false
  } finally {
    Reflect.deleteProperty(response, "stream")
  }
}

/** A web stream. */
export const fromReadableStream = (stream: ReadableStream<Uint8Array>): Body => {
  const reader = stream.getReader()
  let over = false
  return {
    next: (then) => {
      reader.read().then(
        ({ value }) => {
          over = value === undefined
          then(value === undefined ? end : readOf(value))
        },
        (cause) => {
          over = true
          then(broken(codeOf(cause) ?? "Decode"))
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

/** A `Fetch` of the program's own may hold anything in its stream. */
const readOf = (value: unknown): Read => {
  if (value instanceof Uint8Array) return bytesRead(value)
  if (typeof value === "string") return bytesRead(new TextEncoder().encode(value))
  if (ArrayBuffer.isView(value)) return bytesRead(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  return value instanceof ArrayBuffer ? bytesRead(new Uint8Array(value)) : unreadable
}

/** What is needed of a Node stream. */
export interface Readable {
  readonly read: () => unknown
  readonly on: (event: "readable" | "end" | "error" | "close", listener: (cause?: unknown) => void) => unknown
  readonly destroy: () => unknown
}

export const isReadable = (value: unknown): value is Readable =>
  Predicate.hasProperty(value, "read") && Predicate.hasProperty(value, "on") && Predicate.hasProperty(value, "destroy")

const isTouched = (readable: Readable): boolean =>
  (Predicate.hasProperty(readable, "readableDidRead") && readable.readableDidRead === true) ||
  // Not null: somebody listens for what it reads.
  (Predicate.hasProperty(readable, "readableFlowing") && typeof readable.readableFlowing === "boolean")

/** A Node stream. A read takes all that has come since the one before. */
export const fromReadable = (readable: Readable): Body => {
  let asked: ((read: Read) => void) | undefined
  let last: Read | undefined
  let looking = false

  /** A loop, because whoever is answered asks again at once: the stack must not grow with what has come. */
  const look = (): void => {
    if (looking) return
    looking = true
    while (asked !== undefined) {
      const value = readable.read()
      const read = value === null ? last : readOf(value)
      if (read === undefined) break
      const then = asked
      asked = undefined
      then(read)
    }
    looking = false
  }
  const finish = (read: Read): void => {
    last ??= read
    look()
  }

  // It may have broken before anyone listened, and says so once.
  if (Predicate.hasProperty(readable, "destroyed") && readable.destroyed === true) {
    last = broken((Predicate.hasProperty(readable, "errored") ? codeOf(readable.errored) : undefined) ?? "ECONNRESET")
  }
  readable.on("readable", look)
  readable.on("end", () => finish(end))
  readable.on("error", (cause) => finish(broken(codeOf(cause) ?? "Decode")))
  readable.on("close", () => finish(broken("ECONNRESET")))
  return {
    next: (then) => {
      asked = then
      look()
    },
    isOver: () => last !== undefined,
    release: Effect.sync(() => void readable.destroy())
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Whatever else shows a stream
// ---------------------------------------------------------------------------------------------------------------------

type Bytes = Stream.Stream<Uint8Array, HttpClientError.ResponseError>

/** Any response's stream: a fiber pulls a chunk whenever one is asked for. What has none may have it in one piece. */
export const fromStream = (
  stream: Bytes,
  inOnePiece: Effect.Effect<Uint8Array, HttpClientError.ResponseError> = Effect.succeed(new Uint8Array(0))
): Effect.Effect<Body> =>
  Effect.suspend(() => {
    const pulled = new Pulled(stream, inOnePiece)
    return Effect.map(Effect.forkDaemon(Effect.interruptible(pulled.whole)), (fiber) => ({
      next: pulled.next,
      isOver: pulled.isOver,
      // Not waited for, as above: what a stream does at its end may never end.
      release: Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))
    }))
  })

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

class Pulled {
  private asked: ((read: Read) => void) | undefined
  /** Wakes the fiber, while it waits to be asked. */
  private wake: (() => void) | undefined
  private over = false

  constructor(
    private readonly stream: Bytes,
    private readonly inOnePiece: Effect.Effect<Uint8Array, HttpClientError.ResponseError>
  ) {}

  readonly next: Body["next"] = (then) => {
    this.asked = then
    this.wake?.()
  }

  readonly isOver: Body["isOver"] = () => this.over

  readonly whole: Effect.Effect<void> = Effect.suspend(() =>
    Effect.catchAllCause(
      Effect.scoped(Effect.flatMap(Stream.toPull(this.stream), (pull) => this.serve(pull, false))),
      // What its own end fails with is of no use to anyone: what can be had, has been had.
      () => this.answer(unreadable)
    )
  )

  private serve(pull: Pull, begun: boolean): Effect.Effect<void> {
    return Effect.zipRight(
      this.wanted,
      Effect.matchCauseEffect(pull, {
        onFailure: (cause) => (begun ? this.answer(endOf(cause)) : this.instead(endOf(cause))),
        onSuccess: (chunks) => {
          const bytes = join(chunks)
          return Effect.zipRight(this.answer(bytesRead(bytes)), this.serve(pull, begun || bytes.length > 0))
        }
      })
    )
  }

  /** A stream without a byte may have been read already. */
  private instead(read: Read): Effect.Effect<void> {
    return Effect.matchCauseEffect(this.inOnePiece, {
      onFailure: (cause) => this.answer(brokeOff(cause) ?? read),
      onSuccess: (bytes) =>
        bytes.length === 0
          ? this.answer(read)
          : Effect.zipRight(this.answer(bytesRead(bytes)), Effect.zipRight(this.wanted, this.answer(end)))
    })
  }

  private readonly wanted = Effect.async<void>((resume) => {
    if (this.asked !== undefined) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
  })

  private answer(read: Read): Effect.Effect<void> {
    return Effect.sync(() => {
      const then = this.asked
      this.asked = undefined
      this.wake = undefined
      this.over = read._tag !== "Bytes"
      then?.(read)
    })
  }
}

/** A body that never was (a 204) has merely ended. A stream that dies is one that has been taken: `fetch` lets only one read. */
const endOf = (cause: Cause.Cause<Option.Option<HttpClientError.ResponseError>>): Read =>
  Either.match(Cause.failureOrCause(cause), {
    onRight: () => unreadable,
    onLeft: (error) =>
      Option.isNone(error) || error.value.reason === "EmptyBody"
        ? end
        : broken(codeOf(error.value.cause) ?? error.value.reason)
  })

/** Whether the connection broke, and was not given up by whoever read before. */
const brokeOff = (cause: Cause.Cause<HttpClientError.ResponseError>): Read | undefined => {
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
 * `fetch` undoes an encoding and leaves its header in place; Node's clients undo none. So the first bytes tell: an
 * answer of a model is text, and what came encoded is not.
 */
const undone = (body: Body, header: string | undefined): Body => {
  const encoding = header?.trim().toLowerCase() ?? ""
  return encoding === "" || encoding === "identity" ? body : new Encoded(body, encoding)
}

/** So many bytes tell text from what is none. */
const telling = 8

class Encoded implements Body {
  private held: Array<Uint8Array> = []
  private size = 0
  /** What is read once the first bytes have told. */
  private told: Body | undefined

  constructor(
    private readonly body: Body,
    private readonly encoding: string
  ) {}

  readonly next: Body["next"] = (then) => {
    if (this.told !== undefined) return this.told.next(then)
    this.body.next((read) => {
      if (read._tag === "Bytes") {
        this.held.push(read.bytes)
        this.size += read.bytes.length
        if (this.size < telling) return this.next(then)
      }
      const first = concat(this.held)
      this.held = []
      const rest = behind(first, this.body, read._tag === "Bytes" ? undefined : read)
      this.told = isText(first) ? rest : decompressed(rest, this.encoding)
      this.told.next(then)
    })
  }

  readonly isOver: Body["isOver"] = () => this.body.isOver()

  readonly release: Body["release"] = Effect.suspend(() =>
    this.told === undefined ? this.body.release : this.told.release
  )
}

/** The body with this before it; and with this as its end, if that has come already. */
const behind = (first: Uint8Array, body: Body, last: Read | undefined): Body => {
  let begun = first.length === 0
  return {
    ...body,
    next: (then) => {
      if (begun) return last === undefined ? body.next(then) : then(last)
      begun = true
      then(bytesRead(first))
    }
  }
}

/** No control character, and a sequence of UTF-8 at most cut off at its end. */
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

/** The platform's names of what it may be able to undo. Brotli is young there: Node has it since 24.7. */
const formats: { readonly [encoding: string]: string } = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
  br: "brotli"
}

const decompressed = (body: Body, encoding: string): Body => {
  const failed: Read = { _tag: "Unreadable", encoding: encoding.slice(0, 40) }
  const stream = decompression(encoding)
  if (stream === undefined) return { ...body, next: (then) => then(failed) }
  let begun = false
  let broke: Read | undefined
  let givenUp = false
  const packed = new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        new Promise((resolve) =>
          body.next((read) => {
            resolve()
            if (givenUp) return
            if (read._tag === "Bytes") return controller.enqueue(read.bytes)
            if (read._tag === "End") return controller.close()
            broke = read
            controller.error(new Error(read._tag))
          })
        ),
      cancel: () => {
        givenUp = true
      }
    },
    { highWaterMark: 0 }
  )
  const plain = fromReadableStream(packed.pipeThrough(stream))
  return {
    next: (then) =>
      plain.next((read) => {
        if (read._tag === "Bytes") begun = true
        // What cannot be undone from its beginning is not what it says that it is.
        then(read._tag === "Broken" ? (broke ?? (begun ? read : failed)) : read)
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
    // It does not know this one.
    return undefined
  }
}

/**
 * The system's word in an error, however deep: `fetch` says "fetch failed", and why in the cause. Some errors are their own
 * cause, so it is looked for so deep and no deeper.
 */
export const codeOf = (error: unknown): string | undefined => {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 16; cause = cause.cause, depth++) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
  }
  return undefined
}
