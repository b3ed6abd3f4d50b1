/** What service and clients agree on. A browser imports this file, and nothing of the server. */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Rpc, RpcGroup } from "@effect/rpc"
import { Schema } from "effect"
import { ChatSchema, ProviderError } from "knowngood"

/** What a client may ask: the conversation alone. The model, the tools and the key are the service's. */
export const Question = Schema.Struct({ messages: Schema.Array(ChatSchema.Message) })

/** The data of one server-sent event: a piece of the answer, or why there is no more. */
export const Piece = Schema.parseJson(Schema.Union(ChatSchema.Event, ProviderError.schema))

export class Chats extends HttpApiGroup.make("chats")
  .add(HttpApiEndpoint.post("ask", "/ask").setPayload(Question).addSuccess(ChatSchema.Reply))
  .add(
    HttpApiEndpoint.post("stream", "/stream")
      .setPayload(Question)
      .addSuccess(HttpApiSchema.Text({ contentType: "text/event-stream" }))
  )
  .addError(ProviderError.schema) {}

export class ChatApi extends HttpApi.make("chat-service").add(Chats) {}

/** The same over RPC, where a stream is a stream. */
export class ChatRpcs extends RpcGroup.make(
  Rpc.make("Chat", { payload: Question, success: ChatSchema.Event, error: ProviderError.schema, stream: true })
) {}
