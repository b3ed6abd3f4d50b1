/**
 * Holds back the calls that share a key, together: it lets in as many as the `Window` says, in the order in which they
 * began.
 *
 * Four rules keep it from doing harm: a call is in flight until it is answered or refused, not until its consumer is
 * done; whatever makes room wakes whoever waits for it; a call that is interrupted in the line leaves no trace; and a
 * request that is refused again while others are accepted does not hold up the others.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as Doubt from "./Doubt.js"
import * as Window from "./Window.js"

export interface Options {
  /** The most answers open at once: from the request to the last byte. Default: unlimited. */
  readonly concurrency?: number | undefined
}

/** The longest time, in milliseconds, for which a server can close the gate. A longer wait is cut to this. */
const longestClosing = 60_000

/**
 * A refusal comes at once, so a request in flight for this long, in milliseconds, counts as accepted: a slow answer
 * holds nobody up.
 */
const countsAsAcceptedAfter = 2000

/** The shortest time that timers can measure, in milliseconds. */
const shortestSleep = 1

/**
 * A call's place in the line, for all of its attempts. It is a class that the call's log extends, and not an interface:
 * the fields are the gate's own, and stand beside the rules that change them.
 */
export class Place {
  /** The position in the line, lowest first. `undefined`: behind everybody who is waiting. */
  ticket: number | undefined
  refusals = 0
  /** Refused twice: by default a refused key has two retries, so its next request may be its last. */
  get isCareful(): boolean {
    return this.refusals > 1
  }

  /** How often it was refused with nothing else in flight. */
  refusedAlone = 0
  /** How many requests the gate had seen accepted at its last refusal. */
  acceptedBefore: number | undefined

  /** @param coolsDown Whether this call waits when the server tells others to. `concurrency` holds for every call. */
  constructor(readonly coolsDown: boolean) {}
}

/**
 * Permission for one request. It is in flight until it is answered or refused; its answer is open until it is complete.
 */
export class Turn {
  isFlying = true
  isOpen = true
  /** Whether the window has counted it as accepted. */
  isCounted = false
  /** Its place's `isCareful` when it was sent. */
  readonly isCareful: boolean

  constructor(
    readonly place: Place,
    readonly shot: Doubt.Shot,
    /** Counts the gate's turns, from 1. */
    readonly number: number,
    /** When it was sent, in milliseconds by the gate's clock. */
    readonly sentAt: number,
    /** Whether it had to wait. */
    readonly waited: boolean
  ) {
    this.isCareful = place.isCareful
  }
}

/** A call in the line. Its fiber sleeps until it is woken. The first in line also wakes by itself, when it may go. */
class Waiter {
  turn: Turn | undefined
  /** When it wakes by itself, by the gate's clock, if nobody wakes it before. */
  alarm = Number.POSITIVE_INFINITY
  private isWoken = false
  private resume: () => void = idle

  constructor(readonly place: Place) {}

  wake(): void {
    this.isWoken = true
    this.resume()
  }

  /** It looks at the gate now, so an earlier wake-up has done its work. */
  clearWake(): void {
    this.isWoken = false
  }

  /** Ends when `wake` is called, even if that was before this began. */
  readonly woken = Effect.async<void>((resume) => {
    this.resume = () => {
      this.isWoken = false
      this.resume = idle
      resume(Effect.void)
    }
    if (this.isWoken) this.resume()
    return Effect.sync(() => {
      this.resume = idle
    })
  })
}

const idle = () => undefined

export class Gate {
  private readonly window = new Window.Window()
  private readonly line: Array<Waiter> = []
  /** Calls that only the bound holds back: they stand beside the line. */
  private readonly bypass: Array<Waiter> = []
  /** In flight and not yet known to be accepted, oldest first. */
  private readonly undecided = new Set<Turn>()
  private tickets = 0
  private turns = 0
  private inFlight = 0
  private openAnswers = 0
  /** How many requests in flight belong to calls that were refused twice. */
  private careful = 0
  /** Those in flight that count as accepted. */
  private served = 0
  private acceptances = 0
  /** The last call refused as the only one in flight. Its backoff outlasts the line's pause, which it skips. */
  private refusedAlone: Place | undefined
  /** A requested wait longer than a minute was cut to one; this is when it ends. */
  private cutWaitEnds = Number.POSITIVE_INFINITY
  private readonly bound: number

  constructor(
    private readonly clock: Clock.Clock,
    { concurrency }: Options = {}
  ) {
    // A bound below one, or one that is not a number, would never let anybody in.
    this.bound = Math.max(1, Math.floor(concurrency ?? Number.POSITIVE_INFINITY) || 1)
  }

