/**
 * Requests to one host over one wire, before they have a key: address, headers and body. What cannot be sent is told
 * from the beginning, as `InvalidRequest` with `attempts: 0`.
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import type * as Answer from "./Answer.js"
import * as BaseUrl from "./BaseUrl.js"
import type * as Chat from "./Chat.js"
import * as History from "./History.js"
import * as ProviderError from "./ProviderError.js"

export interface Endpoint {
  /** Scheme, host and port; `undefined` if the base URL is none. */
  readonly origin: string | undefined
  /** A chat, to be streamed or to come whole. */
  readonly chat: (request: Chat.Request, stream: boolean) => Built
  readonly models: Built
}

export type Built = Effect.Effect<HttpClientRequest.HttpClientRequest, ProviderError.InvalidRequest>

export interface Options extends Answer.Wire {
  /** The id of the provider, for errors. */
  readonly provider: string
  readonly baseUrl: string
  /** The model of requests that name none. */
  readonly model: string | undefined
  readonly headers: Headers | undefined
  /** Fields of every body. */
  readonly extra: { readonly [field: string]: unknown } | undefined
}

type Headers = { readonly [name: string]: string }

export const make = (options: Options): Endpoint => {
  const { dialect, protocol } = options
  const base = BaseUrl.parse(options.baseUrl)
  const headers = { ...allowed(options.headers), ...protocol.headers }
  const unsendable = Object.keys(headers).find((name) => !isHeader(name, headers[name]))
  const bad = (detail: string) => Effect.fail(invalid(options.provider, detail))

  const address = (path: string): Effect.Effect<string, ProviderError.InvalidRequest> =>
    base === undefined
      ? bad("baseUrl is not an absolute http or https URL without a user in it")
      : unsendable === undefined
        ? Effect.succeed(BaseUrl.join(base, path))
        : bad(`the header ${JSON.stringify(unsendable)} has characters that HTTP does not allow`)

  const encode = (request: Chat.Request, stream: boolean): Effect.Effect<string, ProviderError.InvalidRequest> =>
    Effect.try({
      try: () => {
        const model = request.model ?? options.model ?? ""
        if (model.trim() === "") throw new Error("no model is named, neither by the request nor by the layer")
        if (!Array.isArray(request.messages)) throw new TypeError("messages is not an array")
        const messages = History.repair(request.messages)
        const extra = { ...options.extra, ...request.extra }
        return JSON.stringify(protocol.encode({ ...request, messages, extra }, { model, stream, dialect }))
      },
      // No model; or a cycle, a BigInt, something that is no request at all, from a caller without types.
      catch: (cause) => invalid(options.provider, `the request cannot be encoded: ${cause}`)
    })

  return {
    origin: base?.origin,
    chat: (request, stream) =>
      Effect.zipWith(address(protocol.path), encode(request, stream), (url, body) =>
        HttpClientRequest.post(url, { headers }).pipe(
          HttpClientRequest.accept(stream ? "text/event-stream" : "application/json"),
          HttpClientRequest.bodyText(body, "application/json")
        )
      ),
    models: Effect.map(address(protocol.modelsPath), (url) => HttpClientRequest.get(url, { headers, acceptJson: true }))
  }
}

/** A request that was never sent. */
export const invalid = (provider: string, detail: string): ProviderError.InvalidRequest =>
  new ProviderError.InvalidRequest({ ...ProviderError.nothingSent(provider), reason: "BadRequest", detail })

/** What the SDK writes itself, and no option may. */
const reserved = new Set(["authorization", "api-key", "x-api-key", "content-type", "content-length", "host"])

/** What belongs to the connection and not to the request (RFC 9110, 7.6.1): clients refuse to send it. */
const ofTheConnection = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "expect"])

const allowed = (headers: Headers = {}): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => isAllowed(name.toLowerCase())))

const isAllowed = (name: string): boolean => !reserved.has(name) && !ofTheConnection.has(name)

/** RFC 9110: a token for the name; visible characters, spaces and tabs for the value, so that none begins a new line. */
const isHeader = (name: string, value: string | undefined): boolean =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(name) && value !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
