/**
 * `Provider`, the service: "some LLM". And the one place where its parts are put together, for every preset.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Answer from "./Answer.js"
import * as BaseUrl from "./BaseUrl.js"
import * as Chat from "./Chat.js"
import * as Credential from "./Credential.js"
import type * as Protocol from "./Protocol.js"
import * as ProviderError from "./ProviderError.js"
import * as RetryPolicy from "./RetryPolicy.js"
import * as Transport from "./Transport.js"

type Error = ProviderError.ProviderError

export interface Service {
  /** The answer as it is written. It ends with `Finish` or fails; nothing is repeated once an event has come out. */
  readonly stream: (request: Chat.Request) => Stream.Stream<Chat.Event, Error>
  /** The whole answer, asked for without a stream on the wire. */
  readonly complete: (request: Chat.Request) => Effect.Effect<Chat.Reply, Error>
  /** What the provider lists, sorted by id. `InvalidRequest` with `NotOffered` where it has no list. */
  readonly models: Effect.Effect<ReadonlyArray<Protocol.Model>, Error>
  /** The cheapest real request that proves the key: a completion of one token. */
  readonly verify: Effect.Effect<void, Error>
  /** The key's source, fingerprint and known-good flag; never the key. */
  readonly credential: Credential.Credential
}

export class Provider extends Context.Tag("knowngood/Provider")<Provider, Service>() {}

export const stream = (request: Chat.Request): Stream.Stream<Chat.Event, Error, Provider> =>
  Stream.unwrap(Effect.map(Provider, (provider) => provider.stream(request)))

export const complete = (request: Chat.Request): Effect.Effect<Chat.Reply, Error, Provider> =>
  Effect.flatMap(Provider, (provider) => provider.complete(request))

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
  /** What `AuthMissing` and `AuthRejected` tell the user to look at. Default: the preset's environment variable. */
  readonly keySource?: string | undefined
  /** Default: the preset's. */
  readonly baseUrl?: string | undefined
  /** Default: `RetryPolicy.standard`. */
  readonly policy?: RetryPolicy.RetryPolicy | undefined
  readonly timeouts?: Transport.Timeouts | undefined
  /** Further headers. They cannot replace authorization, content type, or what the protocol sets. */
  readonly headers?: { readonly [name: string]: string } | undefined
  /** Further fields of every body. They cannot replace what the protocol sets. */
  readonly extra?: { readonly [field: string]: unknown } | undefined
  /** Shares one key and its flag between layers of one host. Default: made from `apiKey`. */
  readonly credential?: Credential.Credential | undefined
}

/** The options with the key from `Config`, by default from the preset's environment variable. */
export type ConfigOptions = Omit<Options, "apiKey"> & {
  readonly apiKey?: Config.Config<Redacted.Redacted> | undefined
}

/** A host, and how it speaks its wire: what makes a provider this one. */
export interface Deployment extends Answer.Wire {
  readonly id: string
  readonly baseUrl: string
  /** The environment variable that users keep the key in. */
  readonly variable: string
  readonly scheme: Credential.Scheme
  /** Whether a call without a key is pointless. */
  readonly keyRequired: boolean
  /** The model of requests that name none. */
  readonly model?: string | undefined
}

/** The constructors of one provider. `Own` is what it takes beside the common options. */
export interface Preset<Own> {
  /** Builds a `Service`; for a program with several providers, each under a tag of its own. */
  readonly make: (options: Options & Own) => Effect.Effect<Service, never, HttpClient.HttpClient>
  readonly layer: (options: Options & Own) => Layer.Layer<Provider, never, HttpClient.HttpClient>
  /** A key that is not configured is no `ConfigError`: calls fail with `AuthMissing`, so that a UI can ask for one. */
  readonly layerConfig: (
    options: ConfigOptions & Own
  ) => Layer.Layer<Provider, ConfigError.ConfigError, HttpClient.HttpClient>
}

/** A preset from its deployment. */
export const preset = <Own>(deployment: (own: Own) => Deployment): Preset<Own> => ({
  make: (options) => make(deployment(options), options),
  layer: (options) => Layer.effect(Provider, make(deployment(options), options)),
  layerConfig: (options) => {
    const described = deployment(options)
    const key = Config.option(options.apiKey ?? Config.redacted(described.variable))
    const built = Effect.flatMap(key, (apiKey) =>
      make(described, { ...options, apiKey: Option.getOrUndefined(apiKey) })
    )
    return Layer.effect(Provider, built)
  }
})