  /** Waits for a turn, which is given back when the scope closes, if not before. */
  enter(place: Place, scope: Scope.Scope): Effect.Effect<Turn> {
    const keep = (turn: Turn) =>
      Effect.as(
        Scope.addFinalizer(
          scope,
          Effect.sync(() => this.leave(turn))
        ),
        turn
      )
    return Effect.uninterruptibleMask((restore) => {
      const now = this.now()
      this.countSlowAnswers(now)
      place.ticket ??= this.tickets++
      const isNext = this.line.length === 0 || !place.coolsDown
      if (isNext && this.waitOf(place, now) === 0) return keep(this.begin(place, now, false))
      const waiter = new Waiter(place)
      this.queue(waiter)
      return Effect.flatMap(
        Effect.onInterrupt(restore(this.sleep(waiter)), () => Effect.sync(() => this.giveUp(waiter))),
        keep
      )
    })
  }

  /** The first event of the answer has arrived, or the whole answer. */
  accepted(turn: Turn): void {
    if (!turn.isFlying) return
    const now = this.now()
    this.land(turn)
    this.acceptances += 1
    this.cutWaitEnds = Number.POSITIVE_INFINITY
    this.countAccepted(turn, now)
    this.admit(now)
  }

  /**
   * The server refused the request because it cannot take more at the moment.
   *
   * @param retryAfter Milliseconds to wait, if the server named a time.
   */
  refused(turn: Turn, retryAfter?: number): void {
    if (!turn.isFlying) return
    const now = this.now()
    const { place } = turn
    const isItsOwn = place.acceptedBefore !== undefined && this.acceptances > place.acceptedBefore
    place.acceptedBefore = this.acceptances
    place.refusals += 1
    this.land(turn)
    this.endAnswer(turn)
    if (this.inFlight === 0 && turn.shot.level === 1) {
      place.refusedAlone += 1
      this.refusedAlone = place
    }
    // It has a wait of its own. Those in line when it comes back have waited as long and were not refused, so they go
    // first.
    if (retryAfter !== undefined || place.refusedAlone > 1) place.ticket = undefined
    this.shrinkWindow(turn, now, isItsOwn, retryAfter)
    this.admit(now)
  }

  /** Nothing more of its answer will arrive, which makes room under the bound. */
  ended(turn: Turn): void {
    if (!turn.isOpen) return
    this.endAnswer(turn)
    this.admit(this.now())
  }

  /** The turn is given back, however the request ended. */
  leave(turn: Turn): void {
    if (!turn.isFlying && !turn.isOpen) return
    this.land(turn)
    this.endAnswer(turn)
    this.admit(this.now())
  }

  /** There is no reason any more to hold anybody back: all who wait may go. */
  open(): void {
    this.window.open()
    this.admit(this.now())
  }

  /** Milliseconds by a clock that only goes forward, whatever happens to the wall clock. */
  now(): number {
    return Number(this.clock.unsafeCurrentTimeNanos()) / 1e6
  }

  /** Whether nothing is in flight. */
  get isIdle(): boolean {
    return this.inFlight === 0
  }

  /** Whether the server works on a request: it was sent a while ago, and was not refused. */
  get isBeingServed(): boolean {
    this.countSlowAnswers(this.now())
    return this.served > 0
  }

  /** The number of the latest turn; 0 before the first. */
  get lastTurn(): number {
    return this.turns
  }

  /** Reports a refusal to the window, unless it is about this request alone. */
  private shrinkWindow({ sentAt, shot }: Turn, now: number, isItsOwn: boolean, retryAfter = 0): void {
    // Others were accepted between its two refusals, so this one is about the request, not about the key.
    if (isItsOwn && !this.window.isFull(this.inFlight + 1)) return
    if (retryAfter > longestClosing && !isItsOwn) {
      // The minute was waited out, and the server asks for as long again: holding calls back would only delay that news.
      if (sentAt >= this.cutWaitEnds) return this.window.open()
      this.cutWaitEnds = now + longestClosing
    }
    const until = retryAfter === 0 || isItsOwn ? undefined : now + Math.min(longestClosing, retryAfter)
    this.window.refused(shot, this.inFlight, now, until)
  }

  private begin(place: Place, now: number, waited: boolean): Turn {
    this.turns += 1
    this.inFlight += 1
    if (place.isCareful) this.careful += 1
    this.openAnswers += 1
    const turn = new Turn(place, this.window.sent(this.inFlight, now), this.turns, now, waited)
    this.undecided.add(turn)
    return turn
  }

