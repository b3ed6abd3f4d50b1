/**
 * A gateway that has only so many places: a bucket of tokens that fills again while answers are made. A request that
 * finds it empty gets MiMo's 401, though its key is good.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"

export interface Options {
  /** Tokens in the full bucket. One request takes one. */
  readonly capacity: number
  /** In milliseconds: how long an answer takes, and in how long the empty bucket is full again. */
  readonly service: number
}

export interface ThrottledGateway {
  /** The base URL. */
  readonly url: string
  /** Requests that arrived. */
  readonly requests: () => number
  /** Requests that were answered. */
  readonly served: () => number
}

export const make = ({ capacity, service }: Options): Effect.Effect<ThrottledGateway, never, Scope.Scope> =>
  Effect.gen(function* () {
    let requests = 0
    let served = 0
    let tokens = capacity
    let filled = performance.now()

    const take = (): boolean => {
      const now = performance.now()
      tokens = Math.min(capacity, tokens + ((now - filled) * capacity) / service)
      filled = now
      if (tokens < 1) return false
      tokens -= 1
      return true
    }

    const server = createServer((incoming, outgoing) => {
      requests += 1
      incoming.resume()
      const reply = (status: number, body: object) => {
        outgoing.writeHead(status, { "content-type": "application/json" })
        outgoing.end(JSON.stringify(body))
      }
      if (!take()) return reply(401, { error: { message: "Invalid API Key", code: "401", type: "invalid_key" } })
      served += 1
      setTimeout(() => reply(200, answer), service)
    })

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
    )
    const port = yield* Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    })
    return { url: `http://127.0.0.1:${port}/v1`, requests: () => requests, served: () => served }
  })

const answer = {
  id: "answer",
  object: "chat.completion",
  created: 0,
  model: "throttled-1",
  choices: [{ index: 0, message: { role: "assistant", content: "yes" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
}
