/**
 * How many requests with one key may be in flight, and when the next may be sent. It learns the server's capacity from
 * refusals and acceptances. It is plain state without a clock: the caller passes the time, in milliseconds.
 *
 * A refusal says a lot: the requests that were in flight and not refused *are* what the server can take at the moment.
 * So the window shrinks to their number, and from there tries one more now and then. Each failed try doubles the number
 * of acceptances that the next one needs; each success halves it. A rate limit looks like a concurrency limit here,
 * because new requests are sent as answers arrive.
 *
 * Not every refusal is about load: where one request in twenty is refused, however few there are, shrinking only does
 * harm. `Doubt` finds out whether sending less makes refusals rarer.
 *
 * Why this controller, and how it does at a dozen gateways: `test/credential/Window.simulation.test.ts`.
 */
import * as Doubt from "./Doubt.js"

type Shot = Doubt.Shot

const unlimited = Number.POSITIVE_INFINITY

/** After this long without a refusal, an idle window opens again. All times are in milliseconds. */
const forgetAfter = 60_000

/** A window that is full tries one more at least this often. */
const tryAfter = 30_000

/** The wait before the next try, as a multiple of how long a refusal closed the gate; `tryAfter` at most. */
const costFactor = 10

/** The most that `patience` can grow to. */
const mostPatience = 64

/**
 * A try has succeeded after this many times the acceptances that it took to make it: a rate limit is slow to refuse.
 */
const confirmFactor = 2

/** The pause once nothing is accepted any more: the first and the longest. Each is twice as long as the one before. */
const firstPause = 250
const longestPause = 1000

/** The longest and shortest gap between requests, where even one request at a time is too many. */
const longestGap = 1000
const shortestGap = 25

export class Window {
  /** The most requests in flight. */
  private limit = unlimited
  /** The most in flight for now: after a pause the window opens gradually, and each acceptance doubles this. */
  private ramp = unlimited
  /** The limit before it last began to shrink. */
  private limitBefore = unlimited
  /** How often the window has shrunk, so that the refusals of requests that were in flight together count as one. */
  private era = 0
  /** Nothing is sent before this time, which the server named. */
  private closedUntil = 0
  /** Nothing is sent before this time, because nothing was accepted any more. */
  private pausedUntil = 0
  /** When a request was last refused. */
  private lastRefusal = 0
  /** When a request was last accepted or refused. */
  private lastOutcome = Number.NEGATIVE_INFINITY
  /** How many times in a row a request was refused that was admitted alone. */
  private refusalsAlone = 0
  /** Of the requests in flight when the window last began to shrink, how many have been accepted since. */
  private acceptedSince = 0

  /** Acceptances at a full window since the limit last changed. */
  private acceptances = 0
  /** How many full windows of acceptances it takes to try one more. */
  private patience = 1
  /** Whether the last change was a try whose outcome is still unknown. */
  private isTrying = false
  /** Whether the try has yet to be made: no request has been sent at the new limit. */
  private isTryDue = false
  /** How much a try raises the limit. It grows with each success. */
  private step = 1
  /** When the limit last changed, or could have. */
  private changedAt = 0
  /** No try before this time. */
  private nextTryAt = 0
  /** How long the last refusal closed the gate. */
  private closedFor = 0

  /** The least time between two requests. */
  private gap = 0
  /** When a request was last sent. */
  private lastSent = Number.NEGATIVE_INFINITY

  private readonly doubt = new Doubt.Doubt()

  /**
   * How long the next request has to wait, in milliseconds. `Infinity`: until one of those in flight ends.
   *
   * @param inFlight Not including the next request.
   * @param isCareful The call, or one in flight, has been refused twice and may be on its last retry: keep some room
   * free.
   * @param hasWaited The call's own refusal caused the pause, and it has since waited out its backoff, which is longer.
   */
  wait(inFlight: number, now: number, isCareful = false, hasWaited = false): number {
    if (inFlight === 0 && now > this.lastRefusal + forgetAfter) this.open()
    const spare = isCareful && !hasWaited && this.limit !== unlimited ? Math.ceil(this.limit / 8) : 0
    const most = Math.min(this.limit, this.ramp) - spare
    const opensAt = Math.max(
      this.closedUntil,
      hasWaited ? 0 : Math.max(this.pausedUntil, this.lastSent + this.gap),
      most < 1 ? this.lastOutcome + firstPause : 0
    )
    if (now < opensAt) return opensAt - now
    if (inFlight < Math.max(1, most)) return 0
    return this.limit === unlimited ? unlimited : this.waitForTry(inFlight + spare, now)
  }

  /**
   * While a full window has only slow answers there is no acceptance to count, but it must try one more all the same.
   */
  private waitForTry(inFlight: number, now: number): number {
    const wait = Math.max(this.changedAt + tryAfter, this.nextTryAt) - now
    if (wait > 0) return wait
    this.acceptances = 0
    this.changedAt = now
    this.tryMore()
    return inFlight < this.limit ? 0 : tryAfter
  }

  /** Whether no more than this many are admitted at present. */
  isFull(inFlight: number): boolean {
    return inFlight >= Math.min(this.limit, this.ramp)
  }

  /** Whether the next request will be a try. It should be one of a call with all its retries left. */
  isAboutToTry(inFlight: number): boolean {
    return this.isTryDue && inFlight + 1 >= this.limit
  }

  /**
   * A request has been sent. The result goes with it, to `accepted` or `refused`.
   *
   * @param inFlight Including this one.
   */
  sent(inFlight: number, now: number): Shot {
    this.lastSent = now
    if (inFlight >= this.limit) this.isTryDue = false
    return { era: this.era, level: inFlight }
  }

