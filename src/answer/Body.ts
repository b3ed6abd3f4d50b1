/**
 * The bytes of a response, a chunk at a time, by callback. An Effect stream costs a hundred microseconds to set up and
 * ten per read, and live traffic is one event per read; so the platform's underlying stream is read directly where the
 * response shows exactly that and nobody else has begun to read it. Every other response is read as it shows itself.
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
  /** Asks for the next chunk, one at a time. Nothing is read ahead, so not asking holds the socket back. */
  readonly next: (then: (read: Read) => void) => void
  /** Whether it was read to its end, or broke: then there is nothing left to give up. */
  readonly isOver: () => boolean
  /** Gives the body up, and waits for nobody. A body not read to its end closes its connection. */
  readonly release: Effect.Effect<void>
}

export type Read =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "End" }
  /** The connection broke. `code` is the system's word for it, such as `ECONNRESET`. */
  | { readonly _tag: "Broken"; readonly code: string }
  /**
   * There was a body, and it cannot be read: somebody else has read it, or it came in an encoding, named here, that
   * cannot be undone. Asking the server again would give the same.
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
      // A body that was read whole is kept whole, and its stream is used up.
      wasRead(inner)
        ? fromStream(Stream.empty, inOnePiece(response))
        : // Asking undici for an empty body in one piece ends the process.
          fromStream(stream, sourceOf(inner) === undefined ? inOnePiece(response) : undefined),
      (body) => undone(body, response.headers["content-encoding"])
    )
  })

/** The response inside the platform's wrapper for aborting a request, and inside our own; neither reads anything. */
const under = (response: Response): Response => {
  const inner = KeylessResponse.bodySource(response) ?? (isInterruptible(response) ? response.original : undefined)
  return inner === undefined ? response : under(inner)
}

const isInterruptible = (response: Response): response is Response & { readonly original: Response } =>
  Object.hasOwn(response, "controller") &&
  Predicate.hasProperty(response, "original") &&
  Predicate.hasProperty(response.original, HttpClientResponse.TypeId)

/** A response keeps what was read in one piece, for whoever asks again. */
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

/** The stream under a response of the platform, if the response shows exactly that and it is untouched. */
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

/** What a response of the platform is made of. Read through its descriptor, which bypasses the `get` of a Proxy. */
const sourceOf = (response: Response): unknown => {
  const prototype: unknown = Object.getPrototypeOf(response)
  const source: unknown = Object.getOwnPropertyDescriptor(response, "source")?.value
  if (prototype === fetched) return source
  // The classes of Node's clients cannot be imported here. Both extend this one, and neither is made of a `Response`.
  const isOfNode = prototype instanceof Inspectable.Class && Object.hasOwn(prototype, "constructor")
  return isOfNode && !(source instanceof globalThis.Response) ? source : undefined
}

/** The fields in which the platform's responses keep what was read in one piece. */
const kept = ["textBody", "textEffect", "arrayBufferBody", "formDataBody"] as const

const wasRead = (response: Response): boolean =>
  kept.some((field) => Predicate.hasProperty(response, field) && response[field] !== undefined)

const marker: Response["stream"] = Stream.empty

/**
 * Whether its `stream` is what its class makes of its source. A Proxy differs in this alone: what is put there for a
 * moment does not come out as it went in.
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
    // Not awaited: giving up a body may take for ever.
    release: Effect.sync(() => void reader.cancel().catch(alreadyBroken))
  }
}

/** A broken stream refuses to be cancelled; there is nothing left to give up. */
const alreadyBroken = () => undefined

/** The stream of a program's own `Fetch` may hold anything. */
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

  /** A loop, because the reader asks again as soon as it is answered: the stack must not grow with the data. */
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

  // It may have broken before anyone listened, and it reports that only once.
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

/** Any response's stream: a fiber pulls a chunk when asked. If that gives nothing, it may still come in one piece. */
export const fromStream = (
  stream: Bytes,
  inOnePiece: Effect.Effect<Uint8Array, HttpClientError.ResponseError> = Effect.succeed(new Uint8Array(0))
): Effect.Effect<Body> =>
  Effect.suspend(() => {
    const pulled = new Pulled(stream, inOnePiece)
    return Effect.map(Effect.forkDaemon(Effect.interruptible(pulled.whole)), (fiber) => ({
      next: pulled.next,
      isOver: pulled.isOver,
      // Not awaited, as above: a stream's finalizer may never end.
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
      // A failure of its finalizer is of no use to anyone: all that can be read has been read.
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

/** A body that never was (a 204) has merely ended. A stream that dies was taken: `fetch` allows only one reader. */
const endOf = (cause: Cause.Cause<Option.Option<HttpClientError.ResponseError>>): Read =>
  Either.match(Cause.failureOrCause(cause), {
    onRight: () => unreadable,
    onLeft: (error) =>
      Option.isNone(error) || error.value.reason === "EmptyBody"
        ? end
        : broken(codeOf(error.value.cause) ?? error.value.reason)
  })

/** Whether the connection broke, rather than being given up by an earlier reader. */
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
 * `fetch` undoes an encoding and leaves its header in place; Node's clients undo none. So the first bytes decide: a
 * model's answer is text, and encoded bytes are not.
 */
const undone = (body: Body, header: string | undefined): Body => {
  const encoding = header?.trim().toLowerCase() ?? ""
  return encoding === "" || encoding === "identity" ? body : new Encoded(body, encoding)
}

/** This many bytes tell whether it is text. */
const telling = 8

class Encoded implements Body {
  private held: Array<Uint8Array> = []
  private size = 0
  /** The body to read from, once the first bytes have decided. */
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

/** The body with `first` before it, and with `last` as its end, if that has already come. */
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

/** No control character but tab and line ends, and valid UTF-8, except for a sequence cut off at the end. */
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

/** The platform's names for encodings that it may be able to undo. Brotli is recent there: Node has it since 24.7. */
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
        // If not even the beginning can be undone, the body is not in the encoding that it names.
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
    // The platform does not know this encoding.
    return undefined
  }
}

/**
 * The system's word in an error, though nested: `fetch` says "fetch failed", and its cause says why. Some errors are
 * their own cause, so the depth is limited.
 */
export const codeOf = (error: unknown): string | undefined => {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 16; cause = cause.cause, depth++) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
  }
  return undefined
}
