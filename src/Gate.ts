/**
 * The calls that share a key, held back together.
 *
 * When the server tells one call to wait, all of them wait for that moment, instead of each finding out alone. Then they
 * go on a few at a time: one, and twice as many after each round of answers, up to half of what was in flight when the
 * server complained; from there one more a round (TCP's slow start and congestion avoidance, RFC 5681). First come,
 * first served, and a call that is being retried keeps its place in the line.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

export interface Gate {
  /** A place in the line, for all attempts of one call. */
  readonly ticket: () => Ticket
  /** Waits for a turn. The turn ends with the scope, or before it when it is told to. */
  readonly enter: (ticket: Ticket, scope: Scope.Scope) => Effect.Effect<Turn>
  /** The server took the request of this turn. */
  readonly taken: (turn: Turn) => void
  /** The server told this turn to wait until then, in milliseconds since the epoch. */
  readonly closeUntil: (turn: Turn, until: number) => Effect.Effect<void>
  /** This call waits to be sent again: nobody behind it goes first until it comes back or is over. */
  readonly keepPlace: (ticket: Ticket) => void
  /** The call of this ticket is over. */
  readonly over: (ticket: Ticket) => Effect.Effect<void>
}

export type Ticket = number

export interface Turn {
  /** Ends the turn. Once is enough. */
  readonly leave: Effect.Effect<void>
  /** Complaints heard before this turn began. What was already on its way at a complaint does not complain again. */
  readonly era: number
}

export interface Options {
  /** The most calls in flight at once. Default: no bound. */
  readonly concurrency?: number | undefined
}

/** After this long without a complaint an idle gate forgets the last one. */
const forgetAfter = 60_000

type Restore = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

interface Waiter {
  readonly ticket: Ticket
  readonly admitted: Deferred.Deferred<Turn>
}

export const make = (options?: Options): Effect.Effect<Gate> =>
  Effect.map(Effect.all([Effect.clock, Deferred.make<void>()]), ([clock, deferred]) => {
    // A bound under one, or none that is a number, would let nobody in, ever.
    const bound = Math.max(1, Math.floor(options?.concurrency ?? Number.POSITIVE_INFINITY) || 1)
    const line: Array<Waiter> = []
    /** Calls that wait to be sent again. */
    const away = new Set<Ticket>()
    let closed = deferred
    let tickets = 0
    let inFlight = 0
    let until = 0
    let era = 0
    let window = Number.POSITIVE_INFINITY
    let threshold = Number.POSITIVE_INFINITY

    const now = () => clock.unsafeCurrentTimeMillis()
    const hasRoom = (ticket: Ticket) =>
      inFlight < Math.min(bound, Math.floor(window)) &&
      now() >= until &&
      (away.size === 0 || !Array.from(away).some((other) => other < ticket))

    const begin = (): Turn => {
      inFlight += 1
      let over = false
      const leave = Effect.sync(() => {
        if (over) return
        over = true
        inFlight -= 1
        forget()
        admit()
      })
      return { era, leave }
    }

    const forget = () => {
      if (inFlight === 0 && line.length === 0 && now() > until + forgetAfter) window = Number.POSITIVE_INFINITY
    }

    const admit = () => {
      for (let next = line[0]; next !== undefined && hasRoom(next.ticket); next = line[0]) {
        line.shift()
        Deferred.unsafeDone(next.admitted, Effect.succeed(begin()))
      }
    }

    const queue = (ticket: Ticket, restore: Restore): Effect.Effect<Turn> =>
      Effect.flatMap(Deferred.make<Turn>(), (admitted) => {
        const waiter = { ticket, admitted }
        const behind = line.findIndex((other) => other.ticket > ticket)
        line.splice(behind === -1 ? line.length : behind, 0, waiter)
        return Effect.onInterrupt(restore(Effect.raceFirst(Deferred.await(admitted), openInTime)), () => giveUp(waiter))
      })

    /** Interrupted in the line: the place is free. Interrupted as the turn came: the turn is. */
    const giveUp = (waiter: Waiter) =>
      Effect.suspend(() => {
        const place = line.indexOf(waiter)
        if (place === -1) return Effect.flatMap(Deferred.await(waiter.admitted), ({ leave }) => leave)
        line.splice(place, 1)
        return Effect.void
      })

    /** Whoever waits sees to it that the gate opens when its time has come, so it needs no fiber of its own. */
    const openInTime: Effect.Effect<never> = Effect.suspend(() => {
      const wait = until - now()
      // The time may have come between the look at the gate and this one.
      if (wait <= 0) admit()
      return Effect.zipRight(wait > 0 ? Effect.sleep(wait) : Deferred.await(closed), openInTime)
    })

    return {
      ticket: () => tickets++,
      enter: (ticket, scope) =>
        Effect.uninterruptibleMask((restore) => {
          forget()
          away.delete(ticket)
          const keep = (turn: Turn) => Effect.as(Scope.addFinalizer(scope, turn.leave), turn)
          return line.length === 0 && hasRoom(ticket) ? keep(begin()) : Effect.flatMap(queue(ticket, restore), keep)
        }),
      taken: (turn) => {
        if (turn.era !== era || window === Number.POSITIVE_INFINITY) return
        window += window < threshold ? 1 : 1 / window
        admit()
      },
      closeUntil: (turn, at) =>
        Effect.suspend(() => {
          if (turn.era === era) {
            threshold = Math.max(1, Math.floor(inFlight / 2))
            window = 1
            era += 1
          }
          if (at <= until) return Effect.void
          until = at
          const woken = closed
          return Effect.flatMap(Deferred.make<void>(), (next) => {
            closed = next
            return Effect.asVoid(Deferred.succeed(woken, undefined))
          })
        }),
      keepPlace: (ticket) => {
        away.add(ticket)
      },
      over: (ticket) =>
        Effect.sync(() => {
          if (away.delete(ticket)) admit()
        })
    }
  })
