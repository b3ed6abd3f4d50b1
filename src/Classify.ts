/**
 * Facts of a refusal to a `ProviderError`: one pure function, the same for an HTTP refusal and for an error that
 * arrives inside a 200. What differs between providers stands in the tables below, each row with its source.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Credential from "./Credential.js"
import type * as Fault from "./Fault.js"
import * as ProviderError from "./ProviderError.js"
import * as Refusal from "./Refusal.js"
import * as Rules from "./Rules.js"

/** Who sent the refused request. */
export interface Sender {
  readonly source: string
  readonly key: Credential.Key | Credential.NoKey
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
        location: isRedirect(raw) ? location(raw, sender) : undefined,
        contentType: contentType(raw, sender),
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
        mismatch: written(fault.mismatch, 200, sender),
        refusal: written(fault.refusal, 800, sender),
        tool: written(fault.tool, 120, sender),
        finishReason: written(fault.finishReason, 120, sender),
        usage: fault.usage === undefined ? undefined : counted(fault.usage),
        contentType: contentType(raw, sender),
        preview: preview(fault.preview === "" ? raw.body : fault.preview, sender)
      })
    case "BrokenOff":
      return passes(fault.code === "insufficient_system_resource" ? "Overloaded" : "ServerError", { code: fault.code })
    case "Cut":
      return passes("StreamInterrupted", { code: fault.code })
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
  code: refusal.code === undefined ? undefined : scrubbed(refusal.code, sender).slice(0, 120),
  detail: refusal.text === "" ? undefined : scrubbed(refusal.text.slice(0, 8192), sender).slice(0, 800),
  requestId: refusal.requestId === undefined ? undefined : scrubbed(refusal.requestId, sender).slice(0, 200),
  shouldRetry: refusal.shouldRetry
})

const scrubbed = (text: string, sender: Sender): string => Credential.scrub(sender.key)(text)

/** What a model wrote, or a server for it: of any length, with anything in it. */
const written = (text: string | undefined, most: number, sender: Sender): string | undefined =>
  text === undefined || text === ""
    ? undefined
    : scrubbed(text.slice(0, 8192).replace(/(?![\n\t])\p{Cc}/gu, ""), sender).slice(0, most)

/** JSON has no infinite numbers, and an error goes over wires. */
const counted = (usage: NonNullable<Fault.About["usage"]>): Fault.About["usage"] =>
  Object.fromEntries(Object.entries(usage).filter(([, count]) => Number.isFinite(count)))

const contentType = (raw: Refusal.Raw, sender: Sender): string | undefined => {
  const type = raw.headers["content-type"]
  return type === undefined ? undefined : scrubbed(type, sender).slice(0, 120)
}

/** Cut before it is scrubbed, too, because a body may be megabytes. */
const preview = (text: string, sender: Sender): string => scrubbed(text.slice(0, 4096), sender).slice(0, 120)

/** "resets at 2026-01-01T00:00:00Z", as MiniMax writes behind 2056. */
const resetsAt = (refusal: Refusal.Refusal): DateTime.Utc | undefined => {
  const said = /resets? at (\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d))/i.exec(refusal.text)?.[1]
  const at = said === undefined ? Number.NaN : Date.parse(said)
  return Number.isNaN(at) ? undefined : DateTime.unsafeMake(at)
}

/** A browser hides where a redirect points, and its status: it shows a 0. */
const isRedirect = ({ status }: Refusal.Raw): boolean => status === 0 || (status >= 300 && status < 400)

const location = (raw: Refusal.Raw, sender: Sender): string | undefined => {
  const to = raw.headers["location"]
  return to === undefined ? undefined : scrubbed(to.slice(0, 4096), sender).slice(0, 800)
}
