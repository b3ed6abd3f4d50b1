/**
 * A preset: a provider's host, wire and ways, told as data. This is the one place where the parts are put together.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Answer from "./answer/Answer.js"
import * as Iteration from "./answer/Iteration.js"
import * as Opened from "./answer/Opened.js"
import * as Credential from "./Credential.js"
import type * as Key from "./credential/Key.js"
import type * as Json from "./Json.js"
import type * as Protocol from "./Protocol.js"
import type * as RetryPolicy from "./RetryPolicy.js"
import type * as Classify from "./refusal/Classify.js"
import * as Endpoint from "./request/Endpoint.js"
import * as Service from "./Service.js"
import * as Transport from "./Transport.js"

/** What every preset takes. */
export interface Options {
  /**
   * The model of requests that name none. Default: the preset's; a preset that has none requires it. Without one, such
   * requests fail with `InvalidRequest`, its `problem` `NoModel`.
   */
  readonly model?: string | undefined
  /** The key, or an effect that reads it before every attempt, for a key that rotates. Default: none is sent. */
  readonly apiKey?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** Where `AuthMissing` and `AuthRejected` tell the user to look. Default: the preset's environment variable. */
  readonly keySource?: string | undefined
  /** The address, up to where the wire's own paths begin. Default: the preset's. */
  readonly baseUrl?: string | undefined
  /** When a call is repeated: a policy, or the numbers of `RetryPolicy.standard`. Default: its own numbers. */
  readonly policy?: RetryPolicy.RetryPolicy | RetryPolicy.Options | undefined
  /** How long to wait for the headers, a byte, output, the body of an error. Each has a default. */
  readonly timeouts?: Transport.Timeouts | undefined
  /** Additional headers. They cannot replace authorization, content type, or what the protocol sets. Default: none. */
  readonly headers?: { readonly [name: string]: string } | undefined
  /** Additional fields for every body. They cannot replace what the protocol sets. Default: none. */
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

/** The options with the key from `Config`. */
export type ConfigOptions = Omit<Options, "apiKey"> & {
  /** Where the key is. Default: the preset's environment variable. */
  readonly apiKey?: Config.Config<Redacted.Redacted> | undefined
}

/** A host and its protocol: what distinguishes one provider from another. */
export interface Deployment {
  /** Names the provider in errors and notices. */
  readonly id: string
  /** Its wire, in its dialect: `OpenAiChat.make(dialect)`, `OpenAiResponses.make(dialect)`, `AnthropicMessages.make(dialect)`, or your own. */
  readonly protocol: Protocol.Protocol
  /** Up to where the wire's own paths begin, mostly with a `/v1` at its end. */
  readonly baseUrl: string
  /** The environment variable that holds the key. */
  readonly variable: string
  /** How the key is written into a request. */
  readonly scheme: Credential.Scheme
  /** Whether a call without a key is pointless, so that nothing is sent. */
  readonly keyRequired: boolean
  /** Which hosts a key belongs to, judged by how it begins; the first match counts. Default: it cannot be told. */
  readonly keyHosts?: ReadonlyArray<KeyHosts> | undefined
  /** The model of requests that name none. Default: there is none. */
  readonly model?: string | undefined
}

/** Where the keys belong that begin alike. */
export interface KeyHosts {
  /** How such a key begins. */
  readonly prefix: string
  /** The names of the hosts that take it. */
  readonly hosts: ReadonlyArray<string>
}

/** A provider that has a key, as every preset's has. */
export interface Keyed extends Service.Service {
  /** The key's source, fingerprint and known-good flag; never the key. */
  readonly credential: Credential.Credential
}

/** The constructors of one provider. `Own` is what it takes besides the common options. */
export interface Preset<Own> {
  /** Builds a provider, for a program with several, each under a tag of its own. It cannot fail; its calls can. */
  readonly make: (options: Options & Own) => Effect.Effect<Keyed, never, HttpClient.HttpClient>
  /** A layer of `Provider`. */
  readonly layer: (options: Options & Own) => Layer.Layer<Service.Provider, never, HttpClient.HttpClient>
  /**
   * A layer of `Provider` with the key from `Config`. A missing key is no `ConfigError`: calls fail with `AuthMissing`,
   * so that a UI can ask for one.
   */
  readonly layerConfig: (
    options: ConfigOptions & Own
  ) => Layer.Layer<Service.Provider, ConfigError.ConfigError, HttpClient.HttpClient>
}

/**
 * A preset from its deployment, which may depend on the preset's own options.
 *
 * @example
 * import { Credential, OpenAiChat, Provider } from "knowngood"
 *
 * export const { layer, layerConfig, make } = Provider.preset<{ readonly tenant: string }>(({ tenant }) => ({
 *   id: "acme",
 *   protocol: OpenAiChat.make({ maxTokens: "max_completion_tokens" }),
 *   baseUrl: `https://${tenant}.llm.acme.example/v1`,
 *   variable: "ACME_API_KEY",
 *   scheme: Credential.bearer,
 *   keyRequired: true,
 *   model: "acme-large"
 * }))
 */
export const make = <Own>(deployment: (own: Own) => Deployment): Preset<Own> => ({
  make: (options) => provider(deployment(options), options),
  layer: (options) => Iteration.layer(Service.Provider, provider(deployment(options), options)),
  layerConfig: (options) => {
    const described = deployment(options)
    const key = Config.option(options.apiKey ?? Config.redacted(described.variable))
    const built = Effect.flatMap(key, (apiKey) =>
      provider(described, { ...options, apiKey: Option.getOrUndefined(apiKey) })
    )
    return Iteration.layer(Service.Provider, built)
  }
})

/** Puts a provider together. The client and the credential are taken here, so that calls need nothing more. */
const provider = (deployment: Deployment, options: Options): Effect.Effect<Keyed, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const { id, keyRequired, protocol, scheme, variable } = deployment
    const { concurrency } = options
    const model = options.model ?? deployment.model
    const client = yield* HttpClient.HttpClient
    const endpoint = Endpoint.make({
      provider: id,
      protocol,
      baseUrl: options.baseUrl ?? deployment.baseUrl,
      model,
      headers: options.headers,
      extra: options.extra
    })
    const credential =
      options.credential ??
      (yield* Credential.make({ apiKey: options.apiKey, source: options.keySource ?? variable, concurrency }))
    if (endpoint.origin !== undefined) yield* credential.bind(endpoint.origin)
    const transport = Transport.make({
      provider: id,
      client,
      credential,
      scheme,
      sendKey: keyRequired ? "always" : "ifPresent",
      allowInsecure: options.allowInsecure,
      hint: (key) => hintOf(key, deployment.keyHosts ?? [], endpoint.origin),
      policy: options.policy,
      timeouts: options.timeouts,
      coolDown: options.coolDown
    })

    /** A request, sent and read. */
    const call = <A>(
      built: Endpoint.Built,
      provesKey: boolean,
      read: (answer: Answer.Answer, protocol: Protocol.Protocol) => Transport.Run<A>,
      scope: Scope.Scope
    ): Transport.Run<A> =>
      Effect.flatMap(built, (request) =>
        transport.run({ request, provesKey, read: (answer) => read(answer, protocol) }, scope)
      )

    const service = Service.make({
      id,
      model,
      credential,
      open: (request) => Opened.opening((scope) => call(endpoint.chat(request, true), true, Answer.open, scope)),
      complete: (request) =>
        Effect.scopedWith((scope) => call(endpoint.chat(request, false), true, Answer.reply, scope)),
      models: Effect.map(
        Effect.scopedWith((scope) => call(endpoint.models, false, Answer.models, scope)),
        byId
      )
    })
    return { ...service, credential }
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
