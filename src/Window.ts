/**
 * How many requests with one key may be in flight, and when the next may go: what refusals and acceptances say of the
 * server's capacity. Plain state; the caller has the clock.
 *
 * A refusal tells much: what was in flight and was not refused *is* what the server takes at the moment. So the window
 * shrinks to that, and from there tries one more now and then: each failure doubles how much has to be accepted before
 * the next try, each success halves it. A limit by rate looks like one by places, because it is answers that make room.
 *
 * Not every refusal is about load, and a window that shrinks for one in twenty requests, whatever their number, would
 * only do harm. `Doubt` finds out whether holding back makes refusals rarer.
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

/** A try that may close the gate waits this many times as long as it was closed for the last one, and no longer than `tryAfter`. */
const costFactor = 10

/** A try that fails doubles the acceptances that it takes to try again, in windows full, up to this. */
const mostPatience = 64

/** A try has succeeded after twice as many acceptances as it took to make: a limit by rate takes its time to say no. */
const confirm = 2

/** Nothing is accepted any more: how long nothing is sent then, at first and at most. Each time it is twice as long. */
const firstPause = 250
const longestPause = 1000

/** At most so long is waited between one request and the next, where even one at a time is too many. */
const longestGap = 1000
const shortestGap = 25

export class Window {
  /** The most in flight. */
  private limit = unlimited
  /** After a pause the window opens by degrees: to this many, and twice as many with each acceptance. */
  private ramp = unlimited
  /** The limit before it last began to shrink. */
  private limitBefore = unlimited
  private era = 0
  /** Nothing is sent before this moment, which the server named. */
  private closedUntil = 0
  /** Nothing was accepted any more, so nothing is sent before this one. */
  private pausedUntil = 0
  private lastRefused = 0
  /** Refusals in a row of the only one that was admitted. */
  private lonely = 0

  /** How many of the requests that were on their way when it last began to shrink were accepted since. */
  private acceptedBefore = 0
  /** When a request last had an outcome. */
  private lastHeard = Number.NEGATIVE_INFINITY

  /** Acceptances at a full window since the limit last changed. */
  private accepts = 0
  /** Windows full of acceptances that it takes to try one more. */
  private patience = 1
  /** Whether the last change was a try, of which it is not yet known whether it succeeds. */
  private trying = false
  /** Whether nothing has been sent yet at the level that is tried. */
  private untried = false
  /** By how many it is raised: more after successes. */
  private step = 1
  private changedAt = 0
  /** No try before this moment. */
  private tryAt = 0
  /** For how long the last refusal closed the gate. */
  private cost = 0

  /** The least time between two requests. */
  private gap = 0
  private lastSent = Number.NEGATIVE_INFINITY

  private readonly doubt = new Doubt.Doubt()

  /**
   * How long the next request has to wait, with so many in flight; `Infinity`: until one of them is over.
   *
   * @param isCareful It, or one in flight, was refused twice, and once more may be the last time: so there is room to spare.
   * @param hasWaited It comes back from a wait of its own behind the refusal that made everybody pause.
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
    return inFlight < Math.max(1, most) ? 0 : unlimited
  }

  /** Whether so many in flight are all that it admits. */
  isFull(inFlight: number): boolean {
    return inFlight >= Math.min(this.limit, this.ramp)
  }

  /** The next one to go tries whether one more is taken. A call that was never refused has the most tries left. */
  isAboutToTry(inFlight: number): boolean {
    return this.untried && inFlight + 1 >= this.limit
  }

  /** @param inFlight With this one. */
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
   * @param inFlight Without this one.
   * @param until The moment that the server named, if it did.
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
      // One refusal for one request says when, and not yet how many.
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
      // Far less than before: the capacity is another one, and nothing is known of it yet.
      else if (Math.max(1, left) < this.limit / 2) this.patience = 1
      else this.patience = Math.max(1, this.patience * 0.6)
    }
    this.cost = until === undefined ? 0 : until - now
    if (until !== undefined) this.tryAt = now + Math.min(tryAfter, costFactor * this.patience * this.cost)
    this.nextEra(now)
  }

  private shrink(shot: Shot, inFlight: number, isTold: boolean): void {
    if (inFlight === 0) {
      // Nothing was accepted, and so nothing is known of how many will be: less than before, and one to begin with.
      this.limit = Math.max(1, Math.floor(this.limitBefore / 2))
      this.ramp = 1
      return
    }
    // Where the window was not full, what was in flight is no measure of what it may be.
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

  /** It was the only one in flight, and no more were admitted. */
  private pause(shot: Shot, now: number): void {
    this.lonely += 1
    // More than every other is refused, though they go one at a time: the limit is one by rate, and a slow one.
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
