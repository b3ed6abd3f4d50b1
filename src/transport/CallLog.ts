/**
 * One call: what it has done so far, and where it stands in the line of its gate.
 */
import type * as Duration from "effect/Duration"
import * as Gate from "../credential/Gate.js"
import type * as Key from "../credential/Key.js"
import type * as ProviderError from "../ProviderError.js"
import * as Failure from "../refusal/Failure.js"

/** It also serves as the call's place in the line, which the gate maintains. */
export class CallLog extends Gate.Place {
  /** HTTP requests made. */
  private attempts = 0
  /** One entry for each request that has failed, with the wait that followed. */
  private history: ReadonlyArray<ProviderError.Attempt> = []
  /** The key of the last request. */
  key: Key.Key | Key.NoKey | undefined
  /** The number of its turn at the gate. */
  turn = 0
  /** Whether a request has been repeated because its key had been replaced in the meantime. Once is enough. */
  hasTriedNewKey = false

  /** A request is about to be sent. */
  sends(key: Key.Key | Key.NoKey, turn: Gate.Turn): void {
    this.attempts += 1
    this.key = key
    this.turn = turn.number
  }

  /** The error of a failure. It is made here, because here the facts of the whole call are known. */
  failed(failure: Failure.Failure): ProviderError.ProviderError {
    const { attempts } = this
    // Only if this failure belongs to a request: some come before anything is sent.
    if (this.history.length < attempts) {
      const { requestId, status } = failure
      this.history = [...this.history, { status, reason: Failure.word(failure), requestId }]
    }
    return Failure.make(failure, { attempts, history: this.history })
  }

  /** The wait before the next request begins. */
  waits(wait: Duration.Duration): void {
    const last = this.history.at(-1)
    if (last !== undefined) this.history = [...this.history.slice(0, -1), { ...last, wait }]
  }
}
