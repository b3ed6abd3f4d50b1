/**
 * What a provider can do, and how one is made from the few members that only it can say.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as Iteration from "./answer/Iteration.js"
import * as Opened from "./answer/Opened.js"
import * as Provenance from "./answer/Provenance.js"
import type * as Chat from "./Chat.js"
import type * as Credential from "./Credential.js"
import * as Message from "./chat/Message.js"
import * as Output from "./Output.js"
import * as Shape from "./output/Shape.js"
import type * as Protocol from "./Protocol.js"
import * as ProviderError from "./ProviderError.js"

type Error = ProviderError.ProviderError

/** "Some LLM": the service that a program asks for, and that a preset's `layer` provides. */
export class Provider extends Context.Tag("knowngood/Provider")<Provider, Service>() {}

/** What a provider can do. Its members need nothing from the context. */
export interface Service {
  /** Who answers: `mimo`, `anthropic`, … Errors and notices name it. */
  readonly id: string
  /** The model of requests that name none; `undefined` if such requests fail. */
  readonly model: string | undefined
  /**
   * An answer that has begun. It is retried, and fails, before the first output, so a server can still choose its status.
   * `stream`, `listen` and `iterate` are three ways to follow it. Its resources are released with the scope.
   */
  readonly open: (request: Chat.Request) => Opened.Open
  /** The whole answer. The presets ask for it without streaming. */
  readonly complete: (request: Chat.Request) => Effect.Effect<Chat.Reply, Error>
  /** What the provider lists, sorted by id. `InvalidRequest` with `NotOffered` where it has no list. */
  readonly models: Effect.Effect<ReadonlyArray<Protocol.Model>, Error>
  /** The key's source, fingerprint and known-good flag; never the key. `undefined` for a provider without a key. */
  readonly credential: Credential.Credential | undefined
  /** The answer as it is written. It ends with `Finish` or fails; nothing is retried once an event has come out. */
  readonly stream: (request: Chat.Request) => Stream.Stream<Chat.Event, Error>
  /**
   * Streams, calls `onEvent` with each event as it comes, and gives the whole answer. This is the cheapest way to
   * follow one: no fiber is woken between its first event and its last. What `onEvent` throws is a defect.
   */
  readonly listen: (request: Chat.Request, onEvent: (event: Chat.Event) => void) => Effect.Effect<Chat.Reply, Error>
  /**
   * The answer for a program without Effect. It throws the `ProviderError` itself; leaving the loop gives the answer
   * up. `run` is how the program runs effects: `Effect.runPromise`, or a runtime's own.
   */
  readonly iterate: (
    run: Iteration.RunPromise<never>,
    request: Chat.Request
  ) => AsyncGenerator<Chat.Event, void, undefined>
  /**
   * The whole answer as a value of the schema, and the reply that it was read from. The model is told the schema, unless
   * the request has an `output` of its own. An answer that does not fit is `InvalidResponse`, with its text in `partial`;
   * it is not asked for again. A schema of what JSON cannot hold is `InvalidRequest`, its `problem` `BadSchema`, and
   * nothing is sent.
   */
  readonly completeObject: <A, I, R>(
    schema: Schema.Schema<A, I, R>,
    request: Chat.Request
  ) => Effect.Effect<Completed<A>, Error, R>
  /** The cheapest real request that proves the key: a completion of 16 tokens at most. */
  readonly verify: Effect.Effect<void, Error>
}

/** An answer of a given shape: what `completeObject` gives. */
export interface Completed<A> {
  /** The answer's text, decoded. */
  readonly value: A
  /** The answer: its usage, its id, its turn for the history. */
  readonly reply: Chat.Reply
}

