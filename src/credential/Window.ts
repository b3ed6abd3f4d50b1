/**
 * How many requests with one key may be in flight, and when the next may go: it learns the server's capacity from
 * refusals and acceptances. Plain state; the caller has the clock.
 *
 * A refusal tells much: what was in flight and not refused *is* what the server takes at the moment. So the window
 * shrinks to that, and from there tries one more now and then: each failure doubles how many acceptances the next try
 * needs, each success halves it. A rate limit looks like a concurrency limit here, because new requests go out as
 * answers come in.
 *
 * Not every refusal is about load: where one request in twenty is refused, however few there are, shrinking only does
 * harm. `Doubt` finds out whether holding back makes refusals rarer.
 *
 * Why this controller, and what it does at a dozen gateways: `test/Window.simulation.test.ts`.
 */
import * as Doubt from "./Doubt.js"

type Shot = Doubt.Shot

const unlimited = Number.POSITIVE_INFINITY

/** After this long without a refusal an idle window forgets the last one. All times are in milliseconds. */
const forgetAfter = 60_000

/** A window that is full tries one more at least this often. */
const tryAfter = 30_000

/** The wait before the next try, as a multiple of how long a refusal closed the gate; `tryAfter` at most. */
const costFactor = 10

/** Each failed try doubles the acceptances needed before the next, counted in full windows, up to this many. */
const mostPatience = 64

/** A try has succeeded after twice as many acceptances as were needed to make it: a rate limit is slow to refuse. */
const confirm = 2

/** The pause when nothing is accepted any more: the first and the longest. Each is twice as long as the one before. */
const firstPause = 250
const longestPause = 1000

/** The longest and shortest gap between requests, where even one at a time is too many. */
const longestGap = 1000
const shortestGap = 25

export class Window {
  /** The most in flight. */
  private limit = unlimited
  /** After a pause the window opens gradually: to this many, doubled with each acceptance. */
  private ramp = unlimited
  /** The limit before it last began to shrink. */
  private limitBefore = unlimited
  private era = 0
  /** Nothing is sent before this moment, which the server named. */
  private closedUntil = 0
  /** Nothing is sent before this moment, because nothing was accepted any more. */
  private pausedUntil = 0
  private lastRefused = 0
  /** Consecutive refusals of a request that was admitted alone. */
  private lonely = 0

  /** Of the requests in flight when it last began to shrink, how many have been accepted since. */
  private acceptedBefore = 0
  /** When a request last had an outcome. */
  private lastHeard = Number.NEGATIVE_INFINITY

  /** Acceptances at a full window since the limit last changed. */
  private accepts = 0
  /** Acceptances needed to try one more, counted in full windows. */
  private patience = 1
  /** Whether the last change was a try whose outcome is not known yet. */
  private trying = false
  /** Whether no request has gone out yet at the limit being tried. */
  private untried = false
  /** How much a try raises the limit: more after each success. */
  private step = 1
  private changedAt = 0
  /** No try before this moment. */
  private tryAt = 0
  /** How long the last refusal closed the gate. */
  private cost = 0

  /** The minimum time between two requests. */
  private gap = 0
  private lastSent = Number.NEGATIVE_INFINITY

  private readonly doubt = new Doubt.Doubt()

  /**
   * How long the next request has to wait, with `inFlight` already out; `Infinity`: until one of them ends.
   *
   * @param isCareful It, or one in flight, was refused twice and may be on its last retry, so some room is kept free.
   * @param hasWaited Its own refusal made everybody pause, and it has waited out its own backoff since.
   */
  wait(inFlight: number, now: number, isCareful = false, hasWaited = false): number {
    if (inFlight === 0 && now > this.lastRefused + forgetAfter) this.open()
    const spare = isCareful && !hasWaited && this.limit !== unlimited ? Math.ceil(this.limit / 8) : 0
    const most = Math.min(this.limit, this.ramp) - spare
    const opens = Math.max(
      this.closedUntil,
      hasWaited ? 0 : Math.max(this.pausedUntil, this.lastSent + this.gap),
      most < 1 ? this.lastHeard + firstPause : 0
    )
    if (now < opens) return opens - now
    if (inFlight < Math.max(1, most)) return 0
    return this.limit === unlimited ? unlimited : this.tryIn(inFlight + spare, now)
  }

  /** A window that is full of slow answers hears of no acceptance, and tries one more all the same. */
  private tryIn(inFlight: number, now: number): number {
    const wait = Math.max(this.changedAt + tryAfter, this.tryAt) - now
    if (wait > 0) return wait
    this.accepts = 0
    this.changedAt = now
    this.tryMore()
    return inFlight < this.limit ? 0 : tryAfter
  }

  /** Whether it admits no more than this many in flight. */
  isFull(inFlight: number): boolean {
    return inFlight >= Math.min(this.limit, this.ramp)
  }

  /** Whether the next request tries one more. A call that was never refused has the most retries left. */
  isAboutToTry(inFlight: number): boolean {
    return this.untried && inFlight + 1 >= this.limit
  }