  /** A request has been accepted. */
  accepted(shot: Shot, now: number): void {
    this.refusalsAlone = 0
    this.lastOutcome = now
    this.consultDoubt(shot, false, now)
    if (shot.era === this.era - 1) this.acceptedSince += 1
    if (shot.era !== this.era) return
    if (this.ramp < this.limit) this.ramp *= 2
    if (shot.level < this.limit) return
    this.acceptances += 1
    if (this.needsMore(now)) return
    this.acceptances = 0
    this.changedAt = now
    if (this.isTrying) this.confirmTry(now)
    else if (this.gap > 0) this.shortenGap()
    else this.tryMore()
  }

  /**
   * A request has been refused.
   *
   * @param inFlight Not including this one.
   * @param until When the server said to come back, if it did.
   */
  refused(shot: Shot, inFlight: number, now: number, until?: number): void {
    this.lastRefusal = now
    this.lastOutcome = now
    this.consultDoubt(shot, true, now)
    if (this.doubt.tolerates(now)) return
    if (until !== undefined) this.closedUntil = Math.max(this.closedUntil, until)
    else if (inFlight === 0 && this.isFull(1)) this.pause(shot, now)
    const isFirst = shot.era === this.era
    if (isFirst) this.beginEra(inFlight, now, until)
    if (until !== undefined && isFirst && this.limit === unlimited) {
      // A single refusal with a time says when to come back, but not yet how many may.
      this.ramp = Math.max(1, Math.floor(shot.level / 2))
    } else this.shrink(shot, shot.era === this.era - 1 ? inFlight + this.acceptedSince : inFlight, until !== undefined)
  }

  /** Forgets every refusal, so that nothing is held back. */
  open(): void {
    this.limit = unlimited
    this.ramp = unlimited
    this.closedUntil = 0
    this.pausedUntil = 0
    this.refusalsAlone = 0
    this.gap = 0
    this.patience = 1
    this.nextTryAt = 0
    this.nextEra(0)
    this.doubt.reset()
  }

  /** Whether it takes more acceptances, or time, until the limit may change. */
  private needsMore(now: number): boolean {
    if (now < this.nextTryAt) return true
    const enough = (this.isTrying ? confirmFactor : 1) * this.patience * this.limit
    return this.acceptances < enough && now < this.changedAt + tryAfter
  }

  private tryMore(): void {
    this.limit += Math.floor(this.step)
    this.isTrying = true
    this.isTryDue = true
  }

  private confirmTry(now: number): void {
    this.isTrying = false
    this.step += 0.5
    this.patience = Math.max(1, this.patience / 2)
    this.nextTryAt = now + Math.min(tryAfter, 2 * this.closedFor * this.patience)
  }

  /** The first refusal of a request that was sent since the window last shrank. */
  private beginEra(inFlight: number, now: number, until: number | undefined): void {
    this.limitBefore = this.limit
    if (this.limit !== unlimited) {
      if (this.isTrying) this.patience = Math.min(mostPatience, this.patience * 2)
      // Far fewer than before: the capacity has changed, and what was learned about the old one no longer counts.
      else if (Math.max(1, inFlight) < this.limit / 2) this.patience = 1
      else this.patience = Math.max(1, this.patience * 0.6)
    }
    this.closedFor = until === undefined ? 0 : until - now
    if (until !== undefined) this.nextTryAt = now + Math.min(tryAfter, costFactor * this.patience * this.closedFor)
    this.nextEra(now)
  }

  /**
   * @param accepted How many of the requests in flight together were not refused: the capacity, if the window was full.
   */
  private shrink(shot: Shot, accepted: number, hasTime: boolean): void {
    if (accepted === 0) {
      // Nothing was accepted, so nothing shows the capacity: it is lower than before, and the ramp starts at one.
      this.limit = Math.max(1, Math.floor(this.limitBefore / 2))
      this.ramp = 1
      return
    }
    // If the window was not full, the number in flight does not measure the capacity.
    const wasFull = this.limit === unlimited || shot.level >= this.limit
    this.limit = wasFull ? Math.min(this.limit, accepted) : Math.max(this.limit - 1, Math.min(this.limit, accepted))
    if (hasTime) this.ramp = Math.max(1, Math.floor(this.limit / 2))
  }

  private nextEra(now: number): void {
    this.era += 1
    this.acceptedSince = 0
    this.isTrying = false
    this.isTryDue = false
    this.step = 1
    this.acceptances = 0
    this.changedAt = now
  }

  /** The refused request was the only one in flight, and no more were admitted. */
  private pause(shot: Shot, now: number): void {
    this.refusalsAlone += 1
    // More than half are refused although they are sent one at a time: this is a rate limit, and a slow one.
    if (this.limit === 1 && shot.era === this.era && this.doubt.recentShare > 0.5) {
      this.gap = Math.min(longestGap, Math.max(shortestGap, this.gap * 2))
    }
    this.pausedUntil = now + Math.min(longestPause, firstPause * 2 ** (this.refusalsAlone - 1))
  }

  private shortenGap(): void {
    if (this.doubt.recentShare <= 0.1) this.gap = this.gap <= shortestGap ? 0 : this.gap * 0.75
  }

  /** Goes back to a former limit, if shrinking has turned out not to help. */
  private consultDoubt(shot: Shot, refused: boolean, now: number): void {
    const limit = this.doubt.add(shot, refused, this.limit, this.era, now)
    if (limit === undefined) return
    this.limit = limit
    this.ramp = unlimited
    this.gap = 0
    this.patience = 1
    this.nextEra(now)
  }
}
