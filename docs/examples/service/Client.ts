import { HttpApiClient, HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { RpcClient } from "@effect/rpc"
import { Effect, Layer, Schema, Stream } from "effect"
import { type Chat, Opened, Provider, ProviderError } from "knowngood"
import { ChatApi, ChatRpcs, Piece, Question } from "./Api.js"

const nothing = { provider: "service", attempts: 1, history: [], emitted: false } as const

const unreachable = new ProviderError.Transient({ ...nothing, reason: "Unreachable" })
const cut = new ProviderError.Transient({ ...nothing, reason: "StreamInterrupted" })
const strange = new ProviderError.InvalidResponse({ ...nothing, reason: "NotTheProtocol" })

/** What the service says as it is; and what became of the request to the service itself in the same words. */
const inOurWords = (error: { readonly _tag: string }): ProviderError.ProviderError =>
  ProviderError.isProviderError(error)
    ? error
    : error._tag === "RequestError" || error._tag === "RpcClientError"
      ? unreachable
      : strange

/** Every answer ends with `Finish`; one that just ends was cut off. */
const toTheEnd = <R>(events: Stream.Stream<Chat.Event, ProviderError.ProviderError, R>) =>
  Stream.concat(events, Stream.fail(cut)).pipe(Stream.takeUntil((event) => event._tag === "Finish"))

/** The pieces of a 200, and the error of any other status. */
const read = (response: HttpClientResponse.HttpClientResponse) =>
  response.status === 200
    ? response.stream.pipe(
        Stream.mapError(() => cut),
        Stream.decodeText(),
        // What follows the last blank line is no frame yet, and never becomes one if the connection breaks there.
        Stream.mapAccum("", (rest, text) => {
          const frames = (rest + text).split("\n\n")
          return [frames.pop() ?? "", frames]
        }),
        Stream.flattenIterables,
        Stream.mapEffect((frame) => Effect.mapError(Schema.decode(Piece)(frame.replace("data: ", "")), () => strange)),
        Stream.mapEffect((piece) => (ProviderError.isProviderError(piece) ? Effect.fail(piece) : Effect.succeed(piece)))
      )
    : Stream.fromEffect(
        Effect.flatMap(
          Effect.mapError(HttpClientResponse.schemaBodyJson(ProviderError.schema)(response), () => strange),
          Effect.fail
        )
      )

/** The service over HTTP, as a provider: programs stream, complete and match the same tags as anywhere else. */
export const overHttp = (baseUrl: string): Layer.Layer<Provider.Provider, never, HttpClient.HttpClient> =>
  Layer.effect(
    Provider.Provider,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const api = yield* HttpApiClient.make(ChatApi, { baseUrl })
      const post = (messages: ReadonlyArray<Chat.Message>) =>
        HttpClientRequest.post(`${baseUrl}/stream`).pipe(
          HttpClientRequest.schemaBodyJson(Question)({ messages }),
          Effect.flatMap(client.execute)
        )
      return Provider.make({
        id: "service",
        complete: ({ messages }) => Effect.mapError(api.chats.ask({ payload: { messages } }), inOurWords),
        open: ({ messages }) =>
          Opened.fromStream(
            toTheEnd(Stream.unwrapScoped(Effect.map(Effect.mapError(post(messages), inOurWords), read)))
          )
      })
    })
  )

/** The service over RPC, as a provider. */
export const overRpc: Layer.Layer<Provider.Provider, never, RpcClient.Protocol> = Layer.scoped(
  Provider.Provider,
  Effect.map(RpcClient.make(ChatRpcs), (client) =>
    Provider.make({
      id: "service",
      open: ({ messages }) => Opened.fromStream(toTheEnd(Stream.mapError(client.Chat({ messages }), inOurWords)))
    })
  )
)
