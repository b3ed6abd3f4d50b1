/**
 * The calls that share a key, held back together: it lets in as many as the `Window` says, in the order in which the
 * calls began.
 *
 * It helps and never harms. A call is in flight until it is answered or refused, not until its consumer is done; whoever
 * waits is woken by whatever made room; a call that is interrupted in the line leaves no trace; and what one call has
 * trouble with alone costs the others nothing.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as Doubt from "./Doubt.js"
import * as Window from "./Window.js"

export interface Options {
  /** The most answers open at once: from the request to the last byte. Default: no bound. */
  readonly concurrency?: number | undefined
}

/** A server that asks for more is believed that much, in milliseconds. */
const longestClosing = 60_000

/** Refusals come at once. What is in flight this long counts as accepted, so that slow answers hold up nobody. */
const refusedWithin = 2000

/** A call's place in the line, for all of its attempts. */
export class Place {
  /** The order in the line. `undefined`: behind all who wait. */
  ticket: number | undefined
  refusals = 0
  /** Refused twice: a refused key has no more than two retries, so once more may be the last time. */
  get isCareful(): boolean {
    return this.refusals > 1
  }

  /** Refusals with nothing else in flight. */
  refusedAlone = 0
  /** How many requests of others had been accepted at its last refusal. */
  acceptedBefore: number | undefined

  /** @param coolsDown Whether this call waits when the server tells others to. A bound on open answers holds for all. */
  constructor(readonly coolsDown: boolean) {}
}

/** What one request is allowed. It is in flight, then its answer is open, then it is over. */
export class Turn {
  state: "flying" | "open" | "over" = "flying"
  /** Whether the window has been told that it was accepted. */
  counted = false
  /** Whether nothing more of its answer will be read. */
  hasEnded = false
  /** As its place was when it was sent. */
  readonly isCareful: boolean

  constructor(
    readonly place: Place,
    readonly shot: Doubt.Shot,
    /** By the gate's clock, in milliseconds. */
    readonly sentAt: number,
    /** Whether it had to wait. */
    readonly waited: boolean
  ) {
    this.isCareful = place.isCareful
  }
}

/** A call in the line. Its fiber sleeps until it is woken, the first one also until the gate may open. */
class Waiter {
  turn: Turn | undefined
  /** When it looks up by itself, by the gate's clock. */
  alarm = Number.POSITIVE_INFINITY
  private told = false
  private resume: () => void = idle

  constructor(readonly place: Place) {}

  wake(): void {
    this.told = true
    this.resume()
  }

  /** Ends when it is told to wake, be it before it listens. */
  readonly woken = Effect.async<void>((resume) => {
    this.resume = () => {
      this.told = false
      this.resume = idle
      resume(Effect.void)
    }
    if (this.told) this.resume()
    return Effect.sync(() => {
      this.resume = idle
    })
  })
}

const idle = () => undefined

export class Gate {
  private readonly window = new Window.Window()
  private readonly line: Array<Waiter> = []
  /** In flight and not yet known to be accepted, oldest first. */
  private readonly unheard = new Set<Turn>()
  private tickets = 0
  private flying = 0
  private open_ = 0
  /** Those in flight that were refused twice. */
  private careful = 0
  private acceptances = 0
  /** Who was refused as the only one in flight. Its own wait is longer than that of the line, so it waits for nothing more. */
  private refusedAlone: Place | undefined
  private readonly bound: number

  constructor(
    private readonly clock: Clock.Clock,
    { concurrency }: Options = {}
  ) {
    // A bound under one, or none that is a number, would let nobody in, ever.
    this.bound = Math.max(1, Math.floor(concurrency ?? Number.POSITIVE_INFINITY) || 1)
  }

