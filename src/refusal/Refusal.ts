/**
 * What a refusal says: the status, headers and body of a refused request (or of an error inside a 200), read into one
 * shape. Pure, and forgiving: gateways answer with JSON of a dozen shapes, with HTML, or with half a body.
 */
import * as Json from "../Json.js"
import * as BaseResp from "./BaseResp.js"

/** The facts as received. */
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
  /** The server's code and type, and MiniMax's number in the form `minimax:1004`. */
  readonly words: ReadonlyArray<string>
  /** The one of `words` worth showing. */
  readonly code: string | undefined
  /** What the server says to a reader: its message, or the body as it arrived if its shape is unknown. */
  readonly message: string
  /**
   * All text in which a reason may stand: message, parameter, the upstream's own words. Empty where the body is JSON of
   * an unknown shape: nobody knows whose words those are.
   */
  readonly text: string
  readonly requestId: string | undefined
  /** Milliseconds, at most a year. */
  readonly retryAfter: number | undefined
  readonly shouldRetry: boolean | undefined
}

/** The most characters that are read of one text. Errors have a few hundred; one inside a 200 may have millions. */
const most = 8192

export const read = (raw: Raw): Refusal => {
  const body = parse(raw.body)
  const error = inner(body)
  const minimax = BaseResp.word(body, Json.nonEmpty(error["message"]))
  const words = [Json.record(error["details"])?.["error_code"], error["code"], error["type"]]
    .flatMap(wordOf)
    .concat(minimax === undefined ? [] : [minimax])
  const said = saidIn(body, error) ?? (isJson(raw.body) ? undefined : raw.body)
  const message = plain(said ?? raw.body)
  return {
    provider: raw.provider,
    httpStatus: raw.status,
    status: raw.status >= 200 && raw.status < 300 ? statusIn(body, error) : raw.status,
    words,
    code: words.find((word) => !/^\d{3}$/.test(word)) ?? words[0],
    message,
    text: [said === undefined ? "" : message, error["param"], Json.record(error["metadata"])?.["raw"]]
      .flatMap((part) => (isText(part) ? [part.slice(0, most)] : []))
      .join(": "),
    requestId: (
      requestId(raw.headers) ??
      Json.nonEmpty(body["request_id"]) ??
      Json.nonEmpty(body["trace_id"]) ??
      Json.nonEmpty(error["request_id"])
    )?.slice(0, most),
    retryAfter: retryAfter(raw.headers, raw.now),
    shouldRetry: shouldRetry(raw.headers)
  }
}

/**
 * Whether a body or an event of an answer with a 2xx says that the request failed: an `error` that is not null, false,
 * zero or empty, or MiniMax's `base_resp`.
 */
export const isIn = (body: Json.Fields): boolean => Boolean(body["error"]) || BaseResp.isRefusal(body)

/** The request id from a provider's headers. */
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
 * (recorded), and the one second is what it means. Nor does more than a year, which is a mistake.
 */
export const retryAfter = (headers: Raw["headers"], now: number): number | undefined => {
  const header = headers["retry-after"]
  const wishes = [number(headers["retry-after-ms"]), seconds(header), date(header, now)]
  return wishes.find((wish) => wish !== undefined && wish > 0 && wish <= aYear)
}

const aYear = 366 * 24 * 60 * 60 * 1000

/** No number or date is longer. */
const isShort = (value: string | undefined): value is string => value !== undefined && value.length < 100

const number = (value: string | undefined): number | undefined =>
  isShort(value) && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined

const seconds = (value: string | undefined): number | undefined => {
  const count = number(value)
  return count === undefined ? undefined : Math.ceil(count * 1000)
}

const date = (value: string | undefined, now: number): number | undefined => {
  // `Date.parse` makes a date of nearly anything, "-5" included.
  if (!isShort(value) || !/^\s*([A-Za-z]{3}|\d{4}-)/.test(value)) return undefined
  const at = Date.parse(/\d:\d\d \d{4}\s*$/.test(value) ? `${value} GMT` : value)
  return Number.isNaN(at) ? undefined : at - now
}

const shouldRetry = (headers: Raw["headers"]): boolean | undefined => {
  const value = headers["x-should-retry"]
  return value === "true" ? true : value === "false" ? false : undefined
}

