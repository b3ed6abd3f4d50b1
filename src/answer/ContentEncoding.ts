/**
 * A body whose content encoding is undone, if nobody has done that yet.
 *
 * `fetch` undoes an encoding but leaves its header in place, and Node's clients undo none. So the first bytes decide: a
 * model's answer is text, and encoded bytes are not.
 */
import * as Effect from "effect/Effect"
import * as Body from "./Body.js"

/** @param header What `content-encoding` says. */
export const undone = (body: Body.Body, header: string | undefined): Body.Body => {
  const encoding = header?.trim().toLowerCase() ?? ""
  return encoding === "" || encoding === "identity" ? body : new Encoded(body, encoding)
}

/** It takes this many bytes to tell whether a body is text. */
const enoughToTell = 8

class Encoded implements Body.Body {
  /** The first chunks, until there are enough bytes to tell. */
  private first: Array<Uint8Array> = []
  /** How many bytes those are. */
  private size = 0
  /** What is read from then on. */
  private decided: Body.Body | undefined

  constructor(
    private readonly body: Body.Body,
    private readonly encoding: string
  ) {}

  readonly next: Body.Body["next"] = (then) => {
    if (this.decided !== undefined) return this.decided.next(then)
    this.body.next((next) => {
      if (next._tag === "Bytes") {
        this.first.push(next.bytes)
        this.size += next.bytes.length
        if (this.size < enoughToTell) return this.next(then)
      }
      const first = Body.concat(this.first)
      this.first = []
      const body = withFirst(first, this.body, next._tag === "Bytes" ? undefined : next)
      this.decided = isText(first) ? body : decompressed(body, this.encoding)
      this.decided.next(then)
    })
  }

  readonly hasEnded: Body.Body["hasEnded"] = () => this.body.hasEnded()

  readonly release: Body.Body["release"] = Effect.suspend(() =>
    this.decided === undefined ? this.body.release : this.decided.release
  )
}

/** The body with its first bytes put back, and its end, if that has been read already. */
const withFirst = (first: Uint8Array, body: Body.Body, end: Body.Next | undefined): Body.Body => {
  let isFirstRead = first.length === 0
  return {
    ...body,
    next: (then) => {
      if (isFirstRead) return end === undefined ? body.next(then) : then(end)
      isFirstRead = true
      then(Body.bytes(first))
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

const decompressed = (body: Body.Body, encoding: string): Body.Body => {
  const undecodable: Body.Next = { _tag: "Unreadable", encoding: encoding.slice(0, 40) }
  const stream = decompression(encoding)
  return stream === undefined
    ? { ...body, next: (then) => then(undecodable) }
    : new Decompressed(body, stream, undecodable)
}

class Decompressed implements Body.Body {
  private readonly plain: Body.Body
  /** How the body itself broke, which the decompressed stream cannot say. */
  private broke: Body.Next | undefined
  private hasBegun = false
  private isCancelled = false

  constructor(
    private readonly packed: Body.Body,
    stream: Decompression,
    private readonly undecodable: Body.Next
  ) {
    const source = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => new Promise((resolve) => this.pull(controller, resolve)),
        cancel: () => {
          this.isCancelled = true
        }
      },
      { highWaterMark: 0 }
    )
    this.plain = Body.fromReadableStream(source.pipeThrough(stream))
    this.release = Effect.zipRight(this.plain.release, packed.release)
  }

  readonly next: Body.Body["next"] = (then) =>
    this.plain.next((next) => {
      if (next._tag === "Bytes") this.hasBegun = true
      then(next._tag === "Broken" ? this.whyBroken(next) : next)
    })

  readonly hasEnded: Body.Body["hasEnded"] = () => this.packed.hasEnded()

  readonly release: Body.Body["release"]

  /** If not even the beginning can be decompressed, the body does not have the encoding that it names. */
  private whyBroken(next: Body.Next): Body.Next {
    return this.broke ?? (this.hasBegun ? next : this.undecodable)
  }

  private pull(controller: ReadableStreamDefaultController<Uint8Array>, resolve: () => void): void {
    this.packed.next((next) => {
      resolve()
      if (this.isCancelled) return
      if (next._tag === "Bytes") return controller.enqueue(next.bytes)
      if (next._tag === "End") return controller.close()
      this.broke = next
      controller.error(new Error(next._tag))
    })
  }
}

type Decompression = ReadableWritablePair<Uint8Array, Uint8Array>

const decompression = (encoding: string): Decompression | undefined => {
  const format = formats[encoding]
  if (format === undefined || globalThis.DecompressionStream === undefined) return undefined
  try {
    return Reflect.construct(globalThis.DecompressionStream, [format])
  } catch {
    // The platform does not know this encoding.
    return undefined
  }
}
