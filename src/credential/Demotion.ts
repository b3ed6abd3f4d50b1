/**
 * When a key stops being known good, so that a revoked key is not hammered for ever. Plain state: the caller passes the
 * time.
 *
 * Three calls in a row that used up their retries are enough. But in a long line, each call is refused once before any
 * has used up its retries, so nine calls refused one after the other are enough as well. Neither counts while a request
 * with the key is being served.
 */

/** A call that was refused, and the number of its last request's turn at the gate. */
export interface Call {
  readonly turn: number
}

/** What the gate knows at that moment. */
export interface Scene {
  /** Milliseconds, by a clock that only goes forward. */
  readonly now: number
  /** The number of the latest turn. */
  readonly lastTurn: number
  /** Whether nothing is in flight. */
  readonly isIdle: boolean
  /** Whether the server works on a request. */
  readonly isBeingServed: boolean
}

/** As many requests as three calls with two retries make. */
const mostRefused = 9

/** They must be spread over this many milliseconds: a full gateway refuses nine at once, and then answers one. */
const refusedSpread = 10_000

const mostExhausted = 3

/**
 * While others are in flight, they must be spread over this many milliseconds: a full gateway may fail three calls
 * between two answers.
 */
const exhaustedSpread = 1000

export class Demotion {
  private readonly refusals = new Row()
  private readonly exhaustions = new Row()

  /** A request of this call was refused. Returns whether that demotes the key. */
  refused(call: Call, scene: Scene): boolean {
    return this.refusals.add(call, scene) && this.refusals.reaches(mostRefused, refusedSpread, scene.now)
  }

  /** This call was refused to the end of its retries. Returns whether that demotes the key. */
  exhausted(call: Call, scene: Scene): boolean {
    return (
      this.exhaustions.add(call, scene) &&
      this.exhaustions.reaches(mostExhausted, scene.isIdle ? 0 : exhaustedSpread, scene.now)
    )
  }

  /** A request was accepted, or the key has changed. */
  forgive(): void {
    this.refusals.end()
    this.exhaustions.end()
  }
}

/** Calls one after the other. Those that were in flight together count as one: one bad minute refuses them all. */
class Row {
  private readonly calls = new Set<Call>()
  /** When the first of them was counted. */
  private since = 0
  /** The latest turn when the last of them was counted. Whoever had a turn up to this one was in flight then. */
  private upTo = 0

  /** Returns whether it counts. */
  add(call: Call, { isBeingServed, lastTurn, now }: Scene): boolean {
    if (call.turn <= this.upTo || isBeingServed) return false
    this.upTo = lastTurn
    if (this.calls.size === 0) this.since = now
    this.calls.add(call)
    return true
  }

  reaches(count: number, spread: number, now: number): boolean {
    return this.calls.size >= count && now - this.since >= spread
  }

  end(): void {
    this.calls.clear()
  }
}
