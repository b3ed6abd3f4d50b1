/**
 * A response for a program that must not see the key. The response and its errors show the request as it was before the
 * key was added. The body is passed on as it arrives: only the program reads it.
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
export interface View {
  /** The request without the key. */
  readonly request: HttpClientRequest.HttpClientRequest
  /** Removes the key from a text. */
  readonly redact: (text: string) => string
}

/** The same response without the key, its body as it arrives. */
export const make = (response: Response, view: View): Response => new KeylessResponse(response, response, view)

/** The response that this one takes its body from, if this is a keyless one. */
export const bodySource = (response: Response): Response | undefined => bodySources.get(response)

/** Not a field, because whatever prints a response must not find it. The private fields below have the same reason. */
const bodySources = new WeakMap<Response, Response>()

/**
 * The same response with this body, from which the key is removed. It is the original's, or its beginning. The headers
 * for length and encoding are removed, because they describe the original.
 */
export const withBody = (response: Response, body: Uint8Array<ArrayBuffer>, view: View): Response => {
  const shown = withoutKey(body, view.redact)
  const type = response.headers["content-type"]
  const source = new globalThis.Response(shown.length === 0 ? null : shown, {
    // `formData` needs the content type. The program's own client may have put anything there, so it is checked.
    headers: type !== undefined && /^[\x20-\x7e]*$/.test(type) ? { "content-type": type } : {}
  })
  const isRewritten = !isBodiless(response, view)
  return new KeylessResponse(response, HttpClientResponse.fromWeb(view.request, source), view, isRewritten)
}

/** Such a response has no body, and its headers describe that of another one, so they stay true. */
const isBodiless = ({ status }: Response, { request }: View): boolean =>
  request.method === "HEAD" || status === 204 || status === 205 || status === 304

class KeylessResponse extends Inspectable.Class implements Response {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  /** Private at run time, too: printing the object must not show it, because it has the request that was sent. */
  readonly #head: Response
  readonly #body: Response
  readonly #redact: View["redact"]
  /** Whether the body no longer has the length and encoding that the headers name. */
  readonly #isRewritten: boolean
  #headers: Headers.Headers | undefined

  constructor(head: Response, body: Response, { redact, request }: View, isRewritten = false) {
    super()
    this.request = request
    this.#head = head
    this.#body = body
    bodySources.set(this, body)
    this.#redact = redact
    this.#isRewritten = isRewritten
  }

  get status() {
    return this.#head.status
  }

  get headers(): Headers.Headers {
    this.#headers ??= this.#keylessHeaders(this.#head.headers)
    return this.#headers
  }

  get cookies() {
    return this.#head.cookies
  }

  get remoteAddress() {
    return this.#head.remoteAddress
  }

  get stream() {
    return Stream.mapError(this.#body.stream, this.#keylessError)
  }

  get json() {
    return Effect.mapError(this.#body.json, this.#keylessError)
  }

  get text() {
    return Effect.mapError(this.#body.text, this.#keylessError)
  }

  get urlParamsBody() {
    return Effect.mapError(this.#body.urlParamsBody, this.#keylessError)
  }

  get formData() {
    return Effect.mapError(this.#body.formData, this.#keylessError)
  }

  get arrayBuffer() {
    return Effect.mapError(this.#body.arrayBuffer, this.#keylessError)
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "@effect/platform/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  readonly #keylessError = ({
    cause,
    description,
    reason
  }: HttpClientError.ResponseError): HttpClientError.ResponseError =>
    new HttpClientError.ResponseError({
      request: this.request,
      response: this,
      reason,
      ...(cause === undefined ? undefined : { cause: keylessCause(cause, this.#redact) }),
      ...(description === undefined ? undefined : { description: this.#redact(description) })
    })

  #keylessHeaders(headers: Headers.Headers): Headers.Headers {
    const kept = this.#isRewritten ? Headers.remove(headers, ["content-length", "content-encoding"]) : headers
    const all = Object.values(kept).join("\n")
    // One search through all of them: hardly any response needs more.
    if (this.#redact(all) === all) return kept
    return Headers.fromInput(Object.entries(kept).map(([name, value]) => [name, this.#redact(value)] as const))
  }
}

/** A key is plain ASCII, so it is found among any bytes if each is read as one character. */
const withoutKey = (body: Uint8Array<ArrayBuffer>, redact: View["redact"]): Uint8Array<ArrayBuffer> => {
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

/** The only character that does not fit into a byte comes from the mask. */
const bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.replaceAll("…", "..."), (character) => character.charCodeAt(0))

/** How deep causes are followed. `fetch` has two levels, and some errors are their own cause. */
const deepest = 8

/** An error with its words alone: one of its other fields may hold the request, and so the key. */
export const keylessCause = (cause: unknown, redact: View["redact"], depth = 0): unknown => {
  if (!(cause instanceof Error)) return typeof cause === "string" ? redact(cause) : undefined
  const { message, name, stack } = cause
  const inner = depth < deepest ? keylessCause(cause.cause, redact, depth + 1) : undefined
  const Kind = cause instanceof SyntaxError ? SyntaxError : Error
  const copy = new Kind(redact(message), inner === undefined ? undefined : { cause: inner })
  // Programs tell errors apart by their code.
  if ("code" in cause && typeof cause.code === "string") Object.assign(copy, { code: redact(cause.code) })
  return Object.defineProperties(copy, {
    name: { value: redact(name), configurable: true, writable: true },
    stack: { value: stack === undefined ? stack : redact(stack), configurable: true, writable: true }
  })
}