  /** Waits for a turn. It is given back at the latest when the scope closes. */
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
      this.hearOfSlowAnswers()
      place.ticket ??= this.tickets++
      if ((this.line.length === 0 || !place.coolsDown) && this.pause(place) === 0) return keep(this.begin(place, false))
      const waiter = new Waiter(place)
      this.queue(waiter)
      return Effect.flatMap(
        Effect.onInterrupt(restore(this.wait(waiter)), () => Effect.sync(() => this.giveUp(waiter))),
        keep
      )
    })
  }

  /** The first event of its answer has come, or all of it. */
  accepted(turn: Turn): void {
    if (turn.state !== "flying") return
    this.land(turn)
    turn.state = "open"
    this.acceptances += 1
    this.count(turn)
    if (turn.hasEnded) this.over(turn)
    this.admit()
  }

  /**
   * The server refused it because it cannot take more at the moment.
   *
   * @param retryAfter Milliseconds, if the server named a moment.
   */
  refused(turn: Turn, retryAfter?: number): void {
    if (turn.state !== "flying") return
    const { place, shot } = turn
    const isItsOwn = place.acceptedBefore !== undefined && this.acceptances > place.acceptedBefore
    place.acceptedBefore = this.acceptances
    place.refusals += 1
    this.over(turn)
    if (this.flying === 0 && shot.level === 1) {
      place.refusedAlone += 1
      this.refusedAlone = place
    }
    // It knows that it is to wait. Those who are there when it comes back have waited as long, and were not refused.
    if (retryAfter !== undefined || place.refusedAlone > 1) place.ticket = undefined
    // Others were accepted since it was refused before: that is about this request, not about the key.
    if (isItsOwn && !this.window.isFull(this.flying + 1)) return this.admit()
    const now = this.now()
    const until = retryAfter === undefined || isItsOwn ? undefined : now + Math.min(longestClosing, retryAfter)
    this.window.refused(shot, this.flying, now, until)
    this.admit()
  }

  /** Nothing more of its answer will be read. What that means for a request in flight is told next: accepted or refused. */
  ended(turn: Turn): void {
    turn.hasEnded = true
    if (turn.state === "open") this.leave(turn)
  }

  /** It is given back. Once is enough. */
  leave(turn: Turn): void {
    if (turn.state === "over") return
    this.over(turn)
    this.admit()
  }

  /** What held everybody back is not so: all who wait may go. */
  open(): void {
    this.window.open()
    this.admit()
  }

  /** Milliseconds that only ever go forward, whatever happens to the wall clock. */
  now(): number {
    return Number(this.clock.unsafeCurrentTimeNanos()) / 1e6
  }

  private begin(place: Place, waited: boolean): Turn {
    this.flying += 1
    this.open_ += 1
    if (place.isCareful) this.careful += 1
    const now = this.now()
    const turn = new Turn(place, this.window.sent(this.flying, now), now, waited)
    this.unheard.add(turn)
    return turn
  }

  private land(turn: Turn): void {
    this.flying -= 1
    if (turn.isCareful) this.careful -= 1
  }

  private over(turn: Turn): void {
    if (turn.state === "flying") this.land(turn)
    this.open_ -= 1
    turn.state = "over"
    this.unheard.delete(turn)
  }

  private count(turn: Turn): void {
    this.unheard.delete(turn)
    if (turn.counted) return
    turn.counted = true
    this.window.accepted(turn.shot, this.now())
  }

  private hearOfSlowAnswers(): void {
    const before = this.now() - refusedWithin
    for (const turn of this.unheard) {
      if (turn.sentAt > before) return
      this.count(turn)
    }
  }

  /** How long a call has to wait now. `Infinity`: until somebody leaves. */
  private pause(place: Place): number {
    if (this.open_ >= this.bound) return Number.POSITIVE_INFINITY
    return place.coolsDown
      ? this.window.wait(this.flying, this.now(), place.isCareful || this.careful > 0, this.hasWaited(place))
      : 0
  }

  private hasWaited(place: Place): boolean {
    return place === this.refusedAlone && this.line.length === 0
  }

  private admit(): void {
    this.hearOfSlowAnswers()
    for (let next = this.next(); next !== undefined; next = this.next()) {
      this.line.splice(this.line.indexOf(next), 1)
      next.turn = this.begin(next.place, true)
      next.wake()
    }
    this.setAlarm()
  }

  /** Who may go now. */
  private next(): Waiter | undefined {
    const [first] = this.line
    if (first === undefined || this.pause(first.place) > 0) return undefined
    if (!first.place.coolsDown || !this.window.isAboutToTry(this.flying)) return first
    return this.line.reduce((best, waiter) => (waiter.place.refusals < best.place.refusals ? waiter : best), first)
  }

  private queue(waiter: Waiter): void {
    const { ticket = 0 } = waiter.place
    let at = this.line.length
    while (at > 0 && (this.line[at - 1]?.place.ticket ?? 0) > ticket) at--
    this.line.splice(at, 0, waiter)
  }

  private wait(waiter: Waiter): Effect.Effect<Turn> {
    return Effect.suspend(() => {
      // The time may have come between the look at the gate and this one.
      this.admit()
      if (waiter.turn !== undefined) return Effect.succeed(waiter.turn)
      const alarm = this.line[0] === waiter ? this.opensIn(waiter.place) : Number.POSITIVE_INFINITY
      waiter.alarm = this.now() + alarm
      const awake =
        alarm === Number.POSITIVE_INFINITY ? waiter.woken : Effect.raceFirst(waiter.woken, Effect.sleep(alarm))
      return Effect.zipRight(awake, this.wait(waiter))
    })
  }

  /** When to look again, if nobody leaves before. */
  private opensIn(place: Place): number {
    const pause = this.pause(place)
    const [oldest] = this.unheard
    const heard = oldest === undefined ? Number.POSITIVE_INFINITY : oldest.sentAt + refusedWithin - this.now()
    // At least a millisecond: a timer may come early, and must not be asked for again at once.
    return pause === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.min(pause, heard))
  }

  /** Sees to it that the first in line wakes in time: it may have been another when it went to sleep. */
  private setAlarm(): void {
    const [first] = this.line
    if (first !== undefined && this.now() + this.opensIn(first.place) < first.alarm) first.wake()
  }

  /** Interrupted in the line: the place is free. Interrupted as the turn came: the turn is. */
  private giveUp(waiter: Waiter): void {
    if (waiter.turn !== undefined) return this.leave(waiter.turn)
    this.line.splice(this.line.indexOf(waiter), 1)
    this.admit()
  }
}

export const make = (options?: Options): Effect.Effect<Gate> =>
  Effect.map(Effect.clock, (clock) => new Gate(clock, options))
