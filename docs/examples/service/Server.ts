import { HttpApiBuilder, HttpApp, HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { RpcSerialization, RpcServer } from "@effect/rpc"
import { Effect, Layer, Schema, Stream } from "effect"
import { Opened, Provider, ProviderError } from "knowngood"
import { ChatApi, ChatRpcs, Piece, type Question } from "./Api.js"

/** The log gets the whole error, and the client its view, with `retry-after` where there is a wait. The status follows. */
const told = <A, R>(self: Effect.Effect<A, Provider.Error, R>) =>
  self.pipe(
    Effect.tapError((error) => Effect.logWarning(error)),
    Effect.tapError((error) =>
      HttpApp.appendPreResponseHandler((_request, response) =>
        Effect.succeed(HttpServerResponse.setHeaders(response, ProviderError.httpHeaders(error)))
      )
    ),
    Effect.mapError(ProviderError.toClient)
  )

const frame = (piece: typeof Piece.Type) => `data: ${Schema.encodeSync(Piece)(piece)}\n\n`

/** An answer that has begun, so its status is 200. What breaks it from here on is the last piece. */
const sse = (opened: Opened.Opened) => {
  const frames = Opened.toStream(Effect.succeed(opened)).pipe(
    Stream.map((event) => frame(event)),
    Stream.catchAll((error) =>
      Stream.as(Stream.fromEffect(Effect.logWarning(error)), frame(ProviderError.toClient(error)))
    )
  )
  return HttpServerResponse.stream(Stream.encodeText(frames), {
    contentType: "text/event-stream",
    headers: { "cache-control": "no-cache" }
  })
}

const chats = HttpApiBuilder.group(ChatApi, "chats", (handlers) =>
  Effect.map(Provider.Provider, (provider) =>
    handlers
      .handle("ask", ({ payload }) => told(provider.complete(payload)))
      // `open` fails before the first event, while there is still a status to choose. Its scope is that of the request: a
      // client that goes away interrupts it, and that ends the request to the provider.
      .handle("stream", ({ payload }) => told(Effect.map(provider.open(payload), sse)))
  )
)

const rpcs = ChatRpcs.toLayer(
  Effect.map(Provider.Provider, (provider) => ({
    Chat: (question: typeof Question.Type) =>
      provider.stream(question).pipe(
        Stream.tapError((error) => Effect.logWarning(error)),
        Stream.mapError(ProviderError.toClient)
      )
  }))
)

/** The service, on the `HttpServer` and with the `Provider` in the context. RPC goes over a WebSocket, at /rpc. */
export const service = HttpLayerRouter.serve(
  Layer.mergeAll(
    HttpLayerRouter.addHttpApi(ChatApi, { openapiPath: "/openapi.json" }).pipe(Layer.provide(chats)),
    RpcServer.layerHttpRouter({ group: ChatRpcs, path: "/rpc" }).pipe(
      Layer.provide(rpcs),
      Layer.provide(RpcSerialization.layerNdjson)
    )
  ),
  { disableLogger: true, disableListenLog: true }
)
