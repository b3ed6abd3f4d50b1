/**
 * The response that a client returned, and its body as the response shows it.
 *
 * The platform's underlying stream is read directly, where that is what the response shows and nobody else has begun to
 * read it. Any other response is read through its own members.
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as Body from "./Body.js"
import * as ContentEncoding from "./ContentEncoding.js"
import * as KeylessResponse from "./KeylessResponse.js"

type Response = HttpClientResponse.HttpClientResponse

/** The body as the response shows it, with its content encoding undone if nobody has done that yet. */
export const body = (response: Response): Effect.Effect<Body.Body> =>
  Effect.suspend(() => {
    const direct = directBody(response)
    if (direct !== undefined) return Effect.succeed(ContentEncoding.undone(direct.body, direct.encoding()))
    return Effect.map(shownBody(response), (body) => ContentEncoding.undone(body, response.headers["content-encoding"]))
  })

/** The body through the members of the response. */
const shownBody = (response: Response): Effect.Effect<Body.Body> => {
  const inner = unwrapped(response)
  // The response has kept what was read in one piece, and its stream is used up.
  if (wasRead(inner)) return Body.fromStream(Stream.empty, inOnePiece(response))
  const stream = Stream.suspend(() => response.stream)
  // Asking undici's response for an empty body in one piece would end the process.
  return Body.fromStream(stream, sourceOf(inner) === undefined ? inOnePiece(response) : undefined)
}

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

/** All bytes at once. A response keeps what it has read in this way, for whoever asks again. */
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

/** The platform's own stream. */
interface DirectBody {
  readonly body: Body.Body
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
    return { body: Body.fromReadableStream(body), encoding: () => headers.get("content-encoding") ?? undefined }
  }
  const readable = Predicate.hasProperty(source, "body") ? source.body : source
  if (!Body.isReadable(readable) || isTouched(readable)) return undefined
  return { body: Body.fromReadable(readable), encoding: () => response.headers["content-encoding"] }
}

const fetchPrototype: object = Object.getPrototypeOf(
  HttpClientResponse.fromWeb(HttpClientRequest.get(""), new globalThis.Response())
)

/** What one of the platform's responses is made of. Its descriptor is read, which bypasses the `get` of a Proxy. */
const sourceOf = (response: Response): unknown => {
  const prototype: unknown = Object.getPrototypeOf(response)
  const source: unknown = Object.getOwnPropertyDescriptor(response, "source")?.value
  if (prototype === fetchPrototype) return source
  // The classes of Node's clients cannot be imported here. Both extend this one directly, and neither is made of a
  // `Response`.
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

const isTouched = (readable: Body.Readable): boolean =>
  (Predicate.hasProperty(readable, "readableDidRead") && readable.readableDidRead === true) ||
  // Not null: somebody is listening to it, or has been.
  (Predicate.hasProperty(readable, "readableFlowing") && typeof readable.readableFlowing === "boolean")
