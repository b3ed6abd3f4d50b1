/**
 * Why an answer with a 2xx is not one.
 */
export type Fault =
  /** The server's error, inside the 200. */
  | { readonly _tag: "Refused"; readonly body: string }
  /** Not what the protocol says. */
  | { readonly _tag: "Malformed"; readonly detail: string; readonly preview: string }
  /** The model broke off, in the word that stands where a reason to finish would. */
  | { readonly _tag: "BrokenOff"; readonly code: string }
  /** It ended before it was finished. */
  | { readonly _tag: "Cut"; readonly code: string | undefined }
  /** Nothing came for too long: no byte (`idle`), or bytes but no output of the model (`stall`). */
  | { readonly _tag: "Stalled"; readonly clock: "idle" | "stall" }

export const malformed = (detail: string, preview = ""): Fault => ({ _tag: "Malformed", detail, preview })

export const cut = (code?: string): Fault => ({ _tag: "Cut", code })

export const isFault = (value: Fault | ReadonlyArray<unknown> | string): value is Fault =>
  typeof value === "object" && !Array.isArray(value)
