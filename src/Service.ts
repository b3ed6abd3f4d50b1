/**
 * What a provider can do. Its members need nothing from the context.
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as Opened from "./answer/Opened.js"
import type * as Chat from "./Chat.js"
import type * as Credential from "./Credential.js"
import type * as Protocol from "./Protocol.js"
import type * as ProviderError from "./ProviderError.js"
import type * as Fault from "./refusal/Fault.js"

type Error = ProviderError.ProviderError

export interface Service {
  /** The answer as it is written. It ends with `Finish` or fails; nothing is retried once an event has come out. */
  readonly stream: (request: Chat.Request) => Stream.Stream<Chat.Event, Error>
  /**
   * Streams, calls `onEvent` with each event as it comes, and gives the whole answer. This is the cheapest way to
   * follow one: no fiber is woken between its first event and its last. What `onEvent` throws is a defect.
   */
  readonly listen: (request: Chat.Request, onEvent: (event: Chat.Event) => void) => Effect.Effect<Chat.Reply, Error>
  /** What `stream` and `listen` are made of: an answer that has begun, for following it in other ways. */
  readonly open: (request: Chat.Request) => Opened.Open
  /** The whole answer, requested without streaming. */
  readonly complete: (request: Chat.Request) => Effect.Effect<Chat.Reply, Error>
  /** `complete` with the reply decoded further. A fault of `decode` fails the call with `InvalidResponse`. */
  readonly completeWith: <A, R>(
    request: Chat.Request,
    decode: (reply: Chat.Reply) => Effect.Effect<A, Fault.Fault, R>
  ) => Effect.Effect<A, Error, R>
  /** What the provider lists, sorted by id. `InvalidRequest` with `NotOffered` where it has no list. */
  readonly models: Effect.Effect<ReadonlyArray<Protocol.Model>, Error>
  /** The cheapest real request that proves the key: a completion of 16 tokens at most. */
  readonly verify: Effect.Effect<void, Error>
  /** The key's source, fingerprint and known-good flag; never the key. */
  readonly credential: Credential.Credential
}
