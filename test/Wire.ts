/** What tests put on the wire and on the clock. */
import { Duration, Effect, Fiber, Layer, Random, Redacted, Ref, TestClock } from "effect"
import { type Chat, MiMo, Provider, type RetryPolicy } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"

/** A planted key: no error, log line or span may show it or a part of it. */
export const plantedKey = "tp-s7Qx9ZbL2mWv4NcR8kTfH3pJ6yDgA1eU"

export const hello: Chat.Request = { messages: [{ role: "user", content: "hello" }] }

export const chunk = (delta: unknown, rest?: object) => ({
  id: "answer-1",
  model: "mimo-v2.5-pro",
  choices: [{ index: 0, delta, finish_reason: null, ...rest }]
})

/** "Hello, world", streamed and not. */
export const streamed = Gateway.sse([
  chunk({ role: "assistant", content: "" }),
  chunk({ content: "Hello, " }),
  chunk({ content: "world" }, { finish_reason: "stop" }),
  "[DONE]"
])

export const whole = Gateway.json({
  id: "answer-1",
  model: "mimo-v2.5-pro",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello, world" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }
})

/** MiMo's answer to a bad key, a wrong cluster, or load (recorded). */
export const refused = (status = 401, headers: Record<string, string> = {}) =>
  Gateway.status(
    status,
    {
      error: {
        message: "Invalid API Key",
        param: "Please provide valid API Key",
        code: String(status),
        type: "invalid_key"
      }
    },
    headers
  )

export const failed = (status: number, headers: Record<string, string> = {}) =>
  Gateway.status(status, { error: { message: `failed with ${status}` } }, headers)

export const times = <A>(count: number, value: A): ReadonlyArray<A> => Array.from({ length: count }, () => value)

export interface Setup {
  readonly key?: string | undefined
  readonly policy?: RetryPolicy.RetryPolicy
  readonly timeouts?: Provider.Options["timeouts"]
  readonly coolDown?: boolean
}

/** MiMo's preset at a scripted gateway, on the test clock, with random numbers fixed to the middle of their range. */
export const mimo = (script: Gateway.Script, setup: Setup = {}) => {
  const key = "key" in setup ? setup.key : plantedKey
  return Layer.provideMerge(
    MiMo.layer({
      apiKey: key === undefined ? undefined : Redacted.make(key),
      region: "sgp",
      policy: setup.policy,
      timeouts: setup.timeouts,
      coolDown: setup.coolDown
    }),
    Gateway.layer(script)
  ).pipe(Layer.provideMerge(Layer.setRandom(Random.fixed([halfway]))))
}

/** `Random.fixed` takes integers as they are; every backoff has this much jitter. */
export const halfway = 125

export const backoff = (retry: number): number => Math.min(15_000, 500 * 2 ** (retry - 1)) + halfway

/** Runs it to its end, however long the waits are. */
export const patiently = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(self)
    for (let round = 0; round < 60; round++) {
      if ((yield* Fiber.poll(fiber))._tag === "Some") break
      yield* TestClock.adjust("60 seconds")
    }
    return yield* Fiber.join(fiber)
  })

/** Gets the key accepted once, so that the following calls have a known-good key. */
export const accept = Effect.asVoid(Provider.complete(hello))

/** The flag of the provider's key. */
export const knownGood = Effect.flatMap(Provider.Provider, ({ credential }) =>
  credential === undefined ? Effect.dieMessage("a provider without a key") : Ref.get(credential.knownGood)
)

/** The waits between the requests, in milliseconds, as the gateway saw them. */
export const gaps = Effect.map(Gateway.requests, (requests) =>
  requests.slice(1).map((request, i) => request.at - (requests[i]?.at ?? 0))
)

export const millis = (duration: Duration.Duration | undefined): number | undefined =>
  duration === undefined ? undefined : Duration.toMillis(duration)
