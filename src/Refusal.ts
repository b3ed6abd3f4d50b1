/**
 * What a refusal says: the status, headers and body of a refused request (or of an error inside a 200), read into one
 * shape. Pure, and forgiving: gateways answer with JSON of a dozen shapes, with HTML, or with half a body.
 */
import * as Json from "./Json.js"

/** The facts as they came off the wire. */
export interface Raw {
  readonly provider: string
  readonly status: number
  /** Names in lower case. */
  readonly headers: { readonly [name: string]: string | undefined }
  /** The first 4 KiB are enough. */
  readonly body: string
  /** Milliseconds since the epoch: a `Retry-After` may be a date. */
  readonly now: number
}

export interface Refusal {
  readonly provider: string
  /** The HTTP status of the answer. */
  readonly httpStatus: number
  /** The status that the body speaks of, where the HTTP status is 2xx; otherwise the HTTP status. */
  readonly status: number | undefined
  /** The server's code and type, and MiniMax's number as `minimax:1004`. */
  readonly words: ReadonlyArray<string>
  /** The one of `words` worth showing. */
  readonly code: string | undefined
  /** What the server says to a reader. */
  readonly message: string
  /** All text in which a reason may stand: message, parameter, the upstream's own words. */
  readonly text: string
  readonly requestId: string | undefined
  /** Milliseconds. */
  readonly retryAfter: number | undefined
  readonly shouldRetry: boolean | undefined
}

export const read = (raw: Raw): Refusal => {
  const body = parse(raw.body)
  const error = inner(body)
  const minimax = minimaxCode(body, error)
  const words = [error["code"], error["type"]].flatMap(wordOf).concat(minimax === undefined ? [] : [minimax])
  const message = messageOf(body, error, raw.body)
  return {
    provider: raw.provider,
    httpStatus: raw.status,
    status: raw.status >= 200 && raw.status < 300 ? statusIn(body, error) : raw.status,
    words,
    code: words.find((word) => !/^\d{3}$/.test(word)) ?? words[0],
    message,
    text: [message, error["param"], Json.record(error["metadata"])?.["raw"]].filter(isText).join(": "),
    requestId:
      requestId(raw.headers) ??
      Json.nonEmpty(body["request_id"]) ??
      Json.nonEmpty(body["trace_id"]) ??
      Json.nonEmpty(error["request_id"]),
    retryAfter: retryAfter(raw.headers, raw.now),
    shouldRetry: shouldRetry(raw.headers)
  }
}

/** The request id that a provider puts into its headers. */
export const requestId = (headers: Raw["headers"]): string | undefined =>
  requestIdHeaders.map((name) => headers[name]).find(isText)

/** The first five are documented by the providers, the others recorded. */
const requestIdHeaders = [
  "x-request-id",
  "request-id",
  "trace-id",
  "x-trace-id",
  "trace_id",
  "x-ds-trace-id",
  "mistral-correlation-id",
  "apim-request-id",
  "x-generation-id",
  "inference-id"
]

/**
 * How long the server asks to wait, in milliseconds: `retry-after-ms`, else `Retry-After` in seconds or as a date. A
 * zero, a negative or an unreadable value says nothing: Azure sends `retry-after-ms: 0` beside `retry-after: 1`
 * (recorded), and the one second is what it means.
 */
export const retryAfter = (headers: Raw["headers"], now: number): number | undefined => {
  const header = headers["retry-after"]
  const wishes = [number(headers["retry-after-ms"]), seconds(header), date(header, now)]
  return wishes.find((wish) => wish !== undefined && wish > 0)
}

const number = (value: string | undefined): number | undefined =>
  value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined

const seconds = (value: string | undefined): number | undefined => {
  const count = number(value)
  return count === undefined ? undefined : Math.ceil(count * 1000)
}

const date = (value: string | undefined, now: number): number | undefined => {
  // `Date.parse` makes a date of nearly anything, "-5" included.
  if (value === undefined || !/^\s*([A-Za-z]{3}|\d{4}-)/.test(value)) return undefined
  const at = Date.parse(/\d:\d\d \d{4}\s*$/.test(value) ? `${value} GMT` : value)
  return Number.isNaN(at) ? undefined : at - now
}

const shouldRetry = (headers: Raw["headers"]): boolean | undefined => {
  const value = headers["x-should-retry"]
  return value === "true" ? true : value === "false" ? false : undefined
}

type Fields = { readonly [key: string]: unknown }

const parse = (body: string): Fields => {
  const json = Json.record(Json.parse(body))
  if (json !== undefined) return json
  // Half a body, cut at the bound or by the connection: the codes usually stand before the cut.
  const pick = (key: string) => new RegExp(`"${key}"\\s*:\\s*"((?:[^"\\\\]|\\\\.){0,800})`).exec(body)?.[1]
  const message = pick("message")
  return message === undefined ? {} : { error: { message, code: pick("code"), type: pick("type") } }
}

const inner = (body: Fields): Fields => Json.record(body["error"]) ?? Json.record(body["base_resp"]) ?? body

const messageOf = (body: Fields, error: Fields, raw: string): string => {
  const found = [error["message"], error["status_msg"], body["error"], body["detail"], body["message"], body["msg"]]
  const said = found.find(isText) ?? (body["detail"] === undefined ? undefined : Json.stringify(body["detail"]))
  return plain(said ?? raw)
}

/** A page of HTML has its reason in its title; for the rest, white space is folded. */
const plain = (text: string): string => {
  const page = /^\s*</.test(text)
  const title = page ? /<title[^<>]*>([^<]*)<\/title>/i.exec(text)?.[1] : undefined
  return (title ?? (page ? text.replace(/<[^<>]*>/g, " ") : text)).replace(/\s+/g, " ").trim()
}

/** MiniMax puts a number of its own into `base_resp`, or in brackets behind the message, also through a relay. */
const minimaxCode = (body: Fields, error: Fields): string | undefined => {
  const code = Json.record(body["base_resp"])?.["status_code"]
  if (typeof code === "number") return `minimax:${code}`
  const message = error["message"]
  const bracketed = isText(message) ? /\(([12]\d{3})\)\s*$/.exec(message)?.[1] : undefined
  return bracketed === undefined ? undefined : `minimax:${bracketed}`
}

const statusIn = (body: Fields, error: Fields): number | undefined =>
  [error["status_code"], error["http_code"], error["code"], error["status"], body["raw_status_code"], error["type"]]
    .map(Number)
    .find((status) => status >= 400 && status < 600)

const wordOf = (value: unknown): ReadonlyArray<string> =>
  isText(value) ? [value] : typeof value === "number" ? [String(value)] : []

const isText = (value: unknown): value is string => Json.nonEmpty(value) !== undefined
