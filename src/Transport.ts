/**
 * The way to a server and back: for a provider's own calls, and as `transformClient` for any other API.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Answer from "./answer/Answer.js"
import * as ResponseBody from "./answer/ResponseBody.js"
import * as Key from "./credential/Key.js"
import type * as ProviderError from "./ProviderError.js"
import * as Call from "./transport/Call.js"
import * as Exchange from "./transport/Exchange.js"

export { make as transformClient, type Options as TransformClientOptions } from "./transport/TransformClient.js"

/** How long the parts of an answer may take. */
export interface Timeouts {
  /** From the request to the headers of the answer. Default 5 minutes: without a stream they arrive with the answer. */
  readonly headers?: Duration.DurationInput | undefined
  /** The longest time without a byte. Default 2 minutes. */
  readonly idle?: Duration.DurationInput | undefined
  /** The longest time without output from the model; keep-alives are no output. Default 10 minutes. */
  readonly stall?: Duration.DurationInput | undefined
  /** How long to wait for the body of an error. Default 10 seconds. */
  readonly errorBody?: Duration.DurationInput | undefined
}

/** @internal */
export interface Options extends Call.Options {
  readonly client: HttpClient.HttpClient
  readonly timeouts?: Timeouts | undefined
}

/** @internal */
export interface Request<A, R> {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Whether an answer proves the key. */
  readonly provesKey: boolean
  /** Reads a 2xx as far as its first output. A failure before that can be retried. */
  readonly read: (answer: Answer.Answer) => Run<A, R>
}

/** @internal */
export type Run<A, R = never> = Effect.Effect<A, ProviderError.ProviderError, R>

/**
 * The calls of one provider. Each is an exchange whose answer is read; a refusal, or a fault of the answer, fails it.
 *
 * @internal
 */
export interface Transport {
  /** The resources of the answer are released with the scope. */
  readonly run: <A, R>(request: Request<A, R>, scope: Scope.Scope) => Run<A, R>
}

/** The most that is read of an error's body. */
const errorBodyBytes = 4096

/** @internal */
export const make = (options: Options): Transport => {
  const { timeouts = {} } = options
  const waits: Exchange.Waits = {
    headers: Duration.toMillis(timeouts.headers ?? "5 minutes"),
    idle: Duration.toMillis(timeouts.idle ?? "2 minutes"),
    stall: Duration.toMillis(timeouts.stall ?? "10 minutes")
  }
  const errorBody = { maxBytes: errorBodyBytes, within: Duration.decode(timeouts.errorBody ?? "10 seconds") }
  const exchanges = Exchange.make({ ...options, waits })
  const calls = Call.make(options)

  const send =
    <A, R>(read: Request<A, R>["read"]): Call.Send<A, R> =>
    (attempt) =>
      Effect.matchEffect(exchanges.run(attempt.request, Key.scrub(attempt.key), attempt.scope), {
        onFailure: (failure) => Effect.fail(attempt.failed(failure)),
        onSuccess: ({ response, ...source }) => {
          const { headers, status } = response
          attempt.span.attribute("status", status)
          const fail: Answer.Answer["fail"] = (fault, sofar) => attempt.fail(fault, response, sofar)
          if (status >= 200 && status < 300) {
            const contentType = () => headers["content-type"]
            const afterwards = () => attempt.afterwards(response)
            return read({ ...source, contentType, onEnd: attempt.ended, waits, fail, afterwards })
          }
          const beginning = ResponseBody.prefix(source.body, errorBody)
          return Effect.flatMap(beginning, (body) => fail({ _tag: "Refused", body }))
        }
      })

  return { run: ({ provesKey, read, request }, scope) => calls.run({ provesKey, request, send: send(read) }, scope) }
}
