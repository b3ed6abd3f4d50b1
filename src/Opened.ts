/**
 * A streamed answer that has begun, and the ways to follow it: as a stream, by a callback, and outside of Effect.
 */
import * as Channel from "effect/Channel"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Chat from "./Chat.js"
import type * as ProviderError from "./ProviderError.js"

export interface Opened {
  readonly first: Taken
  /** What has come since then, or since the last take; waits for it if it must. */
  readonly take: Effect.Effect<Taken, ProviderError.ProviderError>
  /** Hands each later event over when it comes, and ends with the last. No fiber is woken before that. */
  readonly each: (onEvent: (event: Chat.Event) => void) => Effect.Effect<void, ProviderError.ProviderError>
  /** Calls back when there is something to take, be it a failure. */
  readonly wait: (then: () => void) => void
  /** What there is to take now; `undefined` if it is a failure, which `take` fails with then. */
  readonly taken: () => Taken | undefined
}

/** Events, and whether they are the last. Never empty unless they are. */
export type Taken = readonly [events: Chunk.Chunk<Chat.Event>, done: boolean]

/** Opens an answer. What it holds on to is given up with the scope. */
export type Open<R = never> = (scope: Scope.Scope) => Effect.Effect<Opened, ProviderError.ProviderError, R>

/** An answer that came at once. */
export const whole = (events: Chunk.Chunk<Chat.Event>): Opened => {
  const first: Taken = [events, true]
  return { first, take: Effect.succeed(first), taken: () => first, each: () => Effect.void, wait: (then) => then() }
}

type Events<R> = Channel.Channel<
  Chunk.Chunk<Chat.Event>,
  unknown,
  ProviderError.ProviderError,
  unknown,
  unknown,
  unknown,
  R
>

/** As `Stream.unwrapScoped`, which costs more than the whole request. */
export const toChannel = <R>(open: Open<R>): Events<R> =>
  Channel.flatMap(Scope.make(), (scope) =>
    Channel.ensuringWith(Channel.flatMap(open(scope), written), (exit) => Scope.close(scope, exit))
  )

/** Writes what has been taken, then takes more, until it is all. */
const written = ({ first, take }: Opened): Events<never> => {
  const write = ([events, done]: Taken): Events<never> =>
    done ? Channel.write(events) : Channel.flatMap(Channel.write(events), () => Channel.flatMap(take, write))
  return write(first)
}

/** Hands every event over as it comes; the reply is what they add up to. */
export const listen = <R>(
  open: Open<R>,
  onEvent: (event: Chat.Event) => void
): Effect.Effect<Chat.Reply, ProviderError.ProviderError, R> =>
  Effect.scopedWith((scope) =>
    Effect.flatMap(open(scope), ({ each, first: [events, done] }) => {
      const sum = Chat.sum()
      const tell = (event: Chat.Event): void => {
        sum.add(event)
        onEvent(event)
      }
      for (const event of events) tell(event)
      return Effect.map(done ? Effect.void : each(tell), () => {
        const reply = sum.reply()
        if (reply === undefined) throw new Error("an answer ended without a Finish event, and without a failure")
        return reply
      })
    })
  )

/** How a program runs its effects: `runtime.runPromise`. */
export type Run<R> = <A>(effect: Effect.Effect<A, never, R>) => Promise<A>

/** Outside of Effect: it throws the `ProviderError` itself, and whoever leaves the loop gives the answer up. */
export async function* iterate<R>(run: Run<R>, open: Open<R>): AsyncGenerator<Chat.Event, void, undefined> {
  const scope = await run(Scope.make())
  try {
    const opened = await orThrow(run, open(scope))
    let [events, done] = opened.first
    for (;;) {
      for (const event of events) yield event
      if (done) return
      await new Promise<void>(opened.wait)
      ;[events, done] = opened.taken() ?? (await orThrow(run, opened.take))
    }
  } finally {
    await run(Scope.close(scope, Exit.void))
  }
}

const orThrow = async <A, E, R>(run: Run<R>, effect: Effect.Effect<A, E, R>): Promise<A> =>
  Either.getOrThrowWith(await run(Effect.either(effect)), (error) => error)
