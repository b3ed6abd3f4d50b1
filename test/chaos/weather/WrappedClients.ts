/**
 * Clients as programs have them: with middleware that reads bodies, rewrites them, calls other services, or turns what is
 * no 2xx into a failure. Whatever it does, the answer is what the client gives.
 */
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, type Scope } from "effect"
import * as Gateway from "../../../src/testing/Gateway.js"
import * as Host from "../Host.js"
import * as Ledger from "../Ledger.js"
import * as Trial from "../Trial.js"
import type { Weather } from "../Weather.js"

interface Wrapper {
  readonly title: string
  readonly wrap: (client: HttpClient.HttpClient, url: string) => HttpClient.HttpClient
  /** What a `fetch` of its own does, where `fetch` is the client. */
  readonly fetch?: typeof globalThis.fetch
  /** What is changed in an answer on its way, and changed back by the wrapper. */
  readonly disguise?: string
  /** A wrapper that is itself at fault: an ending of any kind will do, but an ending. */
  readonly anyEnding?: true
}

const disguise = "<!-- signed by the proxy -->"

const onBody = (client: HttpClient.HttpClient, rewrite: (text: string) => string): HttpClient.HttpClient =>
  HttpClient.transformResponse(
    client,
    Effect.flatMap((response) =>
      Effect.map(response.text, (text) =>
        HttpClientResponse.fromWeb(
          response.request,
          new Response(rewrite(text), { status: response.status, headers: response.headers })
        )
      )
    )
  )

const wrappers: ReadonlyArray<Wrapper> = [
  { title: "no wrapper, to compare with", wrap: (client) => client },
  {
    title: "a tap that reads the text",
    wrap: HttpClient.tap(({ text }) => Effect.flatMap(text, Effect.logTrace))
  },
  {
    title: "a tap that posts to an audit service by the same client",
    wrap: (client, url) =>
      HttpClient.tap(client, ({ status }) =>
        Effect.flatMap(
          client.execute(HttpClientRequest.bodyText(HttpClientRequest.post(`${url}${Host.audit}`), String(status))),
          ({ text }) => text
        )
      )
  },
  {
    title: "a tap that posts to an audit service and leaves its answer unread",
    wrap: (client, url) =>
      HttpClient.tap(client, () => Effect.asVoid(client.execute(HttpClientRequest.post(`${url}${Host.audit}`))))
  },
  { title: "filterStatusOk", wrap: HttpClient.filterStatusOk },
  {
    title: "a rewriter of bodies",
    wrap: (client) => onBody(client, (text) => text.replace(disguise, "")),
    disguise
  },
  {
    title: "a tap that reads the text, over filterStatusOk",
    wrap: (client) => HttpClient.tap(HttpClient.filterStatusOk(client), ({ text }) => text)
  },
  {
    title: "a fetch that gives the same response twice",
    wrap: (client) => client,
    fetch: sameTwice(),
    anyEnding: true
  }
]

function sameTwice(): typeof globalThis.fetch {
  let last: Response | undefined
  return async (...request) => {
    const again = last
    last = again === undefined ? await globalThis.fetch(...request) : undefined
    return again ?? last ?? globalThis.fetch(...request)
  }
}

/** What a call meets, and how it must end. */
interface Case {
  readonly title: string
  /** Before the answer that is right. */
  readonly refusals: ReadonlyArray<Gateway.Answer>
  readonly ends: string
  readonly requests: number
}

const hour = "3600000"

const soon = { "retry-after-ms": "30" }

const cases: ReadonlyArray<Case> = [
  { title: "well", refusals: [], ends: "answered", requests: 1 },
  { title: "429, then well", refusals: [Gateway.status(429, "slow down", soon)], ends: "answered", requests: 2 },
  { title: "503, then well", refusals: [Gateway.status(503, "busy", soon)], ends: "answered", requests: 2 },
  {
    title: "401 for a good key, then well",
    refusals: [{ ...Host.unauthorized, headers: { ...Host.unauthorized.headers, ...soon } }],
    ends: "answered",
    requests: 2
  },
  {
    title: "400",
    refusals: [Gateway.status(400, { error: { message: "temperature is too high" } })],
    ends: "InvalidRequest BadRequest",
    requests: 1
  },
  {
    title: "402",
    refusals: [Gateway.status(402, { error: { message: "Insufficient Balance" } })],
    ends: "QuotaExceeded",
    requests: 1
  },
  {
    title: "429 with an hour to wait",
    refusals: [Gateway.status(429, { error: { message: "slow down" } }, { "retry-after-ms": hour })],
    ends: "Transient RateLimited",
    requests: 1
  }
]

