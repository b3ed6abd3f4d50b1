/**
 * `Provider`, the service: "some LLM". This is also the one place that puts its parts together, for every preset.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Arr from "effect/Array"
import * as Channel from "effect/Channel"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import type * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Answer from "./answer/Answer.js"
import * as Iteration from "./answer/Iteration.js"
import * as Opened from "./answer/Opened.js"
import * as Chat from "./Chat.js"
import * as Credential from "./Credential.js"
import type * as Key from "./credential/Key.js"
import type * as Json from "./Json.js"
import * as Output from "./Output.js"
import type * as Protocol from "./Protocol.js"
import type * as ProviderError from "./ProviderError.js"
import * as RetryPolicy from "./RetryPolicy.js"
import type * as Classify from "./refusal/Classify.js"
import * as Endpoint from "./request/Endpoint.js"
import type { Service } from "./Service.js"
import * as Transport from "./Transport.js"

/** What every call of a provider can fail with. */
export type Error = ProviderError.ProviderError

export { make as fallback } from "./Fallback.js"
export type { Service } from "./Service.js"

export class Provider extends Context.Tag("knowngood/Provider")<Provider, Service>() {}

export const stream = (request: Chat.Request): Stream.Stream<Chat.Event, Error, Provider> =>
  Stream.fromChannel(Channel.flatMap(Provider, (provider) => Stream.toChannel(provider.stream(request))))

export const listen = (
  request: Chat.Request,
  onEvent: (event: Chat.Event) => void
): Effect.Effect<Chat.Reply, Error, Provider> =>
  Effect.flatMap(Provider, (provider) => provider.listen(request, onEvent))

/**
 * The answer for a program without Effect: `for await (const event of Provider.iterate(runtime.runPromise, request))`.
 * It throws the `ProviderError` itself; leaving the loop gives the answer up.
 */
export const iterate = (
  run: Iteration.RunPromise<Provider>,
  request: Chat.Request
): AsyncGenerator<Chat.Event, void, undefined> =>
  Iteration.make(
    run,
    Opened.opening((scope) => Effect.flatMap(Provider, (provider) => Opened.within(provider.open(request), scope)))
  )

export const complete = (request: Chat.Request): Effect.Effect<Chat.Reply, Error, Provider> =>
  Effect.flatMap(Provider, (provider) => provider.complete(request))

/**
 * The whole answer as a value of the schema. An answer that does not fit is `InvalidResponse`, with its text in
 * `partial`.
 */
export const completeObject = <A, I, R>(
  schema: Schema.Schema<A, I, R>,
  request: Chat.Request
): Effect.Effect<A, Error, R | Provider> =>
  Effect.flatMap(Provider, (provider) =>
    provider.completeWith(
      { ...request, output: request.output ?? { schema: Output.jsonSchema(schema) } },
      Output.decode(schema)
    )
  )

export const models: Effect.Effect<ReadonlyArray<Protocol.Model>, Error, Provider> = Effect.flatMap(
  Provider,
  (provider) => provider.models
)

export const verify: Effect.Effect<void, Error, Provider> = Effect.flatMap(Provider, (provider) => provider.verify)

/** What every preset takes. */
export interface Options {
  /** The model of requests that name none. */
  readonly model?: string | undefined
  /** The key, or an effect that reads it before every attempt, for a key that rotates. */
  readonly apiKey?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** Where `AuthMissing` and `AuthRejected` tell the user to look. Default: the preset's environment variable. */
  readonly keySource?: string | undefined
  /** Default: the preset's. */
  readonly baseUrl?: string | undefined
  /** Default: `RetryPolicy.standard`. */
  readonly policy?: RetryPolicy.RetryPolicy | undefined
  readonly timeouts?: Transport.Timeouts | undefined
  /** Additional headers. They cannot replace authorization, content type, or what the protocol sets. */
  readonly headers?: { readonly [name: string]: string } | undefined
  /** Additional fields for every body. They cannot replace what the protocol sets. */
  readonly extra?: Json.Fields | undefined
  /** The most answers with this key open at once, from the request to the last byte. Default: unlimited. */
  readonly concurrency?: number | undefined
  /** Whether the calls with this key wait together when the server cannot take more. Default true. */
  readonly coolDown?: boolean | undefined
  /** Sends the key over plain http to another machine than this one. Default false. */
  readonly allowInsecure?: boolean | undefined
  /** Shares one key and its flag between layers for one host. Default: made from `apiKey`. */
  readonly credential?: Credential.Credential | undefined
}

/** The options with the key from `Config`, by default from the preset's environment variable. */
export type ConfigOptions = Omit<Options, "apiKey"> & {
  readonly apiKey?: Config.Config<Redacted.Redacted> | undefined
}