  /** @param inFlight Including this one. */
  sent(inFlight: number, now: number): Shot {
    this.lastSent = now
    if (inFlight >= this.limit) this.untried = false
    return { era: this.era, level: inFlight }
  }

  accepted(shot: Shot, now: number): void {
    this.lonely = 0
    this.lastHeard = now
    this.judge(shot, false, now)
    if (shot.era === this.era - 1) this.acceptedBefore += 1
    if (shot.era !== this.era) return
    if (this.ramp < this.limit) this.ramp *= 2
    if (shot.level < this.limit) return
    this.accepts += 1
    if (this.isPatient(now)) return
    this.accepts = 0
    this.changedAt = now
    if (this.trying) this.succeed(now)
    else if (this.gap > 0) this.shortenGap()
    else this.tryMore()
  }

  /**
   * @param inFlight Not including this one.
   * @param until The moment that the server named, if it named one.
   */
  refused(shot: Shot, inFlight: number, now: number, until?: number): void {
    this.lastRefused = now
    this.lastHeard = now
    this.judge(shot, true, now)
    if (this.doubt.tolerates(now)) return
    if (until !== undefined) this.closedUntil = Math.max(this.closedUntil, until)
    else if (inFlight === 0 && this.isFull(1)) this.pause(shot, now)
    const isFirst = shot.era === this.era
    if (isFirst) this.beginEra(inFlight, now, until)
    if (until !== undefined && isFirst && this.limit === unlimited) {
      // A single refusal with a moment says when to come back, and not yet how many may.
      this.ramp = Math.max(1, Math.floor(shot.level / 2))
    } else this.shrink(shot, shot.era === this.era - 1 ? inFlight + this.acceptedBefore : inFlight, until !== undefined)
  }

  /** Forgets everything. */
  open(): void {
    this.limit = unlimited
    this.ramp = unlimited
    this.closedUntil = 0
    this.pausedUntil = 0
    this.lonely = 0
    this.gap = 0
    this.patience = 1
    this.tryAt = 0
    this.nextEra(0)
    this.doubt.reset()
  }

  private isPatient(now: number): boolean {
    if (now < this.tryAt) return true
    const enough = (this.trying ? confirm : 1) * this.patience * this.limit
    return this.accepts < enough && now < this.changedAt + tryAfter
  }

  private tryMore(): void {
    this.limit += Math.floor(this.step)
    this.trying = true
    this.untried = true
  }

  private succeed(now: number): void {
    this.trying = false
    this.step += 0.5
    this.patience = Math.max(1, this.patience / 2)
    this.tryAt = now + Math.min(tryAfter, 2 * this.cost * this.patience)
  }

  /** The first refusal of a request that was sent since the window last shrank. */
  private beginEra(left: number, now: number, until: number | undefined): void {
    this.limitBefore = this.limit
    if (this.limit !== unlimited) {
      if (this.trying) this.patience = Math.min(mostPatience, this.patience * 2)
      // Far less than before: the capacity has changed, and nothing is known of the new one yet.
      else if (Math.max(1, left) < this.limit / 2) this.patience = 1
      else this.patience = Math.max(1, this.patience * 0.6)
    }
    this.cost = until === undefined ? 0 : until - now
    if (until !== undefined) this.tryAt = now + Math.min(tryAfter, costFactor * this.patience * this.cost)
    this.nextEra(now)
  }

  private shrink(shot: Shot, inFlight: number, isTold: boolean): void {
    if (inFlight === 0) {
      // Nothing was accepted, so nothing says how many will be: fewer than before, starting with one.
      this.limit = Math.max(1, Math.floor(this.limitBefore / 2))
      this.ramp = 1
      return
    }
    // If the window was not full, the number in flight does not measure the capacity.
    const wasFull = this.limit === unlimited || shot.level >= this.limit
    this.limit = wasFull ? Math.min(this.limit, inFlight) : Math.max(this.limit - 1, Math.min(this.limit, inFlight))
    if (isTold) this.ramp = Math.max(1, Math.floor(this.limit / 2))
  }

  private nextEra(now: number): void {
    this.era += 1
    this.acceptedBefore = 0
    this.trying = false
    this.untried = false
    this.step = 1
    this.accepts = 0
    this.changedAt = now
  }

  /** The refused request was the only one in flight, and no more were admitted. */
  private pause(shot: Shot, now: number): void {
    this.lonely += 1
    // More than half are refused, though they go one at a time: it is a rate limit, and a slow one.
    if (this.limit === 1 && shot.era === this.era && this.doubt.recent > 0.5) {
      this.gap = Math.min(longestGap, Math.max(shortestGap, this.gap * 2))
    }
    this.pausedUntil = now + Math.min(longestPause, firstPause * 2 ** (this.lonely - 1))
  }

  private shortenGap(): void {
    if (this.doubt.recent <= 0.1) this.gap = this.gap <= shortestGap ? 0 : this.gap * 0.75
  }

  private judge(shot: Shot, refused: boolean, now: number): void {
    const verdict = this.doubt.hear(shot, refused, this.limit, this.era, now)
    if (verdict === undefined) return
    this.limit = verdict
    this.ramp = unlimited
    this.gap = 0
    this.patience = 1
    this.nextEra(now)
  }
}