/** Every call tells by its number what it meets: thousands the wrapper, tens the case, ones whether it streams. */
const numberOf = (wrapper: number, kind: number, stream: boolean): number =>
  (wrapper + 1) * 1000 + kind * 10 + Number(stream)

/** The call with a key that was never accepted. */
const neverAccepted = 99

export const weather: Weather = {
  id: "wrapped",
  title: "clients with middleware",
  run: (options) =>
    Trial.run(options, {
      script: (question) => {
        const wrapper = wrappers[Math.floor(question.call / 1000) - 1]
        const kind = Math.floor((question.call % 1000) / 10)
        if (kind === neverAccepted) return Host.unauthorized
        const answer = cases[kind]?.refusals[question.request - 1] ?? Host.well(question)
        const { disguise } = wrapper ?? {}
        return disguise === undefined
          ? answer
          : { ...answer, body: [new TextEncoder().encode(disguise), ...answer.body] }
      },
      play: ({ ledger, url }) =>
        Effect.map(
          Effect.forEach(wrappers, (wrapper, place) => Effect.scoped(playOne(ledger, url, wrapper, place)), {
            concurrency: "unbounded"
          }),
          (counts) => counts.reduce((sum, count) => sum + count, 0)
        )
    })
}

const playOne = (
  ledger: Ledger.Ledger,
  url: string,
  wrapper: Wrapper,
  place: number
): Effect.Effect<number, never, HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function* () {
    const client = wrapper.wrap(yield* HttpClient.HttpClient, url)
    const make = (wrapped: HttpClient.HttpClient) =>
      Effect.provideService(Trial.providerAt(url), HttpClient.HttpClient, wrapped)
    const plan = (kind: number, stream: boolean, { ends, requests, title }: Case): Ledger.Plan => ({
      call: numberOf(place, kind, stream),
      title: `${wrapper.title}, ${title}`,
      ...(wrapper.anyEnding === true ? undefined : { ends }),
      healthy: ends === "answered",
      takes: 0,
      requests: wrapper.anyEnding === true ? 11 : requests,
      forEver: "8 seconds"
    })
    const unproven = yield* make(client)
    const proven = yield* make(client)
    // An hour closes the gate for a minute, so the calls that are told to wait so long have a key of their own.
    const patient = yield* make(client)
    const asks = ({ refusals }: Case) => refusals.some(({ headers }) => headers["retry-after-ms"] === hour)
    const first = { provider: proven, kind: 0, stream: false, meets: cases[0] ?? refusedAtOnce }
    const calls = [
      ...[false, true].map((stream) => ({ provider: unproven, kind: neverAccepted, stream, meets: refusedAtOnce })),
      ...[false, true]
        .flatMap((stream) =>
          // A client that mixes up its answers would tell everybody to wait for an hour.
          cases
            .filter((meets) => wrapper.anyEnding !== true || !asks(meets))
            .map((meets, kind) => ({ provider: asks(meets) ? patient : proven, kind, stream, meets }))
        )
        .slice(1)
    ]
    const ask = ({ kind, meets, provider, stream }: typeof first) =>
      (stream ? Ledger.streamed : Ledger.whole)(ledger, provider, plan(kind, stream, meets))
    const around = <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
      wrapper.fetch === undefined ? self : Effect.provideService(self, FetchHttpClient.Fetch, wrapper.fetch)
    // The first proves the key.
    yield* around(Effect.zipRight(ask(first), Effect.forEach(calls, ask, { concurrency: "unbounded", discard: true })))
    return 1 + calls.length
  })

const refusedAtOnce: Case = {
  title: "401 for a key that was never accepted",
  refusals: [],
  ends: "AuthRejected",
  requests: 1
}
