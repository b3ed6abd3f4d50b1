/** A `fetch` that answers by a script, for what only `fetch` can do: reject with anything, and hold a body of its own. */
import { FetchHttpClient, type HttpClient } from "@effect/platform"
import { Effect, Layer } from "effect"
import * as Gateway from "../../../src/testing/Gateway.js"

/** One answer. It may tell that its body was cancelled. */
export type Fetch = (init: RequestInit | undefined, cancelled: () => void) => Response | Promise<Response>

/** The client over that `fetch`, and what it was asked. A request beyond the script is a mistake of the test. */
export const fetched = (...script: ReadonlyArray<Fetch>): Layer.Layer<Gateway.Gateway | HttpClient.HttpClient> =>
  Layer.unwrapEffect(
    Effect.map(Effect.clock, (clock) => {
      const asked: Array<{ -readonly [field in keyof Gateway.Recorded]: Gateway.Recorded[field] }> = []
      const fetch: typeof globalThis.fetch = async (url, init) => {
        const next = script[asked.length]
        const entry = {
          method: init?.method ?? "GET",
          url: String(url),
          headers: Object.fromEntries(new Headers(init?.headers)),
          body: undefined,
          at: clock.unsafeCurrentTimeMillis(),
          aborted: false
        }
        asked.push(entry)
        if (next === undefined) throw new Error("the script has no answer")
        return await next(init, () => {
          entry.aborted = true
        })
      }
      const gateway = { requests: Effect.sync(() => [...asked]), url: "https://gateway.test" }
      return Layer.mergeAll(
        FetchHttpClient.layer,
        Layer.succeed(FetchHttpClient.Fetch, fetch),
        Layer.succeed(Gateway.Gateway, gateway)
      )
    })
  )

/** A rejection with this, whatever it is. */
export const rejecting =
  (reason: unknown): Fetch =>
  () =>
    Promise.reject(reason)

/** What a scripted answer says, as the `Response` of `fetch`. */
export const responding =
  (answer: Gateway.Answer): Fetch =>
  () => {
    const pieces = answer.body.filter((piece) => piece instanceof Uint8Array)
    return new Response(Buffer.concat(pieces), { status: answer.status, headers: answer.headers })
  }

/** A failure with a system's word in it, as Node and Bun throw them. */
export const systemError = (code: string, message = code): Error => Object.assign(new Error(message), { code })
