/** Scripts of answers, drawn by chance, against a model of the retry that is a dozen lines of plain code. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Either, Fiber, Option, Stream, TestClock } from "effect"
import * as FastCheck from "effect/FastCheck"
import { Chat, Provider, type ProviderError, RetryObserver } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { settled } from "../Caller.js"
import * as Effort from "../Effort.js"
import { accept, backoff, chunk, failed, knownGood as flagged, mimo, refused, streamed, whole } from "../Wire.js"

/** What the gateway may answer, and what the model knows of it. */
interface Kind {
  readonly answer: Gateway.Answer
  /** Which budget a retry is taken from. None: there is no retry. */
  readonly lane?: "transient" | "auth"
  /** How it ends if it is not retried. */
  readonly ends: string
  /** The wait that the server asks for, in milliseconds. */
  readonly asked?: number
  /** From the request to its end, in milliseconds. */
  readonly takes?: number
  /** Whether it proves that the key works. */
  readonly proves?: true
}

const role = chunk({ role: "assistant", content: "" })

const kinds = {
  answered: { answer: streamed, ends: "answered", proves: true },
  "cut after output": {
    answer: Gateway.sse([role, chunk({ content: "Hel" })]),
    ends: "StreamInterrupted",
    proves: true
  },
  "401": { answer: refused(), lane: "auth", ends: "AuthRejected" },
  "403": { answer: refused(403), lane: "auth", ends: "AuthRejected" },
  "401 with Retry-After": {
    answer: refused(401, { "retry-after": "3" }),
    lane: "auth",
    ends: "AuthRejected",
    asked: 3000
  },
  "401 inside the 200": {
    answer: Gateway.sse([{ error: { code: "invalid_api_key", message: "no" } }]),
    lane: "auth",
    ends: "AuthRejected"
  },
  "429 with Retry-After": {
    answer: failed(429, { "retry-after": "7" }),
    lane: "transient",
    ends: "RateLimited",
    asked: 7000
  },
  "429 with Retry-After of an hour": {
    answer: failed(429, { "retry-after": "3600" }),
    lane: "transient",
    ends: "RateLimited",
    asked: 3_600_000
  },
  "503": { answer: failed(503), lane: "transient", ends: "Overloaded" },
  unreachable: { answer: Gateway.unreachable, lane: "transient", ends: "Unreachable" },
  "cut before output": { answer: Gateway.sse([role]), lane: "transient", ends: "StreamInterrupted" },
  "overloaded inside the 200": {
    answer: Gateway.sse([role, { error: { code: "server_busy" } }]),
    lane: "transient",
    ends: "Overloaded"
  },
  silence: {
    answer: { ...streamed, body: ["stall"] },
    lane: "transient",
    ends: "StreamStalled",
    takes: 120_000
  },
  "slow headers": {
    answer: Gateway.delay("20 seconds", failed(500)),
    lane: "transient",
    ends: "ServerError",
    takes: 20_000
  },
  "400": { answer: failed(400), ends: "InvalidRequest" },
  "402": { answer: failed(402), ends: "QuotaExceeded" }
} satisfies { readonly [name: string]: Kind }

type Name = keyof typeof kinds

const kindOf = (name: Name): Kind => kinds[name]

/** Whether it says that there is more than the server can take. */
const saysTooMuch = (name: Name): boolean =>
  kindOf(name).lane === "auth" || ["RateLimited", "Overloaded"].includes(kindOf(name).ends)

const budgets = { transient: 10, auth: 2 }
const longest = 60_000

/** What is known of the key, as the model keeps it. */
interface Flag {
  knownGood: boolean
  exhausted: number
}

interface Told {
  readonly ends: string
  /** Between the ends of one request and the next, in milliseconds. */
  readonly waits: ReadonlyArray<number>
}

/** One call on these answers. What it leaves is for the next call. */
const model = (flag: Flag, next: () => Name): Told => {
  const used = { transient: 0, auth: 0 }
  const waits: Array<number> = []
  for (;;) {
    const { asked = 0, ends, lane, proves } = kindOf(next())
    if (proves) Object.assign(flag, { knownGood: true, exhausted: 0 })
    const open = lane !== undefined && (lane === "transient" || flag.knownGood)
    if (!open || used[lane] === budgets[lane] || asked > longest) {
      if (ends === "AuthRejected" && flag.knownGood && ++flag.exhausted === 3) flag.knownGood = false
      return { ends, waits }
    }
    used[lane] += 1
    waits.push(asked > 0 ? asked : backoff(used[lane]))
  }
}

/** The tag, or the reason of what may pass. */
const nameOf = (error: ProviderError.ProviderError): string => (error._tag === "Transient" ? error.reason : error._tag)

/** One call through the SDK: how it ended, and what the observer was told. */
const ask = (prompt: string) =>
  Effect.gen(function* () {
    const notices: Array<RetryObserver.RetryNotice> = []
    const observer = { onRetry: (notice: RetryObserver.RetryNotice) => Effect.sync(() => void notices.push(notice)) }
    const outcome = yield* Stream.runDrain(Provider.stream({ messages: [Chat.user(prompt)] })).pipe(
      Effect.provideService(RetryObserver.RetryObserver, observer),
      Effect.either
    )
    return {
      ends: Either.isRight(outcome) ? "answered" : nameOf(outcome.left),
      error: Either.isLeft(outcome) ? outcome.left : undefined,
      notices
    }
  })

