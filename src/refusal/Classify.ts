/**
 * What a refusal means: one pure function, the same for an HTTP refusal and for whatever goes wrong inside a 200. What
 * differs between providers stands in the tables of `Rules`, each row with its source.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Key from "../credential/Key.js"
import * as Redaction from "../credential/Redaction.js"
import type * as Failure from "./Failure.js"
import type * as Fault from "./Fault.js"
import * as Refusal from "./Refusal.js"
import * as Rules from "./Rules.js"

/** The answer that the fault is in. */
export type Response = Omit<Refusal.Raw, "body">

/** Who sent the request. */
export interface Sender {
  /** Where the key is looked for. */
  readonly source: string
  readonly key: Key.Key | Key.NoKey
  /** Whether that key is known good. */
  readonly knownGood: boolean
  /** What the form of the key suggests. */
  readonly hint?: Hint | undefined
  /** What had arrived of the answer before the fault. */
  readonly sofar?: SoFar | undefined
}

/** What the form of a refused key suggests: it belongs to another host. */
export interface Hint {
  readonly hint: "KeyForOtherHost"
  readonly hosts: ReadonlyArray<string>
}

/** The text that had arrived, and whether it had reached the caller. */
export interface SoFar {
  readonly partial: string
  readonly emitted: boolean
}

/** What a refusal by the status, or a 2xx that is not a usable answer, means for the call. */
export const classify = (fault: Fault.Fault, response: Response, sender: Sender): Failure.Failure => {
  if (fault._tag === "Refused") return refused({ ...response, body: fault.body }, sender)
  const facts = factsOf(Refusal.read({ ...response, body: "" }), sender)
  switch (fault._tag) {
    case "Malformed":
      return {
        _tag: "InvalidResponse",
        ...facts,
        reason: fault.reason,
        mismatch: shown(fault.mismatch, 200, sender),
        refusal: shown(fault.refusal, 800, sender),
        tool: shown(fault.tool, 120, sender),
        finishReason: shown(fault.finishReason, 120, sender),
        usage: counted(fault.usage),
        contentType: shown(response.headers["content-type"], 120, sender),
        preview: preview(fault.preview, sender)
      }
    case "BrokenOff":
      return { _tag: "Transient", ...facts, reason: fault.reason, code: shown(fault.code, 120, sender) }
    case "Cut":
      return { _tag: "Transient", ...facts, reason: "StreamInterrupted", code: shown(fault.code, 120, sender) }
    case "Stalled":
      return { _tag: "Transient", ...facts, reason: "StreamStalled", clock: fault.clock }
  }
}

const refused = (raw: Refusal.Raw, sender: Sender): Failure.Failure => {
  const refusal = Refusal.read(raw)
  const meaning = means(refusal)
  const facts = factsOf(refusal, sender)
  const retryAfter = refusal.retryAfter === undefined ? undefined : Duration.millis(refusal.retryAfter)
  const { hint, key, knownGood, source } = sender
  switch (meaning._tag) {
    case "Quota":
      return { _tag: "QuotaExceeded", ...facts, resetsAt: resetsAt(refusal) }
    case "Request":
      return { _tag: "InvalidRequest", ...facts, reason: meaning.reason }
    case "Auth":
      return key._tag === "Key"
        ? { _tag: "AuthRejected", ...facts, source, fingerprint: key.fingerprint, knownGood, retryAfter, ...hint }
        : { _tag: "AuthMissing", ...facts, source, problem: key.problem }
    case "Transient":
      return { _tag: "Transient", ...facts, reason: meaning.reason, retryAfter }
    case "Response":
      return {
        _tag: "InvalidResponse",
        ...facts,
        reason: isRedirect(raw) ? "Redirect" : "NotTheProtocol",
        location: isRedirect(raw) ? shown(raw.headers["location"], 800, sender) : undefined,
        contentType: shown(raw.headers["content-type"], 120, sender),
        preview: preview(raw.body, sender)
      }
  }
}

/**
 * Quota comes first, because some gateways answer exhausted credit with 401; then a wrong format or model, which some
 * answer with 401, too; then the key; then what may pass; then the rest.
 */
