/** The steps of the demo: one session with a key that works, and what can happen to it. */
import type { HttpClient } from "@effect/platform"
import { Effect, Redacted, Ref } from "effect"
// A user's program imports these from "knowngood".
import { Chat, MiMo, RetryPolicy } from "../../src/index.js"
import * as Call from "./Call.js"
import { type Service as Gateway, keys, places } from "./EmbeddedGateway.js"
import type { Page } from "./Page.js"
import type { Step } from "./Step.js"
import type { Words } from "./Words.js"

/** How many calls arrive at once in the last step. */
const crowd = 2 * places

export const make = (
  gateway: Gateway,
  page: Page,
  words: Words
): Effect.Effect<ReadonlyArray<Step>, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const at = { baseUrl: gateway.url }
    const session = yield* MiMo.make({ ...at, apiKey: Redacted.make(keys.session) })
    const neighbour = yield* MiMo.make({ ...at, apiKey: Redacted.make(keys.neighbour) })
    const stranger = yield* MiMo.make({ ...at, apiKey: Redacted.make(keys.wrong) })
    const nobody = yield* MiMo.make(at)
    // The same credential, and waits that are short enough to watch ten of them.
    const impatient = yield* MiMo.make({
      ...at,
      credential: session.credential,
      policy: (knownGood) => RetryPolicy.standard(knownGood, { base: "100 millis", cap: "200 millis", jitter: 0 })
    })

    const [first, second, third] = words.talk
    const history = yield* Ref.make<ReadonlyArray<Chat.Message>>([])

    const ask = (question: string) =>
      Effect.gen(function* () {
        const messages = [...(yield* Ref.get(history)), Chat.user(question)]
        yield* page.paragraph(`> ${question}`)
        const reply = yield* Call.speak(session.stream({ messages }), page, words)
        yield* Ref.set(history, [...messages, reply.message])
      })

    const simple = { messages: [Chat.user(third.question)] }
    const times = <A, E>(count: number, call: Effect.Effect<A, E>) =>
      Effect.all(
        Array.from({ length: count }, () => call),
        { concurrency: "unbounded" }
      )
    const neighboursFill = times(places, neighbour.complete(simple))
    const burst = times(crowd, Chat.collect(session.stream(simple)))

    return [
      {
        id: "stream",
        call: ask(first.question),
        expected: { outcome: "answered", requests: [1, 1] }
      },
      {
        id: "known-good-401",
        call: Effect.zipRight(neighboursFill, ask(second.question)),
        expected: { outcome: "answered", requests: [2, 2] }
      },
      {
        id: "never-good-401",
        call: stranger.complete(simple),
        expected: { outcome: "failed", tag: "AuthRejected", knownGood: false, requests: [1, 1] }
      },
      {
        id: "no-key",
        call: nobody.complete(simple),
        expected: { outcome: "failed", tag: "AuthMissing", requests: [0, 0] }
      },
      {
        id: "auth-budget",
        call: gateway.during("Full")(session.complete(simple)),
        expected: { outcome: "failed", tag: "AuthRejected", knownGood: true, requests: [3, 3] }
      },
      {
        id: "transient-budget",
        call: gateway.during("Down")(impatient.complete(simple)),
        expected: { outcome: "failed", tag: "Transient", requests: [11, 11] }
      },
      {
        id: "burst",
        call: Effect.tap(burst, (answers) => page.moment(words.burst(answers.length))),
        // No call is refused more than twice, and calls that are held back together may not be refused at all.
        expected: { outcome: "answered", requests: [crowd, 3 * crowd] }
      }
    ]
  })