/** Google puts its error into a list. */
const fields = (body: string): Json.Fields | undefined => {
  const json = Json.parse(body)
  return Json.record(Array.isArray(json) ? json[0] : json)
}

const parse = (body: string): Json.Fields => fields(body) ?? (isJson(body) ? half(body.slice(0, 8 * most)) : {})

/** Whether it is JSON, even if it was cut off. */
const isJson = (body: string): boolean => /^\s*[{[]/.test(body)

/** Marks where a text was cut off. A code that ends with it is ignored: the rest of it may be a different code. */
const cutOff = "…"

/**
 * Half a body, cut at the bound or by the connection. What precedes the cut is intact, so it is read as part of its
 * shape.
 */
const half = (body: string): Json.Fields => {
  const all = closed(body)
  return fields(all.json) ?? fields(closed(body.slice(0, all.lastComma)).json) ?? {}
}

/** Closes what is open at the end: a string and the brackets. */
const closed = (body: string): { readonly json: string; readonly lastComma: number } => {
  const brackets: Array<string> = []
  let lastComma = 0
  let inText = false
  let escaped = -1
  for (let i = 0; i < body.length; i++) {
    const char = body[i]
    if (inText && char === "\\") escaped = i++
    else if (char === '"') inText = !inText
    else if (inText) continue
    else if (char === "{") brackets.push("}")
    else if (char === "[") brackets.push("]")
    else if (char === "}" || char === "]") brackets.pop()
    else if (char === ",") lastComma = i
  }
  // An escape has at most six characters; an incomplete one is dropped.
  const intact =
    inText && escaped >= 0 && !/^\\(u[\da-f]{4}|[^u])/i.test(body.slice(escaped)) ? body.slice(0, escaped) : body
  // A number or a word may have continued.
  const ends = inText ? `${cutOff}"` : /[\w.+-]$/.test(body) ? "!" : ""
  return { json: intact + ends + brackets.reverse().join(""), lastComma }
}

const inner = (body: Json.Fields): Json.Fields => {
  const detail = isText(body["message"]) ? undefined : Json.record(body["detail"])
  return Json.record(body["error"]) ?? BaseResp.fields(body) ?? Json.record(detail?.["error"]) ?? detail ?? body
}

const saidIn = (body: Json.Fields, error: Json.Fields): string | undefined => {
  const found = [error["message"], error["status_msg"], body["error"], body["detail"], body["message"]]
  return [...found, error["error"], body["msg"]].find(isText) ?? details(body["detail"])
}

/** FastAPI repeats what it was sent beside its own words; only the place and the words are the server's. */
const details = (detail: unknown): string | undefined =>
  Json.array(detail)
    .slice(0, 20)
    .flatMap((entry) => {
      if (isText(entry)) return [entry]
      const { loc, msg } = Json.record(entry) ?? {}
      const place = Json.array(loc).flatMap(wordOf).join(".")
      return isText(msg) ? [place === "" ? msg : `${place}: ${msg}`] : []
    })
    .map((line) => line.slice(0, most))
    .join("; ") || undefined

/** An HTML page has its reason in the title; in any other text, white space is folded. */
const plain = (all: string): string => {
  const text = all.slice(0, most)
  const page = /^\s*</.test(text)
  const title = page ? /<title[^<>]*>([^<]*)<\/title>/i.exec(text)?.[1] : undefined
  return (title ?? (page ? text.replace(/<[^<>]*>/g, " ") : text)).replace(/\s+/g, " ").trim()
}

const statusIn = (body: Json.Fields, error: Json.Fields): number | undefined =>
  [error["status_code"], error["http_code"], error["code"], error["status"], body["raw_status_code"], error["type"]]
    .flatMap(wordOf)
    .map(Number)
    .find((status) => status >= 400 && status < 600)

/** A code, cut where it is longer than any code is. A nested value is not a code: anything may be in it. */
const wordOf = (value: unknown): ReadonlyArray<string> =>
  isText(value)
    ? value.endsWith(cutOff)
      ? []
      : [value.slice(0, most)]
    : typeof value === "number"
      ? [String(value)]
      : []

const isText = (value: unknown): value is string => Json.nonEmpty(value) !== undefined