/** To its end, which comes within an hour. A look at the test clock costs real time, so what needs none gets none. */
const inTime = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(self)
    yield* settled
    if (Option.isNone(yield* Fiber.poll(fiber))) yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

const requestsOf = (prompt: string) =>
  Effect.map(Gateway.requests, (requests) =>
    requests.filter(({ body }) => JSON.stringify(body).includes(`"${prompt}"`)).map(({ at }) => at)
  )

const name = FastCheck.constantFrom(...(Object.keys(kinds) as ReadonlyArray<Name>))

/** Refusals often come in a row, and then the budgets matter. */
const script = FastCheck.array(
  FastCheck.tuple(name, FastCheck.oneof(FastCheck.constant(1), FastCheck.integer({ min: 1, max: 12 }))),
  { minLength: 1, maxLength: 12 }
).map((rows) => rows.flatMap(([name, count]) => Array.from({ length: count }, () => name)))

describe("one call after the other", () => {
  it.effect.prop(
    "each makes the requests, waits the times and ends as the model says",
    { script, knownGood: FastCheck.boolean() },
    ({ knownGood, script }) =>
      Effect.gen(function* () {
        const flag: Flag = { knownGood, exhausted: 0 }
        if (knownGood) yield* accept
        let at = 0
        const next = () => script[at++] ?? "answered"
        for (let call = 0; at < script.length; call++) {
          const from = at
          const expected = model(flag, next)
          const found = yield* inTime(ask(`call ${call}`))
          const times = yield* requestsOf(`call ${call}`)

          expect(found.ends).toBe(expected.ends)
          const took = script.slice(from, at).map((name) => kindOf(name).takes ?? 0)
          expect(times.slice(1).map((time, i) => time - (times[i] ?? 0) - (took[i] ?? 0))).toEqual(expected.waits)
          expect(found.notices.map(({ delay }) => Duration.toMillis(delay))).toEqual(expected.waits)
          expect(found.notices.length).toBe(times.length - 1)
          if (found.error !== undefined) {
            expect(found.error.attempts).toBe(times.length)
            expect(found.error.history.length).toBe(times.length)
          }
          expect(yield* flagged).toBe(flag.knownGood)
        }
      }).pipe(
        Effect.provide(
          mimo((_, index) => {
            if (knownGood && index === 0) return whole
            return kindOf(script[knownGood ? index - 1 : index] ?? "answered").answer
          })
        )
      ),
    { fastCheck: { numRuns: Effort.runs(12) }, timeout: 600_000 }
  )
})

describe("many calls beside each other, on a known-good key", () => {
  const scripts = FastCheck.array(FastCheck.array(name, { maxLength: 16 }), { minLength: 2, maxLength: 8 })

  it.effect.prop(
    "budgets are kept, no wait is shorter than asked, and whoever is told to wait until a moment, all wait",
    { scripts, coolDown: FastCheck.boolean() },
    ({ coolDown, scripts }) =>
      Effect.gen(function* () {
        yield* accept
        const prompts = scripts.map((_, i) => `call ${i}`)
        const fibers = yield* Effect.forEach(prompts, (prompt) => Effect.fork(ask(prompt)))
        const found = yield* inTime(Effect.forEach(fibers, Fiber.join))
        const closed: Array<readonly [from: number, until: number]> = []
        const sent: Array<number> = []

        for (const [i, { ends, error, notices }] of found.entries()) {
          const times = yield* requestsOf(`call ${i}`)
          sent.push(...times)
          const names = times.map((_, n) => scripts[i]?.[n] ?? "answered")
          const lanes = names.slice(0, -1).map((name) => kindOf(name).lane)

          expect(notices.length).toBe(times.length - 1)
          expect(ends).toBe(kindOf(names.at(-1) ?? "answered").ends)
          if (error !== undefined) expect(error.attempts).toBe(times.length)
          expect(lanes.filter((lane) => lane === "transient").length).toBeLessThanOrEqual(budgets.transient)
          expect(lanes.filter((lane) => lane === "auth").length).toBeLessThanOrEqual(budgets.auth)
          for (const [n, notice] of notices.entries()) {
            const { asked = 0 } = kindOf(names[n] ?? "answered")
            const until = notice.at + Duration.toMillis(notice.delay)
            expect(Duration.toMillis(notice.delay)).toBeGreaterThanOrEqual(asked)
            expect(times[n + 1]).toBeGreaterThanOrEqual(until)
            // A second complaint of one call is its own affair, if others were accepted since the first.
            if (asked > 0 && !names.slice(0, n).some(saysTooMuch)) closed.push([notice.at, until])
          }
        }
        const inside = sent.filter((at) => closed.some(([from, until]) => at > from && at < until))
        if (coolDown) expect(inside).toEqual([])
      }).pipe(
        Effect.provide(
          mimo(
            (() => {
              const answered = new Map<string, number>()
              return ({ body }) => {
                const prompt = /"call (\d+)"/.exec(JSON.stringify(body))?.[1]
                if (prompt === undefined) return whole
                const n = answered.get(prompt) ?? 0
                answered.set(prompt, n + 1)
                return kindOf(scripts[Number(prompt)]?.[n] ?? "answered").answer
              }
            })(),
            { coolDown }
          )
        )
      ),
    { fastCheck: { numRuns: Effort.runs(15) }, timeout: 600_000 }
  )
})