/** What only a provider itself can say. A `Service` is one, too, so it can be spread and changed. */
export interface Primitives {
  /** Who answers. */
  readonly id: string
  /** The model of requests that name none. */
  readonly model?: string | undefined
  /** An answer that has begun: `Opened.fromEvents`, `Opened.fromStream`, or another provider's. */
  readonly open: (request: Chat.Request) => Opened.Open
  /** The whole answer. Default: what `open` adds up to. */
  readonly complete?: ((request: Chat.Request) => Effect.Effect<Chat.Reply, Error>) | undefined
  /** The list of models. Default: there is none. */
  readonly models?: Effect.Effect<ReadonlyArray<Protocol.Model>, Error> | undefined
  /** The key. Default: there is none. */
  readonly credential?: Credential.Credential | undefined
}

/** Members that were left out and derived. Spread into another provider, they are derived anew, from what it has. */
const derived = new WeakSet<object>()

const derive = <A extends object>(member: A): A => {
  derived.add(member)
  return member
}

const given = <A extends object>(member: A | undefined): A | undefined =>
  member === undefined || derived.has(member) ? undefined : member

/**
 * A provider from what only it can say; everything else follows from that, and nothing goes around it. For a fake in a
 * test, and for what stands between a program and a provider: a cache, a budget, a log.
 *
 * `open` and `complete` are two ways to the same model, so what has to see every request changes both.
 *
 * @example
 * import { Effect } from "effect"
 * import { type Chat, Opened, Provider } from "knowngood"
 *
 * // A fake that always says the same.
 * const fake = (events: ReadonlyArray<Chat.Event>) =>
 *   Provider.make({ id: "fake", open: () => Effect.succeed(Opened.fromEvents(events)) })
 *
 * // A cache. `completeObject` and `verify` go through it.
 * const cached = (inner: Provider.Service, replies: Map<string, Chat.Reply>) =>
 *   Provider.make({
 *     ...inner,
 *     complete: (request) =>
 *       Effect.suspend(() => {
 *         const key = JSON.stringify(request)
 *         const known = replies.get(key)
 *         if (known !== undefined) return Effect.succeed(known)
 *         return Effect.tap(inner.complete(request), (reply) => Effect.sync(() => replies.set(key, reply)))
 *       })
 *   })
 */
export const make = (primitives: Primitives): Service => {
  const { credential, id, model } = primitives
  const open: Service["open"] = (request) => primitives.open(request)

  const complete: Service["complete"] =
    given(primitives.complete)?.bind(primitives) ?? derive((request) => Opened.listen(open(request), ignore))

  const completeObject: Service["completeObject"] = (schema, request) =>
    Effect.suspend(() => {
      const told = request.output === undefined ? Shape.of(schema) : undefined
      if (told !== undefined && !Shape.isWritable(told)) return Effect.fail(badSchema(id, told.path))
      const reply = complete(told === undefined ? request : { ...request, output: { schema: told.schema } })
      return Effect.flatMap(reply, (reply) =>
        Effect.matchEffect(Output.decode(schema, told)(reply), {
          onFailure: (fault) => Provenance.fail(reply, fault, { id, credential }),
          onSuccess: (value) => Effect.succeed({ value, reply })
        })
      )
    })

  return {
    id,
    model,
    credential,
    open,
    complete,
    models: given(primitives.models) ?? derive(Effect.failSync(() => notOffered(id))),
    stream: (request) => Opened.toStream(open(request)),
    listen: (request, onEvent) => Opened.listen(open(request), onEvent),
    iterate: (run, request) => Iteration.make(run, open(request)),
    completeObject,
    // Not one token: reasoning models answer a limit too small to begin with by a 400.
    verify: Effect.suspend(() => Effect.asVoid(complete({ messages: [Message.user("ping")], maxTokens: 16 })))
  }
}

const ignore = (): void => undefined

const badSchema = (provider: string, subject: string): Error =>
  new ProviderError.InvalidRequest({
    ...ProviderError.nothingSent(provider),
    reason: "BadRequest",
    problem: "BadSchema",
    subject: subject === "" ? undefined : subject
  })

const notOffered = (provider: string): Error =>
  new ProviderError.InvalidRequest({ ...ProviderError.nothingSent(provider), reason: "NotOffered" })
