/**
 * Consumers that pause for longer than every clock of the provider, in the middle of an answer; and one that pauses when
 * the answer is whole, at a provider that has one answer open at most, while another call waits.
 */
import { Effect } from "effect"
import type { Provider } from "../../../src/index.js"
import type * as Gateway from "../../../src/testing/Gateway.js"
import * as Host from "../Host.js"
import * as Ledger from "../Ledger.js"
import * as Trial from "../Trial.js"
import type { Weather } from "../Weather.js"

/** Not shorter: a busy machine may be late by half a second, and then a clock would be at fault that is not. */
const clocks = { headers: "1500 millis", idle: "1500 millis", stall: "1500 millis", errorBody: "1 second" } as const

/** Longer than each of them. */
const pause = "2500 millis"

/** Longer than any call may wait. */
const longPause = "7 seconds"

/** How an answer comes, by the hundreds of the call. */
const kinds: ReadonlyArray<{
  readonly title: string
  readonly answer: (question: Host.Question) => Gateway.Answer
  readonly takes: number
}> = [
  { title: "all at once", answer: Host.well, takes: 0 },
  { title: "event by event", answer: (question) => Host.spoken(question, 20), takes: 20 },
  { title: "with megabytes of comments", answer: (question) => padded(Host.spoken(question, 5)), takes: 20 }
]

const each = 4

export const weather: Weather = {
  id: "pausing",
  title: "consumers that pause for longer than every clock",
  run: (options) =>
    Trial.run(options, {
      provider: { timeouts: clocks },
      script: (question) => kinds[Math.floor(question.call / 100) - 1]?.answer(question) ?? Host.well(question),
      play: ({ ledger, provider, url }) =>
        Effect.gen(function* () {
          const single = yield* Trial.providerAt(url, { timeouts: clocks, concurrency: 1 })
          yield* Effect.all([pausing(ledger, provider), line(ledger, single)], { concurrency: "unbounded" })
          return kinds.length * each + 2
        })
    })
}

const pausing = (ledger: Ledger.Ledger, provider: Provider.Service) =>
  Effect.forEach(
    kinds.flatMap(({ takes, title }, kind) => Trial.numbers(each).map((place) => ({ kind, place, takes, title }))),
    ({ kind, place, takes, title }) =>
      (place % 2 === 0 ? Ledger.streamed : Ledger.iterated)(
        ledger,
        provider,
        {
          call: (kind + 1) * 100 + place,
          title: `an answer that comes ${title}, ${place % 2 === 0 ? "as a stream" : "as an iterator"}`,
          ends: "answered",
          healthy: true,
          takes,
          requests: 1,
          forEver: "20 seconds"
        },
        (_, event) => (event === 0 || event === 3 ? Effect.sleep(pause) : Effect.void)
      ),
    { concurrency: "unbounded", discard: true }
  )

/** The first answer has come whole when its consumer pauses: nothing holds the second call. */
const line = (ledger: Ledger.Ledger, provider: Provider.Service) => {
  const plan = (call: number, title: string): Ledger.Plan => ({
    call,
    title,
    ends: "answered",
    healthy: true,
    takes: 0,
    requests: 1,
    forEver: "20 seconds"
  })
  return Effect.all(
    [
      Ledger.streamed(ledger, provider, plan(901, "whose consumer pauses"), (_, event) =>
        event === 0 ? Effect.sleep(longPause) : Effect.void
      ),
      Effect.delay(Ledger.whole(ledger, provider, plan(902, "behind an answer that is whole")), "300 millis")
    ],
    { concurrency: "unbounded", discard: true }
  )
}

/** More than the buffers of a socket hold. */
const padded = (answer: Gateway.Answer): Gateway.Answer => ({
  ...answer,
  body: answer.body.flatMap(
    (piece): ReadonlyArray<Gateway.Piece> => (piece instanceof Uint8Array ? [padding, piece] : [piece])
  )
})

const padding = new TextEncoder().encode(`: ${"padding ".repeat(32 * 1024)}\n\n`)
