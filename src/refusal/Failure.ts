/**
 * What one request failed with, before the rest of its call is known.
 */
import type * as Schema from "effect/Schema"
import * as ProviderError from "../ProviderError.js"

/** The facts of a call, which no single request knows. */
type OfCall = Pick<ProviderError.Facts, "attempts" | "history">

type Classes = {
  readonly AuthMissing: typeof ProviderError.AuthMissing
  readonly AuthRejected: typeof ProviderError.AuthRejected
  readonly Transient: typeof ProviderError.Transient
  readonly QuotaExceeded: typeof ProviderError.QuotaExceeded
  readonly InvalidRequest: typeof ProviderError.InvalidRequest
  readonly InvalidResponse: typeof ProviderError.InvalidResponse
}

/**
 * What one request failed with: the facts of an error without those of its call. An error has a stack and is checked
 * against its schema, so it is made only once, by `make`, when all facts are known.
 */
export type Failure = {
  readonly [Tag in keyof Classes]: Omit<Schema.Struct.Type<Classes[Tag]["fields"]>, keyof OfCall>
}[keyof Classes]

/** The error of a failure, with the facts of its call. A fact that is `undefined` is left out. */
export const make = (failure: Failure, { attempts, history }: OfCall): ProviderError.ProviderError => {
  const facts = defined({ ...failure, attempts, history })
  switch (facts._tag) {
    case "AuthMissing":
      return new ProviderError.AuthMissing(facts)
    case "AuthRejected":
      return new ProviderError.AuthRejected(facts)
    case "Transient":
      return new ProviderError.Transient(facts)
    case "QuotaExceeded":
      return new ProviderError.QuotaExceeded(facts)
    case "InvalidRequest":
      return new ProviderError.InvalidRequest(facts)
    case "InvalidResponse":
      return new ProviderError.InvalidResponse(facts)
  }
}

const defined = <T extends object>(facts: T): T =>
  Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined)) as T

/** The same error, with these facts. */
export const withFacts = (
  error: ProviderError.ProviderError,
  facts: Partial<ProviderError.Facts>
): ProviderError.ProviderError => {
  const all = { ...error, ...facts }
  return make(all, all)
}

/** The word for this error in a history: its `reason` where the tag alone says little. */
export const word = (error: Failure): string => (error._tag === "Transient" ? error.reason : error._tag)
