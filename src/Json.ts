/**
 * JSON from outside: parsed without throwing, and read without trust.
 */

/** A JSON object, about whose fields nothing is known yet. */
export type Fields = { readonly [key: string]: unknown }

/** The value, or `undefined` if the text is not JSON. */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Like `parse`, for a value that the program gets: `__proto__` and `constructor` keys are dropped at every depth. */
export const parseHandedOn = (text: string): unknown => {
  try {
    return suspicious.test(text) ? JSON.parse(text, dropPrototypeKeys) : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The text of a value, or `undefined` if it is nested too deep to be written. */
export const stringify = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/** A JSON object, or `undefined` for anything else. */
export const record = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined

/** A JSON array, or an empty one for anything else. */
export const array = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

export const string = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

export const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)

export const nonEmpty = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** The object without the fields that are `undefined`. */
export const defined = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

// The reviver costs several times the parse, so it runs only if one of the keys may occur, perhaps escaped.
const suspicious = /__proto__|constructor|\\u/

const dropPrototypeKeys = (key: string, value: unknown): unknown =>
  key === "__proto__" || key === "constructor" ? undefined : value
