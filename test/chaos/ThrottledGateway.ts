/**
 * A gateway that allows only so much, and refuses the rest, though the key is good.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"
import * as Limit from "./Limit.js"
import * as Refusal from "./Refusal.js"

export interface ThrottledGateway {
  /** The base URL. */
  readonly url: string
  /** Requests that were answered or refused so far. */
  readonly requests: Effect.Effect<number>
}

export interface Options {
  /** `undefined`: everything. */
  readonly limit: Limit.Limit | undefined
  readonly refusal: Refusal.Refusal
  /** Those who came in are answered then. Default: `Limit.service` after each came. */
  readonly served?: Promise<unknown> | undefined
}

export const make = ({ limit, refusal, served }: Options): Effect.Effect<ThrottledGateway, never, Scope.Scope> =>
  Effect.gen(function* () {
    let requests = 0
    const door = limit === undefined ? open : Limit.door(limit)
    const page = Refusal.pageOf(refusal)
    const headers = {
      "content-type": page.contentType,
      ...(refusal.retryAfter === undefined ? undefined : { "retry-after": String(refusal.retryAfter) })
    }

    const server = createServer((incoming, outgoing) => {
      requests += 1
      incoming.resume()
      if (!door.enter(performance.now())) {
        outgoing.writeHead(refusal.status, headers)
        outgoing.end(page.text)
        return
      }
      let inside = true
      const leave = () => {
        if (inside) door.leave()
        inside = false
      }
      // Who goes before the answer gives the place back, too.
      outgoing.once("close", leave)
      const serve = () => {
        leave()
        outgoing.writeHead(200, { "content-type": "application/json" })
        outgoing.end(JSON.stringify(answer))
      }
      if (served === undefined) setTimeout(serve, Limit.service)
      else void served.then(serve)
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
    return { url: `http://127.0.0.1:${port}/v1`, requests: Effect.sync(() => requests) }
  })

const open: Limit.Door = { enter: () => true, leave: () => undefined }

const answer = {
  id: "answer",
  object: "chat.completion",
  created: 0,
  model: "throttled-1",
  choices: [{ index: 0, message: { role: "assistant", content: "yes" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
}
