/**
 * Requests to one host over one wire, before they have a key: address, headers and body. A request that cannot be sent
 * fails here, with `InvalidRequest` and `attempts: 0`.
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as BaseUrl from "../BaseUrl.js"
import type * as Chat from "../Chat.js"
import type * as Json from "../Json.js"
import type * as Protocol from "../Protocol.js"
import * as ProviderError from "../ProviderError.js"
import * as History from "./History.js"

export interface Endpoint {
  /** Scheme, host and port; `undefined` if the base URL is not valid. */
  readonly origin: string | undefined
  /** A chat. `stream`: whether its answer is to be streamed. */
  readonly chat: (request: Chat.Request, stream: boolean) => Built
  readonly models: Built
}

export type Built = Effect.Effect<HttpClientRequest.HttpClientRequest, ProviderError.InvalidRequest>

export interface Options {
  /** The id of the provider, for errors. */
  readonly provider: string
  readonly protocol: Protocol.Protocol
  readonly baseUrl: string
  /** The model of requests that name none. */
  readonly model: string | undefined
  readonly headers: Headers | undefined
  /** Fields added to every body. */
  readonly extra: Json.Fields | undefined
}

type Headers = { readonly [name: string]: string }

export const make = (options: Options): Endpoint => {
  const { protocol } = options
  const base = BaseUrl.parse(options.baseUrl)
  const headers = { ...allowed(options.headers), ...protocol.headers }
  const unsendable = Object.keys(headers).find((name) => !isHeader(name, headers[name]))
  const wrong =
    base === undefined
      ? invalid(options.provider, "BadBaseUrl")
      : unsendable === undefined
        ? undefined
        : invalid(options.provider, "BadHeader", unsendable)

  /** What all requests to a path have in common is built once. */
  const to = (path: string, accept: string, method: typeof HttpClientRequest.post | typeof HttpClientRequest.get) =>
    method(base === undefined ? "" : BaseUrl.join(base, path), { headers, accept })
  const streamed = to(protocol.path, "text/event-stream", HttpClientRequest.post)
  const unstreamed = to(protocol.path, "application/json", HttpClientRequest.post)
  const listed = to(protocol.modelsPath, "application/json", HttpClientRequest.get)

  const encode = (request: Chat.Request, stream: boolean): string => {
    const model = request.model ?? options.model ?? ""
    if (model.trim() === "") throw invalid(options.provider, "NoModel")
    if (!Array.isArray(request.messages)) throw new TypeError("messages is not an array")
    const messages = History.repair(request.messages)
    const extra = { ...options.extra, ...request.extra }
    const body = protocol.encode({ ...request, messages, extra }, { model, stream })
    const unsupported = protocol.unsupported(body)
    if (unsupported !== undefined) throw invalid(options.provider, "Unsupported", unsupported)
    return JSON.stringify(body)
  }

  const built = (build: () => HttpClientRequest.HttpClientRequest): Built =>
    Effect.suspend(() => {
      if (wrong !== undefined) return Effect.fail(wrong)
      try {
        return Effect.succeed(build())
      } catch (cause) {
        if (cause instanceof ProviderError.InvalidRequest) return Effect.fail(cause)
        // A cycle, a BigInt or, from a caller without types, something that is not a request at all.
        return Effect.fail(invalid(options.provider, "Unencodable"))
      }
    })

  return {
    origin: base?.origin,
    chat: (request, stream) =>
      built(() =>
        HttpClientRequest.bodyText(stream ? streamed : unstreamed, encode(request, stream), "application/json")
      ),
    models: built(() => listed)
  }
}

/** A request that was never sent. */
export const invalid = (
  provider: string,
  problem: ProviderError.InvalidRequestProblem,
  subject?: string
): ProviderError.InvalidRequest =>
  new ProviderError.InvalidRequest({ ...ProviderError.nothingSent(provider), reason: "BadRequest", problem, subject })

/** Headers that the SDK alone sets. Options cannot replace them. */
const reserved = new Set(["authorization", "api-key", "x-api-key", "content-type", "content-length", "host"])

/** Headers of the connection, not of the request (RFC 9110, 7.6.1): clients refuse to send them. */
const ofTheConnection = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "expect"])

const allowed = (headers: Headers = {}): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => isAllowed(name.toLowerCase())))

const isAllowed = (name: string): boolean => !reserved.has(name) && !ofTheConnection.has(name)

/** RFC 9110: the name is a token; the value has visible characters, spaces and tabs, and so cannot begin a new line. */
const isHeader = (name: string, value: string | undefined): boolean =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(name) && value !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
