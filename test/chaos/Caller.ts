/** Callers at a gate, held by the hand: a test says when each comes, leaves, complains or is interrupted. */
import { Deferred, Effect, type Fiber } from "effect"
import type * as Gate from "../../src/Gate.js"

export interface Caller {
  readonly ticket: Gate.Ticket
  /** Whether it has its turn. */
  readonly isIn: () => boolean
  /** Ends its turn. */
  readonly leave: Effect.Effect<void>
  /** The server took its request. */
  readonly taken: Effect.Effect<void>
  /** The server told it to wait until then. */
  readonly complain: (until: number) => Effect.Effect<void>
  readonly fiber: Fiber.RuntimeFiber<void>
}

/** Everything that can happen without the clock has happened. */
export const settled: Effect.Effect<void> = Effect.repeatN(Effect.yieldNow(), 30)

export interface Manner {
  /** Default: a new one. */
  readonly ticket?: Gate.Ticket | undefined
  /** After so many operations the fiber yields, so that something can come in between. Default: Effect's 2048. */
  readonly stride?: number
}

/** Comes to the gate. */
export const comes = (gate: Gate.Gate, { stride = 2048, ticket = gate.ticket() }: Manner = {}): Effect.Effect<Caller> =>
  Effect.gen(function* () {
    const over = yield* Deferred.make<void>()
    let turn: Gate.Turn | undefined
    const fiber = yield* Effect.flatMap(Effect.scope, (scope) => gate.enter(ticket, scope)).pipe(
      Effect.tap((given) => {
        turn = given
      }),
      Effect.zipRight(Deferred.await(over)),
      Effect.scoped,
      Effect.ensuring(
        Effect.sync(() => {
          turn = undefined
        })
      ),
      Effect.withMaxOpsBeforeYield(stride),
      Effect.forkDaemon
    )
    yield* stride < 2048 ? Effect.repeatN(settled, 10) : settled
    return {
      ticket,
      isIn: () => turn !== undefined,
      leave: Effect.zipRight(Deferred.succeed(over, undefined), settled),
      taken: Effect.zipRight(
        Effect.sync(() => turn !== undefined && gate.taken(turn)),
        settled
      ),
      complain: (until) =>
        Effect.zipRight(
          Effect.suspend(() => (turn === undefined ? Effect.dieMessage("not in") : gate.closeUntil(turn, until))),
          settled
        ),
      fiber
    }
  })

/** So many come, one after the other. */
export const come = (gate: Gate.Gate, count: number): Effect.Effect<ReadonlyArray<Caller>> =>
  Effect.forEach(Array.from({ length: count }), () => comes(gate))

/** Who is in, by their places in the list. */
export const whoIsIn = (callers: ReadonlyArray<Caller>): ReadonlyArray<number> =>
  callers.flatMap((caller, i) => (caller.isIn() ? [i] : []))

/** All who are in leave, their requests taken. Says how many there were. */
export const round = (callers: ReadonlyArray<Caller>): Effect.Effect<number> => {
  const inside = callers.filter((caller) => caller.isIn())
  return Effect.as(
    Effect.forEach(inside, (caller) => Effect.zipRight(caller.taken, Effect.void)).pipe(
      Effect.zipRight(Effect.forEach(inside, (caller) => caller.leave))
    ),
    inside.length
  )
}
