/** Callers at a gate, step by step: a test says when each arrives, is answered or refused, leaves or is interrupted. */
import { Deferred, Effect, type Fiber } from "effect"
import * as Gate from "../src/credential/Gate.js"

export interface Caller {
  readonly place: Gate.Place
  /** Whether it has its turn. */
  readonly isIn: () => boolean
  /** Nothing more of its answer will arrive. */
  readonly leave: Effect.Effect<void>
  /** Its answer has begun. */
  readonly accepted: Effect.Effect<void>
  /** Its answer is complete, but it is still open. */
  readonly over: Effect.Effect<void>
  /** The server refused it for lack of room, asking for a wait of this many milliseconds or naming none. It leaves. */
  readonly refused: (retryAfter?: number) => Effect.Effect<void>
  readonly fiber: Fiber.RuntimeFiber<void>
}

/** Waits until everything that needs no clock has happened. */
export const settled: Effect.Effect<void> = Effect.repeatN(Effect.yieldNow(), 30)

export interface Manner {
  /** Default: a new one. */
  readonly place?: Gate.Place | undefined
  readonly coolsDown?: boolean
  /** After how many operations the fiber yields, so that others can run in between. Default: Effect's 2048. */
  readonly stride?: number
}

/** Arrives at the gate. */
export const comes = (
  gate: Gate.Gate,
  { coolsDown = true, place = new Gate.Place(coolsDown), stride = 2048 }: Manner = {}
): Effect.Effect<Caller> =>
  Effect.gen(function* () {
    const over = yield* Deferred.make<void>()
    let turn: Gate.Turn | undefined
    const fiber = yield* Effect.flatMap(Effect.scope, (scope) => gate.enter(place, scope)).pipe(
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
    const leave = Effect.zipRight(Deferred.succeed(over, undefined), settled)
    const tell = (say: (turn: Gate.Turn) => void) =>
      Effect.suspend(() => {
        if (turn === undefined) return Effect.dieMessage("it is not in")
        say(turn)
        return Effect.void
      })
    return {
      place,
      isIn: () => turn !== undefined,
      leave,
      accepted: Effect.zipRight(
        tell((turn) => gate.accepted(turn)),
        settled
      ),
      over: Effect.zipRight(
        tell((turn) => gate.ended(turn)),
        settled
      ),
      refused: (retryAfter) =>
        Effect.zipRight(
          tell((turn) => gate.refused(turn, retryAfter)),
          leave
        ),
      fiber
    }
  })

/** This many arrive, one after the other. */
export const come = (gate: Gate.Gate, count: number, manner?: Manner): Effect.Effect<ReadonlyArray<Caller>> =>
  Effect.forEach(Array.from({ length: count }), () => comes(gate, manner))

/** Those who were let in, by their places in the list. */
export const whoIsIn = (callers: ReadonlyArray<Caller>): ReadonlyArray<number> =>
  callers.flatMap((caller, i) => (caller.isIn() ? [i] : []))

/** Answers all who were let in, who then leave. Returns how many there were. */
export const round = (callers: ReadonlyArray<Caller>): Effect.Effect<number> => {
  const inside = callers.filter((caller) => caller.isIn())
  return Effect.as(
    Effect.zipRight(
      Effect.forEach(inside, (caller) => caller.accepted),
      Effect.forEach(inside, (caller) => caller.leave)
    ),
    inside.length
  )
}
