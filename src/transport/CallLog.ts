/**
 * What one call has done so far: the requests it made, how they ended, and the waits between them.
 */
import type * as Duration from "effect/Duration"
import type * as Key from "../credential/Key.js"
import * as ProviderError from "../ProviderError.js"

export class CallLog {
  attempts = 0
  /** The key of the last request. */
  key: Key.Key | Key.NoKey | undefined
  /** The number of its turn at the gate. */
  turn = 0
  /** Whether a request was repeated because its key had been replaced meanwhile. Once is enough. */
  hasTriedNewKey = false
  private history: ReadonlyArray<ProviderError.Attempt> = []

  sent(key: Key.Key | Key.NoKey, turn: number): void {
    this.attempts += 1
    this.key = key
    this.turn = turn
  }

  /** The error with the facts of the whole call. */
  failed<E extends ProviderError.ProviderError>(error: E): E {
    // Only if this error belongs to a request: some come before anything is sent.
    if (this.history.length < this.attempts) {
      const { requestId, status } = error
      this.history = [...this.history, { status, reason: ProviderError.word(error), requestId }]
    }
    return ProviderError.withFacts(error, { attempts: this.attempts, history: this.history })
  }

  waits(wait: Duration.Duration): void {
    const last = this.history.at(-1)
    if (last !== undefined) this.history = [...this.history.slice(0, -1), { ...last, wait }]
  }
}
