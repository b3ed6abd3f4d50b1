/**
 * Why an answer with a 2xx is not one.
 */
import type * as ProviderError from "../ProviderError.js"

export type Fault =
  /** The server's error, inside the 200. */
  | { readonly _tag: "Refused"; readonly body: string }
  /** Not what the protocol says, or not what the program asked for. */
  | ({
      readonly _tag: "Malformed"
      readonly reason: ProviderError.InvalidResponseReason
      readonly preview: string
    } & About)
  /** The model broke off, in the word that stands where a reason to finish would. */
  | { readonly _tag: "BrokenOff"; readonly code: string }
  /** It ended before it was finished. */
  | { readonly _tag: "Cut"; readonly code: string | undefined }
  /** Nothing came for too long: no byte (`idle`), or bytes but no output of the model (`stall`). */
  | { readonly _tag: "Stalled"; readonly clock: "idle" | "stall" }

/** What else is known of an answer that came whole, and is still not what was asked for. */
export type About = Partial<
  Pick<ProviderError.InvalidResponse, "mismatch" | "refusal" | "tool" | "finishReason" | "usage">
>

export const malformed = (reason: ProviderError.InvalidResponseReason, preview = "", about: About = {}): Fault => ({
  _tag: "Malformed",
  reason,
  preview,
  ...about
})

export const cut = (code?: string): Fault => ({ _tag: "Cut", code })

export const isFault = (value: Fault | ReadonlyArray<unknown> | string): value is Fault =>
  typeof value === "object" && !Array.isArray(value)
