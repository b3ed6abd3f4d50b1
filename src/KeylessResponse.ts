/**
 * A response for a program that does not have the key. It is of the request as it was before the key was put in, and so
 * are its errors. Its body is handed on as it comes, read by nobody but the program.
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Stream from "effect/Stream"

type Response = HttpClientResponse.HttpClientResponse

/** What the program may see. */
export interface Sight {
  /** Without the key. */
  readonly request: HttpClientRequest.HttpClientRequest
  /** Takes the key out of a text. */
  readonly redact: (text: string) => string
}

export const make = (response: Response, sight: Sight): Response => new KeylessResponse(response, response, sight)

/** The one whose body it hands on, if it is one of these. */
export const inside = (response: Response): Response | undefined => bodies.get(response)

/** Out of sight of whatever prints an object, as the fields below. */
const bodies = new WeakMap<Response, Response>()

/**
 * The same response with this as its body: the beginning of what it was, or all of it. Length and encoding are told of
 * what there is.
 */
export const withBody = (response: Response, body: Uint8Array<ArrayBuffer>, sight: Sight): Response => {
  const kept = keyless(body, sight.redact)
  const type = response.headers["content-type"]
  const source = new globalThis.Response(kept.length === 0 ? null : kept, {
    // `formData` is read by it. A client of the program's own may have put anything there.
    headers: type !== undefined && /^[\x20-\x7e]*$/.test(type) ? { "content-type": type } : {}
  })
  const isRewritten = !hasNone(response, sight)
  return new KeylessResponse(response, HttpClientResponse.fromWeb(sight.request, source), sight, isRewritten)
}

/** What is said of the body is said of another answer's, so it is as true as it was. */
const hasNone = ({ status }: Response, { request }: Sight): boolean =>
  request.method === "HEAD" || status === 204 || status === 205 || status === 304

class KeylessResponse extends Inspectable.Class implements Response {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  /** Out of sight of whatever prints an object: each of these knows the request that was sent. */
  readonly #head: Response
  readonly #body: Response
  readonly #redact: Sight["redact"]
  /** Whether the body is not in the length and the encoding in which it came. */
  readonly #isRewritten: boolean
  #headers: Headers.Headers | undefined

  constructor(head: Response, body: Response, { redact, request }: Sight, isRewritten = false) {
    super()
    this.request = request
    this.#head = head
    this.#body = body
    bodies.set(this, body)
    this.#redact = redact
    this.#isRewritten = isRewritten
  }

  get status() {
    return this.#head.status
  }

  get headers(): Headers.Headers {
    this.#headers ??= this.#keyless(this.#head.headers)
    return this.#headers
  }

  get cookies() {
    return this.#head.cookies
  }

  get remoteAddress() {
    return this.#head.remoteAddress
  }

  get stream() {
    return Stream.mapError(this.#body.stream, this.#told)
  }

  get json() {
    return Effect.mapError(this.#body.json, this.#told)
  }

  get text() {
    return Effect.mapError(this.#body.text, this.#told)
  }

  get urlParamsBody() {
    return Effect.mapError(this.#body.urlParamsBody, this.#told)
  }

  get formData() {
    return Effect.mapError(this.#body.formData, this.#told)
  }

  get arrayBuffer() {
    return Effect.mapError(this.#body.arrayBuffer, this.#told)
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "@effect/platform/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  readonly #told = ({ cause, description, reason }: HttpClientError.ResponseError): HttpClientError.ResponseError =>
    new HttpClientError.ResponseError({
      request: this.request,
      response: this,
      reason,
      ...(cause === undefined ? undefined : { cause: keylessCause(cause, this.#redact) }),
      ...(description === undefined ? undefined : { description: this.#redact(description) })
    })

  #keyless(headers: Headers.Headers): Headers.Headers {
    const own = this.#isRewritten ? Headers.remove(headers, ["content-length", "content-encoding"]) : headers
    const all = Object.values(own).join("\n")
    // One look for all of them: it is the last that nearly every response needs.
    if (this.#redact(all) === all) return own
    return Headers.fromInput(Object.entries(own).map(([name, value]) => [name, this.#redact(value)] as const))
  }
}

/** A key is plain ASCII, so it is found in whatever stands around it: a character is a byte here. */
const keyless = (body: Uint8Array<ArrayBuffer>, redact: Sight["redact"]): Uint8Array<ArrayBuffer> => {
  const before = characters(body)
  const after = redact(before)
  return after === before ? body : bytes(after)
}

const characters = (body: Uint8Array): string => {
  const pieces: Array<string> = []
  // So many arguments are taken everywhere.
  for (let at = 0; at < body.length; at += 8192) pieces.push(String.fromCharCode(...body.subarray(at, at + 8192)))
  return pieces.join("")
}

/** The one character beyond a byte is the mask's. */
const bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.replaceAll("…", "..."), (character) => character.charCodeAt(0))

/** How deep a cause is followed. `fetch` has two levels; some errors are their own cause. */
const deepest = 8

/** What an error says, without what it holds: that may be the request, key and all. */
export const keylessCause = (cause: unknown, redact: Sight["redact"], depth = 0): unknown => {
  if (!(cause instanceof Error)) return typeof cause === "string" ? redact(cause) : undefined
  const { message, name, stack } = cause
  const within = depth < deepest ? keylessCause(cause.cause, redact, depth + 1) : undefined
  const Kind = cause instanceof SyntaxError ? SyntaxError : Error
  const told = new Kind(redact(message), within === undefined ? undefined : { cause: within })
  // What a program tells errors apart by.
  if ("code" in cause && typeof cause.code === "string") Object.assign(told, { code: redact(cause.code) })
  return Object.defineProperties(told, {
    name: { value: redact(name), configurable: true, writable: true },
    stack: { value: stack === undefined ? stack : redact(stack), configurable: true, writable: true }
  })
}