  private land(turn: Turn): void {
    if (!turn.isFlying) return
    turn.isFlying = false
    this.inFlight -= 1
    if (turn.isCareful) this.careful -= 1
    if (turn.isCounted) this.served -= 1
    this.undecided.delete(turn)
  }

  private endAnswer(turn: Turn): void {
    if (turn.isOpen) this.openAnswers -= 1
    turn.isOpen = false
  }

  private countAccepted(turn: Turn, now: number): void {
    this.undecided.delete(turn)
    if (turn.isCounted) return
    turn.isCounted = true
    if (turn.isFlying) this.served += 1
    this.window.accepted(turn.shot, now)
  }

  private countSlowAnswers(now: number): void {
    for (const turn of this.undecided) {
      if (turn.sentAt > now - countsAsAcceptedAfter) return
      this.countAccepted(turn, now)
    }
  }

  /** How long a call has to wait now. `Infinity`: until somebody leaves. */
  private waitOf(place: Place, now: number): number {
    if (this.openAnswers >= this.bound) return Number.POSITIVE_INFINITY
    if (!place.coolsDown) return 0
    return this.window.wait(this.inFlight, now, place.isCareful || this.careful > 0, this.hasWaited(place))
  }

  private hasWaited(place: Place): boolean {
    return place === this.refusedAlone && this.line.length === 0
  }

  private admit(now: number): void {
    this.countSlowAnswers(now)
    for (let next = this.next(now); next !== undefined; next = this.next(now)) {
      this.remove(next)
      next.turn = this.begin(next.place, now, true)
      next.wake()
    }
    this.setAlarm(now)
  }

  /** Who may go now. */
  private next(now: number): Waiter | undefined {
    const [first] = this.line
    const [beside] = this.bypass
    if (first === undefined || this.waitOf(first.place, now) > 0) {
      return this.openAnswers < this.bound ? beside : undefined
    }
    if (beside !== undefined && ticketOf(beside) < ticketOf(first)) return beside
    if (!this.window.isAboutToTry(this.inFlight)) return first
    return this.line.reduce((best, waiter) => (waiter.place.refusals < best.place.refusals ? waiter : best), first)
  }

  private lineOf({ place }: Waiter): Array<Waiter> {
    return place.coolsDown ? this.line : this.bypass
  }

  private queue(waiter: Waiter): void {
    const line = this.lineOf(waiter)
    const behind = line.findLastIndex((other) => ticketOf(other) <= ticketOf(waiter))
    line.splice(behind + 1, 0, waiter)
  }

  private remove(waiter: Waiter): void {
    const line = this.lineOf(waiter)
    line.splice(line.indexOf(waiter), 1)
  }

  private sleep(waiter: Waiter): Effect.Effect<Turn> {
    return Effect.suspend(() => {
      const now = this.now()
      // The gate may have opened since the last look.
      this.admit(now)
      if (waiter.turn !== undefined) return Effect.succeed(waiter.turn)
      waiter.clearWake()
      const alarm = this.line[0] === waiter ? this.opensIn(waiter.place, now) : Number.POSITIVE_INFINITY
      waiter.alarm = now + alarm
      const awake =
        alarm === Number.POSITIVE_INFINITY ? waiter.woken : Effect.raceFirst(waiter.woken, Effect.sleep(alarm))
      return Effect.zipRight(awake, this.sleep(waiter))
    })
  }

  /** In how many milliseconds to look again, unless somebody leaves before. */
  private opensIn(place: Place, now: number): number {
    const [oldest] = this.undecided
    const counted = oldest === undefined ? Number.POSITIVE_INFINITY : oldest.sentAt + countsAsAcceptedAfter - now
    // A timer may fire early; asking again for less than it can measure would spin.
    return Math.max(shortestSleep, Math.min(this.waitOf(place, now), counted))
  }

  /**
   * Makes sure that the first in line wakes in time: when it went to sleep, it may not have been first, or may have had
   * longer to wait. An alarm that rings too early costs one look.
   */
  private setAlarm(now: number): void {
    const [first] = this.line
    // Rounding makes two sums for the same moment differ a little. Waking a waiter for that would make it spin.
    if (first !== undefined && now + this.opensIn(first.place, now) <= first.alarm - shortestSleep) first.wake()
  }

  /** Interrupted in the line, it gives up its place; interrupted just as its turn came, it gives the turn back. */
  private giveUp(waiter: Waiter): void {
    if (waiter.turn !== undefined) return this.leave(waiter.turn)
    this.remove(waiter)
    this.admit(this.now())
  }
}

const ticketOf = ({ place: { ticket = 0 } }: Waiter): number => ticket

export const make = (options?: Options): Effect.Effect<Gate> =>
  Effect.map(Effect.clock, (clock) => new Gate(clock, options))
