/**
 * How often Effect is entered: a count that does not depend on the machine. The scheduler is asked before every
 * operation of every fiber, and given every fiber that is to go on.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import { OpenAiCompatible, type Provider } from "knowngood"
import * as Wire from "./Wire.js"

export interface Count {
  readonly operations: number
  readonly wakeUps: number
}

/** What a program costs at a service that answers with these bytes, each of them one network read. */
export const count = async <A, E>(
  program: Effect.Effect<A, E, Provider.Provider>,
  reads: ReadonlyArray<Uint8Array>,
  contentType = "text/event-stream"
): Promise<Count> => {
  const scheduler = new Counting(2048)
  const provider = OpenAiCompatible.layer({ id: "bench", baseUrl: "http://127.0.0.1/v1", model: "bench-model" })
  const fetch = async () => new Response(body(reads), { headers: { "content-type": contentType } })
  await program.pipe(
    Effect.provide(Layer.provide(provider, FetchHttpClient.layer)),
    Effect.provideService(FetchHttpClient.Fetch, fetch),
    Effect.withScheduler(scheduler),
    Effect.runPromise
  )
  return scheduler
}

/** What one read more costs. */
export const perRead = async <A, E>(program: Effect.Effect<A, E, Provider.Provider>): Promise<Count> => {
  const few = await count(program, streamed(100))
  const many = await count(program, streamed(300))
  return {
    operations: (many.operations - few.operations) / 200,
    wakeUps: (many.wakeUps - few.wakeUps) / 200
  }
}

/** An answer of so many events, each in a read of its own. */
export const streamed = (events: number): ReadonlyArray<Uint8Array> => {
  const { closing, opening, piece } = Wire.wires.chat
  return [opening, ...Array.from({ length: events }, () => Buffer.from(piece(" sky"))), closing]
}

class Counting extends Scheduler.MixedScheduler implements Count {
  operations = 0
  wakeUps = 0

  override shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    this.operations++
    return super.shouldYield(fiber)
  }

  override scheduleTask(...args: Parameters<Scheduler.MixedScheduler["scheduleTask"]>): void {
    this.wakeUps++
    super.scheduleTask(...args)
  }
}

/** Each read comes in a turn of the event loop of its own, as from a socket. */
const body = (reads: ReadonlyArray<Uint8Array>): ReadableStream<Uint8Array> => {
  const left = reads.values()
  return new ReadableStream(
    {
      pull: (controller) =>
        new Promise((resolve) => {
          setImmediate(() => {
            const { done, value } = left.next()
            if (done === true) controller.close()
            else controller.enqueue(value)
            resolve()
          })
        })
    },
    { highWaterMark: 0 }
  )
}