export const means = (refusal: Refusal.Refusal): Rules.Meaning => {
  const status = refusal.status ?? impliedStatus(refusal)
  return (
    Rules.quota.find((row) => matches(row, refusal, status))?.means ??
    (refusal.shouldRetry === true ? undefined : Rules.request.find((row) => matches(row, refusal, status))?.means) ??
    Rules.auth.find((row) => matches(row, refusal, status))?.means ??
    transient(refusal, status) ?? { _tag: "Request", reason: "BadRequest" }
  )
}

const matches = (row: Rules.Row, refusal: Refusal.Refusal, status: number): boolean =>
  (row.status === undefined || row.status.includes(status)) &&
  (row.word === undefined || refusal.words.some((word) => row.word?.test(word))) &&
  (row.text === undefined || row.text.test(refusal.text)) &&
  (row.means._tag !== "Quota" || row.evenIfRateLimit === true || !saysRateLimit(refusal))

const saysRateLimit = (refusal: Refusal.Refusal): boolean => refusal.words.some((word) => /rate_?limit/i.test(word))

/** A server that breaks off without a word that is known has failed, so 500. */
const impliedStatus = (refusal: Refusal.Refusal): number =>
  Rules.statuses.find(([pattern]) => refusal.words.some((word) => pattern.test(word)))?.[1] ?? 500

const transient = (refusal: Refusal.Refusal, status: number): Rules.Meaning | undefined => {
  if (status < 400) return { _tag: "Response" }
  const byStatus = Rules.transientStatuses[status] ?? (status >= 500 ? "ServerError" : undefined)
  const asked = refusal.shouldRetry === true ? "ServerError" : undefined
  if (byStatus === undefined && asked === undefined) return undefined
  const byWord = Rules.transientWords.find(([pattern]) => refusal.words.some((word) => pattern.test(word)))?.[1]
  return { _tag: "Transient", reason: byWord ?? byStatus ?? "ServerError" }
}

const factsOf = (refusal: Refusal.Refusal, sender: Sender) => ({
  provider: refusal.provider,
  emitted: sender.sofar?.emitted === true,
  partial: sender.sofar === undefined ? undefined : Key.redact(sender.key, sender.sofar.partial),
  status: refusal.httpStatus,
  code: shown(refusal.code, 120, sender),
  // A body of no known shape gives no reason, but a reader may make something of it.
  detail: shown(refusal.text === "" ? refusal.message : refusal.text, 800, sender),
  requestId: shown(refusal.requestId, 200, sender),
  shouldRetry: refusal.shouldRetry
})

/** What a server wrote, as far as it is shown. */
const shown = (text: string | undefined, most: number, sender: Sender): string | undefined =>
  text === undefined ? undefined : Redaction.shown(text, most, Key.scrub(sender.key)) || undefined

const preview = (text: string, sender: Sender): string => shown(text, 120, sender) ?? ""

/** A JSON number may be infinite once it is read (`1e999`), and cannot be written again. */
const counted = (usage: Fault.About["usage"]): Fault.About["usage"] =>
  usage === undefined
    ? undefined
    : Object.fromEntries(Object.entries(usage).filter(([, count]) => Number.isFinite(count)))

/** As MiniMax writes it after 2056, and Anthropic after a spend limit (API docs, rate limits). */
const resetsAt = ({ text }: Refusal.Refusal): DateTime.Utc | undefined => {
  const minimax = /resets? at (\d{4}-\d\d-\d\d[T ][\d:.]{4,15}(?:Z|[+-]\d\d:?\d\d))/i.exec(text)?.[1]
  const anthropic = /regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC/i.exec(text)
  const at = Date.parse(minimax ?? (anthropic === null ? "" : `${anthropic[1]}T${anthropic[2]}Z`))
  // A year of five digits is a mistake, and not every reader of dates accepts how it is written.
  return at >= 0 && at < endOfYears ? DateTime.unsafeMake(at) : undefined
}

const endOfYears = Date.UTC(10_000, 0)

/** A browser hides where a redirect points, and its status: it shows a 0. */
const isRedirect = ({ status }: Refusal.Raw): boolean => status === 0 || (status >= 300 && status < 400)
