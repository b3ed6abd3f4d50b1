/**
 * A response for a program that does not have the key. It and its errors show the request as it was before the key was
 * put in. Its body is handed on as it comes: only the program reads it.
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

/** The response whose body this one hands on, if this is a keyless one. */
export const inside = (response: Response): Response | undefined => bodies.get(response)

/** Hidden from whatever prints an object, like the fields below. */
const bodies = new WeakMap<Response, Response>()

/**
 * The same response with this body: the beginning of the original, or all of it. Length and encoding are those of this
 * body.
 */
export const withBody = (response: Response, body: Uint8Array<ArrayBuffer>, sight: Sight): Response => {
  const kept = keyless(body, sight.redact)
  const type = response.headers["content-type"]
  const source = new globalThis.Response(kept.length === 0 ? null : kept, {
    // `formData` needs it. The program's own client may have put anything there.
    headers: type !== undefined && /^[\x20-\x7e]*$/.test(type) ? { "content-type": type } : {}
  })
  const isRewritten = !hasNone(response, sight)
  return new KeylessResponse(response, HttpClientResponse.fromWeb(sight.request, source), sight, isRewritten)
}

/** Here the headers describe the body of another answer, so they stay true. */
const hasNone = ({ status }: Response, { request }: Sight): boolean =>
  request.method === "HEAD" || status === 204 || status === 205 || status === 304

class KeylessResponse extends Inspectable.Class implements Response {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  /** Hidden from whatever prints an object: each of these knows the request that was sent. */
  readonly #head: Response
  readonly #body: Response
  readonly #redact: Sight["redact"]
  /** Whether the body's length and encoding differ from those in which it came. */
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
    // One look at all of them: for nearly every response it is the only one needed.
    if (this.#redact(all) === all) return own
    return Headers.fromInput(Object.entries(own).map(([name, value]) => [name, this.#redact(value)] as const))
  }
}

/** A key is plain ASCII, so it is found whatever surrounds it: one character stands for one byte here. */
const keyless = (body: Uint8Array<ArrayBuffer>, redact: Sight["redact"]): Uint8Array<ArrayBuffer> => {
  const before = characters(body)
  const after = redact(before)
  return after === before ? body : bytes(after)
}

const characters = (body: Uint8Array): string => {
  const pieces: Array<string> = []
  // Every engine takes this many arguments.
  for (let at = 0; at < body.length; at += 8192) pieces.push(String.fromCharCode(...body.subarray(at, at + 8192)))
  return pieces.join("")
}

/** The only character larger than a byte comes from the mask. */
const bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.replaceAll("…", "..."), (character) => character.charCodeAt(0))

/** How deep causes are followed. `fetch` has two levels; some errors are their own cause. */
const deepest = 8

/** What an error says, without what it holds, which may be the request, key included. */
export const keylessCause = (cause: unknown, redact: Sight["redact"], depth = 0): unknown => {
  if (!(cause instanceof Error)) return typeof cause === "string" ? redact(cause) : undefined
  const { message, name, stack } = cause
  const within = depth < deepest ? keylessCause(cause.cause, redact, depth + 1) : undefined
  const Kind = cause instanceof SyntaxError ? SyntaxError : Error
  const told = new Kind(redact(message), within === undefined ? undefined : { cause: within })
  // Programs tell errors apart by it.
  if ("code" in cause && typeof cause.code === "string") Object.assign(told, { code: redact(cause.code) })
  return Object.defineProperties(told, {
    name: { value: redact(name), configurable: true, writable: true },
    stack: { value: stack === undefined ? stack : redact(stack), configurable: true, writable: true }
  })
}