/** A host and its protocol: what distinguishes one provider from another. */
export interface Deployment {
  readonly id: string
  /** Its wire, in its dialect: `OpenAiChat.make(dialect)`, `AnthropicMessages.make(dialect)`, or one of your own. */
  readonly protocol: Protocol.Protocol
  readonly baseUrl: string
  /** The environment variable that holds the key. */
  readonly variable: string
  readonly scheme: Key.Scheme
  /** Whether a call without a key is pointless. */
  readonly keyRequired: boolean
  /** Which hosts a key belongs to, judged by how it begins; the first match counts. */
  readonly keyHosts?: ReadonlyArray<KeyHosts> | undefined
  /** The model of requests that name none. */
  readonly model?: string | undefined
}

export interface KeyHosts {
  readonly prefix: string
  readonly hosts: ReadonlyArray<string>
}

/** The constructors of one provider. `Own` is what it takes besides the common options. */
export interface Preset<Own> {
  /** Builds a `Service`; for a program with several providers, each under a tag of its own. */
  readonly make: (options: Options & Own) => Effect.Effect<Service, never, HttpClient.HttpClient>
  readonly layer: (options: Options & Own) => Layer.Layer<Provider, never, HttpClient.HttpClient>
  /** A missing key is not a `ConfigError`: calls fail with `AuthMissing`, so that a UI can ask for one. */
  readonly layerConfig: (
    options: ConfigOptions & Own
  ) => Layer.Layer<Provider, ConfigError.ConfigError, HttpClient.HttpClient>
}

/** A preset from its deployment. */
export const preset = <Own>(deployment: (own: Own) => Deployment): Preset<Own> => ({
  make: (options) => make(deployment(options), options),
  layer: (options) => Iteration.layer(Provider, make(deployment(options), options)),
  layerConfig: (options) => {
    const described = deployment(options)
    const key = Config.option(options.apiKey ?? Config.redacted(described.variable))
    const built = Effect.flatMap(key, (apiKey) =>
      make(described, { ...options, apiKey: Option.getOrUndefined(apiKey) })
    )
    return Iteration.layer(Provider, built)
  }
})

/** Puts a provider together. The client and the credential are taken here, so that calls need nothing more. */
export const make = (deployment: Deployment, options: Options): Effect.Effect<Service, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const { id: provider, keyRequired, scheme, variable } = deployment
    const { concurrency, coolDown, policy = RetryPolicy.standard, timeouts } = options
    const client = yield* HttpClient.HttpClient
    const endpoint = Endpoint.make({
      ...deployment,
      provider,
      baseUrl: options.baseUrl ?? deployment.baseUrl,
      model: options.model ?? deployment.model,
      headers: options.headers,
      extra: options.extra
    })
    const credential =
      options.credential ??
      (yield* Credential.make({ apiKey: options.apiKey, source: options.keySource ?? variable, concurrency }))
    if (endpoint.origin !== undefined) yield* credential.bind(endpoint.origin)
    const sendKey = keyRequired ? "always" : "ifPresent"
    const hint = (key: Key.Key) => hintOf(key, deployment.keyHosts ?? [], endpoint.origin)
    const transport = Transport.make({
      provider,
      client,
      credential,
      scheme,
      sendKey,
      allowInsecure: options.allowInsecure,
      hint,
      policy,
      timeouts,
      coolDown
    })

    /** A request, sent and read. */
    const call = <A, R>(
      built: Endpoint.Built,
      provesKey: boolean,
      read: (answer: Answer.Answer, protocol: Protocol.Protocol) => Transport.Run<A, R>,
      scope: Scope.Scope
    ): Transport.Run<A, R> =>
      Effect.flatMap(built, (request) =>
        transport.run({ request, provesKey, read: (answer) => read(answer, deployment.protocol) }, scope)
      )

    const completeWith: Service["completeWith"] = (request, decode) =>
      Effect.scopedWith((scope) => call(endpoint.chat(request, false), true, Answer.reply(decode), scope))

    const complete: Service["complete"] = (request) => completeWith(request, Effect.succeed)

    const open: Service["open"] = (request) =>
      Opened.opening((scope) => call(endpoint.chat(request, true), true, Answer.open, scope))

    return {
      credential,
      complete,
      completeWith,
      open,
      stream: (request) => Opened.toStream(open(request)),
      listen: (request, onEvent) => Opened.listen(open(request), onEvent),
      models: Effect.map(
        Effect.scopedWith((scope) => call(endpoint.models, false, Answer.models, scope)),
        byId
      ),
      // Not one token: reasoning models answer a limit too small to begin with by a 400.
      verify: Effect.asVoid(complete({ messages: [Chat.user("ping")], maxTokens: 16 }))
    }
  })

/** Only at the provider's own hosts: a proxy may accept any key. */
const hintOf = (key: Key.Key, rows: ReadonlyArray<KeyHosts>, origin: string | undefined): Classify.Hint | undefined => {
  const here = origin === undefined ? "" : new URL(origin).hostname
  const row = rows.find(({ prefix }) => key.startsWith(prefix))
  return row === undefined || row.hosts.includes(here) || !rows.some(({ hosts }) => hosts.includes(here))
    ? undefined
    : { hint: "KeyForOtherHost", hosts: row.hosts }
}

const byId = Arr.sortWith((model: Protocol.Model) => model.id, Order.string)