/** Puts a provider together. The client and the credential are taken here, so that calls need nothing more. */
export const make = (deployment: Deployment, options: Options): Effect.Effect<Service, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const { protocol } = deployment
    const base = BaseUrl.parse(options.baseUrl ?? deployment.baseUrl)
    const source = options.keySource ?? deployment.variable
    const credential = options.credential ?? (yield* Credential.make({ apiKey: options.apiKey, source }))
    const owner = base === undefined ? undefined : yield* credential.bind(base.origin)
    const policy = options.policy ?? RetryPolicy.standard
    const { id: provider, keyRequired, scheme } = deployment
    const transport = Transport.make({
      provider,
      client,
      credential,
      scheme,
      keyRequired,
      policy,
      timeouts: options.timeouts
    })
    const headers = { ...allowedHeaders(options.headers), ...protocol.headers }

    const call =
      <A>(provesKey: boolean, read: (answer: Answer.Answer, wire: Answer.Wire) => Transport.Read<A>) =>
      (request: HttpClientRequest.HttpClientRequest) =>
        transport.run({ request, provesKey, read: (answer) => read(answer, deployment) })

    const address = (path: string): Effect.Effect<string, Error> => {
      if (base === undefined) return bad("baseUrl is not an absolute http or https URL without a user in it")
      const name = Object.keys(headers).find((name) => !isHeader(name, headers[name]))
      if (name !== undefined)
        return bad(`the header ${JSON.stringify(name)} cannot be sent: it has characters that HTTP does not allow`)
      if (owner === base.origin) return Effect.succeed(BaseUrl.join(base, path))
      return bad(`the credential of ${credential.source} belongs to ${owner}; make another one for ${base.origin}`)
    }

    const bad = (detail: string) =>
      Effect.fail(
        new ProviderError.InvalidRequest({ ...Transport.nothingSent(provider), reason: "BadRequest", detail })
      )

    const post = (request: Chat.Request, stream: boolean): Effect.Effect<HttpClientRequest.HttpClientRequest, Error> =>
      Effect.gen(function* () {
        const url = yield* address(protocol.path)
        const model = request.model ?? options.model ?? deployment.model ?? ""
        if (model.trim() === "") return yield* bad("no model is named, neither by the request nor by the layer")
        const body = yield* encode({ ...request, extra: { ...options.extra, ...request.extra } }, model, stream)
        return HttpClientRequest.post(url, { headers }).pipe(
          HttpClientRequest.accept(stream ? "text/event-stream" : "application/json"),
          HttpClientRequest.bodyText(body, "application/json")
        )
      })

    const encode = (request: Chat.Request, model: string, stream: boolean): Effect.Effect<string, Error> =>
      Effect.try(() => JSON.stringify(protocol.encode(request, { model, stream, dialect: deployment.dialect }))).pipe(
        Effect.catchAll(({ error }) => bad(`the request cannot be encoded: ${error}`))
      )

    const complete = (request: Chat.Request) =>
      post(request, false).pipe(Effect.flatMap(call(true, Answer.reply)), Effect.scoped)

    return {
      credential,
      complete,
      stream: (request) => post(request, true).pipe(Effect.flatMap(call(true, Answer.stream)), Stream.unwrapScoped),
      models: address(protocol.modelsPath).pipe(
        Effect.map((url) => HttpClientRequest.get(url, { headers, acceptJson: true })),
        Effect.flatMap(call(false, Answer.models)),
        Effect.scoped,
        Effect.map((models) => [...models].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)))
      ),
      verify: Effect.asVoid(complete({ messages: [Chat.user("ping")], maxTokens: 1 }))
    }
  })

/** What the SDK writes itself, and no option may. */
const reserved = new Set(["authorization", "api-key", "x-api-key", "content-type", "content-length", "host"])

const allowedHeaders = (headers: Options["headers"] = {}): { readonly [name: string]: string } =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !reserved.has(name.toLowerCase())))

/** RFC 9110: a token for the name; visible characters, spaces and tabs for the value, so that none begins a new line. */
const isHeader = (name: string, value: string | undefined): boolean =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(name) && value !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
