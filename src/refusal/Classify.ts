/**
 * Facts of a refusal to a `ProviderError`: one pure function, the same for an HTTP refusal and for an error that
 * arrives inside a 200. What differs between providers stands in the tables below, each row with its source.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Key from "../credential/Key.js"
import * as Redaction from "../credential/Redaction.js"
import * as ProviderError from "../ProviderError.js"
import type * as Fault from "./Fault.js"
import * as Refusal from "./Refusal.js"
import * as Rules from "./Rules.js"

/** Who sent the refused request. */
export interface Sender {
  readonly source: string
  readonly key: Key.Key | Key.NoKey
  readonly knownGood: boolean
  /** Whether output of this answer had already reached the caller. */
  readonly emitted: boolean
  readonly hint?: Hint | undefined
}

/** What the look of a refused key says: it belongs to another host. */
export interface Hint {
  readonly hint: "KeyForOtherHost"
  readonly hosts: ReadonlyArray<string>
}

export const classify = (raw: Refusal.Raw, sender: Sender): ProviderError.ProviderError => {
  const refusal = Refusal.read(raw)
  const meaning = means(refusal)
  const facts = factsOf(refusal, sender)
  switch (meaning._tag) {
    case "Quota":
      return new ProviderError.QuotaExceeded({ ...facts, resetsAt: resetsAt(refusal) })
    case "Request":
      return new ProviderError.InvalidRequest({ ...facts, reason: meaning.reason })
    case "Auth":
      return sender.key._tag === "Key"
        ? new ProviderError.AuthRejected({
            ...facts,
            source: sender.source,
            fingerprint: sender.key.fingerprint,
            knownGood: sender.knownGood,
            retryAfter: refusal.retryAfter === undefined ? undefined : Duration.millis(refusal.retryAfter),
            ...sender.hint
          })
        : new ProviderError.AuthMissing({ ...facts, source: sender.source, problem: sender.key.problem })
    case "Transient":
      return new ProviderError.Transient({
        ...facts,
        reason: meaning.reason,
        retryAfter: refusal.retryAfter === undefined ? undefined : Duration.millis(refusal.retryAfter)
      })
    case "Response":
      return new ProviderError.InvalidResponse({
        ...facts,
        reason: isRedirect(raw) ? "Redirect" : "NotTheProtocol",
        location: isRedirect(raw) ? shown(raw.headers["location"], 800, sender) : undefined,
        contentType: shown(raw.headers["content-type"], 120, sender),
        preview: preview(raw.body, sender)
      })
  }
}

/** The same for an answer that began with a 2xx and is none. `raw` is its status and headers, and what came of it. */
export const fault = (fault: Fault.Fault, raw: Refusal.Raw, sender: Sender): ProviderError.ProviderError => {
  const facts = factsOf(Refusal.read({ ...raw, body: "" }), sender)
  const passes = (
    reason: ProviderError.TransientReason,
    more: { readonly code?: string | undefined; readonly clock?: "idle" | "stall" }
  ) => new ProviderError.Transient({ ...facts, reason, ...more })
  switch (fault._tag) {
    case "Refused":
      return classify({ ...raw, body: fault.body }, sender)
    case "Malformed":
      return new ProviderError.InvalidResponse({
        ...facts,
        reason: fault.reason,
        mismatch: shown(fault.mismatch, 200, sender),
        refusal: shown(fault.refusal, 800, sender),
        tool: shown(fault.tool, 120, sender),
        finishReason: shown(fault.finishReason, 120, sender),
        usage: counted(fault.usage),
        contentType: shown(raw.headers["content-type"], 120, sender),
        preview: preview(fault.preview === "" ? raw.body : fault.preview, sender)
      })
    case "BrokenOff":
      return passes(fault.reason, { code: shown(fault.code, 120, sender) })
    case "Cut":
      return passes("StreamInterrupted", { code: shown(fault.code, 120, sender) })
    case "Stalled":
      return passes("StreamStalled", { clock: fault.clock })
  }
}

/**
 * Quota first, because some gateways answer exhausted credit with 401; then a wrong format or model, which some answer
 * with 401, too; then the key; then what may pass; then the rest.
 */
