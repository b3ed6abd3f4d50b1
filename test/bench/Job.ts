/** What a worker is told to do, and what it answers. Plain data, because it goes from process to process. */

export type Job =
  | Calls
  /** Streams one long answer. */
  | { readonly kind: "peak" | "growth"; readonly root: string; readonly events: number }
  /** Opens streams that say one thing and then nothing more. */
  | { readonly kind: "idle"; readonly root: string; readonly streams: number }

export interface Calls {
  readonly kind: "calls"
  /** Where the API begins, with the scenario in it. */
  readonly root: string
  /** Pieces of text that each stream must bring; nothing if the calls do not stream. */
  readonly events: number | undefined
  readonly calls: number
  readonly inFlight: number
  /** Also tells where the CPU time went. */
  readonly profile?: boolean
}

/** What was measured: of all calls together, except `first`. Times in microseconds, sizes in bytes. */
export interface Sample {
  readonly cpu?: number
  readonly wall?: number
  /** From the call to its first piece of text: the median of the calls. */
  readonly first?: number
  /** Reads of the network. */
  readonly reads?: number
  readonly bytes?: number
  /** Share of the CPU time by whose code it was spent in. */
  readonly profile?: { readonly [owner: string]: number }
}

export type Told = { readonly job: Job; readonly contender: string }
export type Answered = { readonly sample: Sample } | { readonly failed: string }