export const means = (refusal: Refusal.Refusal): Rules.Meaning => {
  const status = refusal.status ?? impliedStatus(refusal)
  return (
    Rules.quota.find((row) => matches(row, refusal, status))?.means ??
    (refusal.shouldRetry === true ? undefined : Rules.request.find((row) => matches(row, refusal, status))?.means) ??
    Rules.auth.find((row) => matches(row, refusal, status))?.means ??
    passing(refusal, status) ?? { _tag: "Request", reason: "BadRequest" }
  )
}

const matches = (row: Rules.Row, refusal: Refusal.Refusal, status: number): boolean =>
  (row.status === undefined || row.status.includes(status)) &&
  (row.word === undefined || refusal.words.some((word) => row.word?.test(word))) &&
  (row.text === undefined || row.text.test(refusal.text)) &&
  (row.means._tag !== "Quota" || row.evenIfRateLimit === true || !saysRateLimit(refusal))

const saysRateLimit = (refusal: Refusal.Refusal): boolean => refusal.words.some((word) => /rate_?limit/i.test(word))

/** A server that breaks off with no known word has failed, so 500. */
const impliedStatus = (refusal: Refusal.Refusal): number =>
  Rules.statuses.find(([word]) => refusal.words.some((said) => word.test(said)))?.[1] ?? 500

const passing = (refusal: Refusal.Refusal, status: number): Rules.Meaning | undefined => {
  if (status < 400) return { _tag: "Response" }
  const byStatus = Rules.passingStatuses[status] ?? (status >= 500 ? "ServerError" : undefined)
  const asked = refusal.shouldRetry === true ? "ServerError" : undefined
  if (byStatus === undefined && asked === undefined) return undefined
  const byWord = Rules.passingWords.find(([word]) => refusal.words.some((said) => word.test(said)))?.[1]
  return { _tag: "Transient", reason: byWord ?? byStatus ?? "ServerError" }
}

const factsOf = (refusal: Refusal.Refusal, sender: Sender): ProviderError.Facts => ({
  provider: refusal.provider,
  attempts: 1,
  history: [],
  emitted: sender.emitted,
  status: refusal.httpStatus,
  code: shown(refusal.code, 120, sender),
  // A body of no known shape is no reason, but a reader may make something of it.
  detail: shown(refusal.text === "" ? refusal.message : refusal.text, 800, sender),
  requestId: shown(refusal.requestId, 200, sender),
  shouldRetry: refusal.shouldRetry
})

/** What a server wrote, as far as it is shown. */
const shown = (text: string | undefined, most: number, sender: Sender): string | undefined =>
  text === undefined ? undefined : Redaction.shown(text, most, Key.scrub(sender.key)) || undefined

const preview = (text: string, sender: Sender): string => shown(text, 120, sender) ?? ""

/** JSON has numbers that are infinite when they are read (`1e999`), and none to write those with. */
const counted = (usage: Fault.About["usage"]): Fault.About["usage"] =>
  usage === undefined
    ? undefined
    : Object.fromEntries(Object.entries(usage).filter(([, count]) => Number.isFinite(count)))

/** As MiniMax writes behind 2056, and as Anthropic writes behind a spend limit (API docs, rate limits). */
const resetsAt = ({ text }: Refusal.Refusal): DateTime.Utc | undefined => {
  const minimax = /resets? at (\d{4}-\d\d-\d\d[T ][\d:.]{4,15}(?:Z|[+-]\d\d:?\d\d))/i.exec(text)?.[1]
  const anthropic = /regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC/i.exec(text)
  const at = Date.parse(minimax ?? (anthropic === null ? "" : `${anthropic[1]}T${anthropic[2]}Z`))
  // A year of five digits is a mistake, and written in a way that not every reader takes.
  return at >= 0 && at < endOfYears ? DateTime.unsafeMake(at) : undefined
}

const endOfYears = Date.UTC(10_000, 0)

/** A browser hides where a redirect points, and its status: it shows a 0. */
const isRedirect = ({ status }: Refusal.Raw): boolean => status === 0 || (status >= 300 && status < 400)
