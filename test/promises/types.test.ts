/** What the compiler must accept. `npm run typecheck` checks these laws; run as tests, they only load. */

import { FetchHttpClient, type HttpClient } from "@effect/platform"
import { describe, expectTypeOf, it } from "@effect/vitest"
import {
  Config,
  type ConfigError,
  Context,
  Effect,
  type Either,
  Layer,
  Redacted,
  type Ref,
  Schedule,
  Schema,
  type Scope,
  Stream,
  type SubscriptionRef
} from "effect"
import type * as Key from "../../src/credential/Key.js"
import {
  Anthropic,
  type AnthropicMessages,
  Chat,
  ChatSchema,
  type Credential,
  DeepSeek,
  Explain,
  Fallback,
  type KnownGood,
  MiMo,
  MiniMax,
  OpenAi,
  type OpenAiChat,
  OpenAiCompatible,
  type OpenAiResponses,
  type Opened,
  type Protocol,
  Provider,
  ProviderError,
  RetryObserver,
  RetryPolicy,
  Tool,
  Toolkit,
  type Transport
} from "../../src/index.js"
import { Errors, Gateway, Jitter, TestProvider } from "../../src/testing/index.js"

type Error = ProviderError.ProviderError
type Client = HttpClient.HttpClient

const request: Chat.Request = { messages: [Chat.user("Why is the sky blue?")] }

describe("a service", () => {
  it("needs nothing, and fails with ProviderError alone", () => {
    expectTypeOf<Provider.Service["stream"]>().returns.toEqualTypeOf<Stream.Stream<Chat.Event, Error, never>>()
    expectTypeOf<Provider.Service["complete"]>().returns.toEqualTypeOf<Effect.Effect<Chat.Reply, Error, never>>()
    expectTypeOf<Provider.Service["models"]>().toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Protocol.Model>, Error, never>
    >()
    expectTypeOf<Provider.Service["verify"]>().toEqualTypeOf<Effect.Effect<void, Error, never>>()
    expectTypeOf<Provider.Service["open"]>().returns.toEqualTypeOf<Effect.Effect<Opened.Opened, Error, Scope.Scope>>()
    expectTypeOf<Provider.Service["listen"]>().returns.toEqualTypeOf<Effect.Effect<Chat.Reply, Error, never>>()
    expectTypeOf<Provider.Service["iterate"]>()
      .parameter(0)
      .toEqualTypeOf<<A>(effect: Effect.Effect<A, never, never>) => Promise<A>>()
  })

  it("decodes an object with what the schema needs, and nothing else", () => {
    const service: Provider.Service = Provider.make({ id: "fake", open: () => Effect.never })
    expectTypeOf(service.completeObject(Schema.NumberFromString, request)).toEqualTypeOf<
      Effect.Effect<Provider.Completed<number>, Error, never>
    >()
    expectTypeOf(service.completeObject<string, string, Client>).returns.toEqualTypeOf<
      Effect.Effect<Provider.Completed<string>, Error, Client>
    >()
  })

  it("may lack a key, but not if a preset makes it", () => {
    expectTypeOf<Provider.Service["credential"]>().toEqualTypeOf<Credential.Credential | undefined>()
    expectTypeOf<Provider.Keyed["credential"]>().toEqualTypeOf<Credential.Credential>()
    expectTypeOf<Provider.Keyed>().toExtend<Provider.Service>()
  })

  it("can be spread into the primitives of another", () => {
    expectTypeOf<Provider.Service>().toExtend<Provider.Primitives>()
    expectTypeOf(Provider.make).returns.toEqualTypeOf<Provider.Service>()
    // @ts-expect-error what it opens may need a scope and nothing else
    Provider.make({ id: "fake", open: () => Effect.flatMap(Provider.Provider, (inner) => inner.open(request)) })
    // @ts-expect-error what it fails with is a ProviderError
    Provider.make({ id: "fake", open: () => Effect.fail("no") })
  })

  it("has a credential whose flag is a Ref that can be followed, and whose key cannot be read", () => {
    expectTypeOf<Provider.Keyed["credential"]["knownGood"]>().toExtend<Ref.Ref<boolean>>()
    expectTypeOf<Provider.Keyed["credential"]["knownGood"]>().toExtend<SubscriptionRef.SubscriptionRef<boolean>>()
    expectTypeOf<keyof Key.Key>().toEqualTypeOf<
      "_tag" | "fingerprint" | "authorize" | "startsWith" | "isMadeOf" | "redact" | "digest"
    >()
  })
})

describe("the accessors", () => {
  it("need a Provider", () => {
    expectTypeOf(Provider.stream(request)).toEqualTypeOf<Stream.Stream<Chat.Event, Error, Provider.Provider>>()
    expectTypeOf(Provider.complete(request)).toEqualTypeOf<Effect.Effect<Chat.Reply, Error, Provider.Provider>>()
    expectTypeOf(Provider.models).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Protocol.Model>, Error, Provider.Provider>
    >()
    expectTypeOf(Provider.verify).toEqualTypeOf<Effect.Effect<void, Error, Provider.Provider>>()
  })
})

describe("an answer of a given shape", () => {
  it("is a value of the schema, and needs what the schema needs", () => {
    const City = Schema.Struct({ name: Schema.String, population: Schema.NumberFromString })
    expectTypeOf(Provider.completeObject(City, request)).toEqualTypeOf<
      Effect.Effect<
        {
          readonly value: { readonly name: string; readonly population: number }
          readonly reply: Chat.Reply
        },
        Error,
        Provider.Provider
      >
    >()
    expectTypeOf(Provider.completeObject<string, string, Client>).returns.toEqualTypeOf<
      Effect.Effect<Provider.Completed<string>, Error, Client | Provider.Provider>
    >()
  })
})

describe("a tool", () => {
  it("goes into a request as it is, and decodes a call into a value or a misfit", () => {
    const weather = Tool.make({ name: "weather", parameters: Schema.Struct({ day: Schema.DateFromString }) })
    expectTypeOf(weather).toExtend<Chat.ToolDefinition>()
    expectTypeOf(weather.decode).parameter(0).toEqualTypeOf<Chat.ToolCall>()
    expectTypeOf(weather.decode).returns.toEqualTypeOf<Either.Either<{ readonly day: Date }, Tool.Misfit>>()
    expectTypeOf<Tool.Misfit["message"]>().toExtend<Chat.Message>()
  })
})

describe("a toolkit", () => {
  class NoSuchCity {
    readonly _tag = "NoSuchCity"
  }
  class Db extends Context.Tag("test/Db")<Db, { readonly find: (id: number) => Effect.Effect<string> }>() {}

  const weather = Tool.make({ name: "weather", parameters: Schema.Struct({ day: Schema.DateFromString }) })
  const find = Tool.make({
    name: "find",
    parameters: Schema.Struct({ id: Schema.NumberFromString }),
    success: Schema.Struct({ at: Schema.Date })
  })
  const found = Effect.flatMap(Db, (db) => Effect.as(db.find(1), { at: new Date(0) }))
  const rain = (day: Date): Effect.Effect<number, NoSuchCity> => Effect.succeed(day.getDate())

  const toolkit = Toolkit.make(weather, find).handlers({
    weather: ({ day }, call) => {
      expectTypeOf(day).toEqualTypeOf<Date>()
      expectTypeOf(call).toEqualTypeOf<Chat.ToolCall>()
      return rain(day)
    },
    find: ({ id }) => {
      expectTypeOf(id).toEqualTypeOf<number>()
      return found
    }
  })

  type Ran =
    | Toolkit.Returned<"weather", number>
    | Toolkit.Failed<"weather", NoSuchCity>
    | Toolkit.Returned<"find", { at: Date }>

  it("knows its tools by name", () => {
    expectTypeOf(weather.name).toEqualTypeOf<"weather">()
    expectTypeOf<Tool.Arguments<typeof find>>().toEqualTypeOf<{ readonly id: number }>()
    expectTypeOf<Tool.Success<typeof find>>().toEqualTypeOf<{ readonly at: Date }>()
    expectTypeOf<Tool.Success<typeof weather>>().toBeUnknown()
  })

  it("gives what its handlers give, fails with nothing, and needs what they need", () => {
    expectTypeOf(toolkit).toEqualTypeOf<Toolkit.Toolkit<Ran, Db>>()
    const handled = toolkit.handle({ reason: "tool-calls", toolCalls: [] })
    expectTypeOf(handled).toEqualTypeOf<Effect.Effect<ReadonlyArray<Toolkit.Result<Ran>>, never, Db>>()
    expectTypeOf<Toolkit.Result<Ran>["message"]>().toEqualTypeOf<Chat.ToolMessage>()
  })

  it("tells its results apart by tag and by name", () => {
    const inside = (result: Toolkit.Result<Ran>) => {
      if (result._tag === "Failed") return result.error
      if (result._tag !== "Returned") return undefined
      return result.name === "find" ? result.value.at : result.value
    }
    expectTypeOf(inside).returns.toEqualTypeOf<NoSuchCity | Date | number | undefined>()
  })

  it("fails with what approve fails with, and needs what it needs", () => {
    const approve = (_: Chat.ToolCall): Effect.Effect<boolean, "gone", Client> => Effect.succeed(true)
    expectTypeOf(toolkit.handle({ reason: "stop", toolCalls: [] }, { approve })).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Toolkit.Result<Ran>>, "gone", Db | Client>
    >()
    const refuses = toolkit.run(
      { id: "1", name: "find", input: {} },
      { approve: () => Effect.succeed({ refuse: "no" }) }
    )
    expectTypeOf(refuses).toEqualTypeOf<Effect.Effect<Toolkit.Result<Ran>, never, Db>>()
  })

  it("is merged of others", () => {
    const roll = Tool.make({ name: "roll", parameters: Schema.Struct({}), success: Schema.Int })
    const both = Toolkit.merge(toolkit, Toolkit.make(roll).handlers({ roll: () => Effect.succeed(4) }))
    expectTypeOf(both).toEqualTypeOf<Toolkit.Toolkit<Ran | Toolkit.Returned<"roll", number>, Db>>()
  })

  it("wants a handler for each tool, of its shape, and no other", () => {
    const tools = Toolkit.make(weather, find)
    const right = { weather: () => Effect.succeed("rain"), find: () => found }
    expectTypeOf(tools.handlers(right)).toExtend<Toolkit.Toolkit<Toolkit.Ran, Db>>()
    const wrong = () => {
      // @ts-expect-error a handler is missing
      tools.handlers({ weather: () => Effect.succeed("rain") })
      // @ts-expect-error the value does not fit `success`
      tools.handlers({ ...right, find: () => Effect.succeed({ at: "now" }) })
      // @ts-expect-error the arguments are of another type
      tools.handlers({ ...right, find: ({ id }: { readonly id: string }) => Effect.as(found, { at: new Date(id) }) })
      // @ts-expect-error a handler gives an effect
      tools.handlers({ ...right, weather: () => "rain" })
      // @ts-expect-error there is no such tool
      tools.handlers({ ...right, snow: () => Effect.succeed("snow") })
    }
    expectTypeOf(wrong).returns.toBeVoid()
  })

  it("converses as a stream that fails with ProviderError, and needs a provider and what the handlers need", () => {
    const conversation = Toolkit.converse(request, { toolkit })
    expectTypeOf(conversation).toEqualTypeOf<Stream.Stream<Toolkit.Event<Ran>, Error, Provider.Provider | Db>>()
    expectTypeOf(conversation.pipe(Toolkit.outcome)).toEqualTypeOf<
      Effect.Effect<Toolkit.Outcome<Ran>, Error, Provider.Provider | Db>
    >()
    expectTypeOf<Toolkit.Outcome["_tag"]>().toEqualTypeOf<"Done" | "MaxSteps" | "Stopped" | "Waiting">()
    expectTypeOf<Toolkit.Outcome<Ran>["steps"][number]["results"][number]>().toEqualTypeOf<Toolkit.Result<Ran>>()
    const whole = Toolkit.converse(request, {
      toolkit,
      maxSteps: 4,
      concurrency: "unbounded",
      stopWhen: ({ usage, steps }) => (usage.totalTokens ?? 0) > 1000 || steps.length > 2,
      approve: (call): Effect.Effect<boolean, "gone", Client> => Effect.succeed(call.name === "find"),
      onProgress: ({ messages }) => Effect.log(messages.length)
    })
    expectTypeOf(whole).toEqualTypeOf<
      Stream.Stream<Toolkit.Event<Ran>, Error | "gone", Provider.Provider | Db | Client>
    >()
    expectTypeOf(Toolkit.before).returns.toEqualTypeOf<Toolkit.Progress | undefined>()
  })
})

describe("a preset", () => {
  type Made = Effect.Effect<Provider.Keyed, never, Client>
  type Layered = Layer.Layer<Provider.Provider, never, Client>
  type Configured = Layer.Layer<Provider.Provider, ConfigError.ConfigError, Client>

  it("makes a service, a layer that cannot fail, and one that fails with ConfigError", () => {
    for (const preset of [MiMo, DeepSeek, MiniMax]) {
      expectTypeOf(preset.make({})).toEqualTypeOf<Made>()
      expectTypeOf(preset.layer({})).toEqualTypeOf<Layered>()
      expectTypeOf(preset.layerConfig({})).toEqualTypeOf<Configured>()
    }
    for (const preset of [Anthropic, OpenAi]) {
      expectTypeOf(preset.make({ model: "m" })).toEqualTypeOf<Made>()
      expectTypeOf(preset.layer({ model: "m" })).toEqualTypeOf<Layered>()
      expectTypeOf(preset.layerConfig({ model: "m" })).toEqualTypeOf<Configured>()
    }
    const own = { id: "local", baseUrl: "http://localhost:11434/v1", model: "qwen3" }
    expectTypeOf(OpenAiCompatible.make(own)).toEqualTypeOf<Made>()
    expectTypeOf(OpenAiCompatible.layer(own)).toEqualTypeOf<Layered>()
    expectTypeOf(OpenAiCompatible.layerConfig(own)).toEqualTypeOf<Configured>()
  })

  it("requires a model if it has no default", () => {
    const key = Redacted.make("key")
    const config = Config.redacted("KEY")
    // @ts-expect-error OpenAI has no default model
    void [OpenAi.make({}), OpenAi.make({ apiKey: key })]
    // @ts-expect-error nor has its layer
    OpenAi.layer({ apiKey: key })
    // @ts-expect-error nor has its layer with the key from Config
    OpenAi.layerConfig({ apiKey: config })
    // @ts-expect-error Anthropic has none
    Anthropic.make({ version: "2023-06-01" })
    // @ts-expect-error in its layer
    Anthropic.layer({ version: "2023-06-01" })
    // @ts-expect-error in its layer with the key from Config
    Anthropic.layerConfig({ version: "2023-06-01" })
    // @ts-expect-error a host of one's own has none
    OpenAiCompatible.make({ id: "local", baseUrl: "http://localhost:11434/v1" })
    // @ts-expect-error in its layer
    OpenAiCompatible.layer({ id: "local", baseUrl: "http://localhost:11434/v1" })
    // @ts-expect-error in its layer with the key from Config
    OpenAiCompatible.layerConfig({ id: "local", baseUrl: "http://localhost:11434/v1" })
    // @ts-expect-error undefined is none
    OpenAi.make({ model: undefined })
    expectTypeOf<{ readonly model?: string | undefined }>().toExtend<Pick<MiMo.Options, "model">>()
    expectTypeOf<{ readonly model?: string | undefined }>().toExtend<Pick<MiniMax.ConfigOptions, "model">>()
    expectTypeOf<{ readonly model?: string | undefined }>().toExtend<Pick<DeepSeek.Options, "model">>()
  })

  it("takes a policy as numbers, too", () => {
    expectTypeOf({ authRetries: 4 }).toExtend<Provider.Options["policy"]>()
    // @ts-expect-error it has no such number
    MiMo.layer({ policy: { authRetry: 4 } })
  })

  it("takes the common options", () => {
    expectTypeOf({
      model: "mimo-v2.5-pro",
      apiKey: Redacted.make("key"),
      keySource: "MY_KEY",
      baseUrl: "https://gateway.test/v1",
      policy: RetryPolicy.standard,
      timeouts: { headers: "1 minute", idle: 1000, stall: "1 hour", errorBody: "1 second" },
      headers: { "x-team": "blue" },
      extra: { top_k: 5 }
    } as const).toExtend<Provider.Options>()
  })

  it("takes a key that rotates, whatever reading it fails with, but not one that needs a service", () => {
    expectTypeOf<Effect.Effect<Redacted.Redacted, Error>>().toExtend<Provider.Options["apiKey"]>()
    expectTypeOf<Effect.Effect<Redacted.Redacted, never, Client>>().not.toExtend<Provider.Options["apiKey"]>()
    expectTypeOf<string>().not.toExtend<Provider.Options["apiKey"]>()
  })

  it("reads its key from Config if told to", () => {
    expectTypeOf(Config.redacted("MY_KEY")).toExtend<Provider.ConfigOptions["apiKey"]>()
    expectTypeOf(Redacted.make("key")).not.toExtend<Provider.ConfigOptions["apiKey"]>()
  })

  it("knows only its own options", () => {
    MiMo.layer({ region: "sgp" })
    MiniMax.layer({ region: "global" })
    // @ts-expect-error MiMo has no such cluster
    MiMo.layer({ region: "moon" })
    // @ts-expect-error DeepSeek has no regions
    DeepSeek.layer({ region: "cn" })
    // @ts-expect-error a host of one's own needs an address
    OpenAiCompatible.layer({ id: "local", model: "qwen3" })
  })

  it("serves a program with several providers, each under its own tag", () => {
    class Planner extends Context.Tag("Planner")<Planner, Provider.Service>() {}
    class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
    const both = Layer.mergeAll(Layer.effect(Planner, DeepSeek.make({})), Layer.effect(Writer, MiMo.make({})))
    expectTypeOf(both).toEqualTypeOf<Layer.Layer<Planner | Writer, never, Client>>()
  })
})

describe("a fallback", () => {
  it("of services is a service", () => {
    const service = Provider.make({ id: "fake", open: () => Effect.never })
    expectTypeOf(Provider.fallback([service, service])).toEqualTypeOf<Provider.Service>()
    // @ts-expect-error of none is none
    const none = () => Provider.fallback([])
    expectTypeOf(none).returns.toEqualTypeOf<Provider.Service>()
  })

  it("of layers fails as each may, and needs what each needs", () => {
    class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}
    class Place extends Context.Tag("Place")<Place, string>() {}
    const service = Provider.make({ id: "fake", open: () => Effect.never })
    const placed = Layer.effect(Provider.Provider, Effect.as(Place, service))
    const broken = Layer.effect(Provider.Provider, Effect.as(Effect.fail(new Broken()), service))
    expectTypeOf(Provider.fallbackLayer([MiMo.layerConfig({}), placed, broken])).toEqualTypeOf<
      Layer.Layer<Provider.Provider, ConfigError.ConfigError | Broken, Client | Place>
    >()
    const onFallback = (notice: Fallback.FallbackNotice) => Effect.log(notice.error.provider, notice.next)
    const options: Fallback.Options = { onFallback, when: Fallback.movesOn }
    expectTypeOf(Provider.fallbackLayer([MiMo.layer({}), DeepSeek.layer({})], options)).toEqualTypeOf<
      Layer.Layer<Provider.Provider, never, Client>
    >()
    // @ts-expect-error of none is none
    Provider.fallbackLayer([])
    // @ts-expect-error each provides a Provider
    Provider.fallbackLayer([FetchHttpClient.layer])
  })
})

/** The optional fields of an object that refuse an explicit `undefined`. */
type Refusing<T> = {
  [K in keyof T]-?: Pick<T, K> extends Record<K, unknown> ? never : Record<K, undefined> extends Pick<T, K> ? never : K
}[keyof T]

describe("options", () => {
  const nothing = <T>(..._refusing: [Refusing<T>] extends [never] ? [] : [Refusing<T>]) => undefined

  it("are told apart from those that refuse undefined", () => {
    expectTypeOf<Refusing<{ a: string; b?: string | undefined; c?: string; readonly d?: () => void }>>().toEqualTypeOf<
      "c" | "d"
    >()
  })

  it("accept an explicit undefined, each option of each constructor", () => {
    nothing<Provider.Options>()
    nothing<Provider.ConfigOptions>()
    nothing<Provider.Deployment>()
    nothing<Parameters<typeof Anthropic.make>[0]>()
    nothing<Parameters<typeof DeepSeek.make>[0]>()
    nothing<Parameters<typeof MiMo.make>[0]>()
    nothing<Parameters<typeof MiniMax.make>[0]>()
    nothing<Parameters<typeof OpenAi.make>[0]>()
    nothing<Parameters<typeof OpenAiCompatible.make>[0]>()
    nothing<Parameters<typeof Anthropic.layerConfig>[0]>()
    nothing<Parameters<typeof OpenAiCompatible.layerConfig>[0]>()
    nothing<Fallback.Options>()
    nothing<Provider.Primitives>()
    nothing<OpenAiChat.Dialect>()
    nothing<OpenAiResponses.Dialect>()
    nothing<AnthropicMessages.Dialect>()
    nothing<Credential.Options>()
    nothing<KnownGood.Options>()
    nothing<RetryPolicy.Options>()
    nothing<Transport.Timeouts>()
    nothing<Parameters<typeof Transport.transformClient>[0]>()
    nothing<Parameters<typeof Tool.make>[0]>()
    nothing<Gateway.Answer>()
    nothing<Gateway.AnswerOptions>()
    nothing<Gateway.ReplyOptions>()
    nothing<Gateway.ToolCallOptions>()
    nothing<Gateway.RefusalOptions>()
    nothing<TestProvider.Options>()
    nothing<TestProvider.ReplyOptions>()
    nothing<TestProvider.ToolCallOptions>()
  })

  it("of requests and messages accept it, too", () => {
    nothing<Chat.Request>()
    nothing<Exclude<Chat.Request["output"], string | undefined>>()
    nothing<Chat.ToolDefinition>()
    nothing<Chat.ToolCall>()
    nothing<Chat.SystemMessage>()
    nothing<Chat.UserMessage>()
    nothing<Chat.AssistantMessage>()
    nothing<Chat.ToolMessage>()
    nothing<Chat.TextPart>()
    nothing<Chat.ImagePart>()
    nothing<Chat.Finish>()
    nothing<NonNullable<Parameters<typeof Chat.system>[1]>>()
    nothing<NonNullable<Parameters<typeof Chat.user>[1]>>()
    nothing<NonNullable<Parameters<typeof Chat.assistant>[1]>>()
    nothing<NonNullable<Parameters<typeof Chat.toolResult>[2]>>()
    nothing<NonNullable<Parameters<typeof Chat.text>[1]>>()
    nothing<NonNullable<Parameters<typeof Chat.image>[1]>>()
  })
})

describe("efforts", () => {
  it("are those of the providers, and none", () => {
    expectTypeOf<Extract<Chat.Reasoning, { readonly effort: unknown }>["effort"]>().toEqualTypeOf<
      "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max"
    >()
  })
})

describe("a schema of the chat", () => {
  it("has the type that programs use, and needs nothing", () => {
    expectTypeOf<Schema.Schema.Type<typeof ChatSchema.Message>>().toEqualTypeOf<Chat.Message>()
    expectTypeOf<Schema.Schema.Type<typeof ChatSchema.Request>>().toEqualTypeOf<Chat.Request>()
    expectTypeOf<Schema.Schema.Type<typeof ChatSchema.Event>>().toEqualTypeOf<Chat.Event>()
    expectTypeOf<Schema.Schema.Type<typeof ChatSchema.Reply>>().toEqualTypeOf<Chat.Reply>()
    expectTypeOf<Schema.Schema.Type<typeof ChatSchema.Usage>>().toEqualTypeOf<Chat.Usage>()
    expectTypeOf<Schema.Schema.Context<typeof ChatSchema.Request>>().toBeNever()
  })

  it("is that of no other type: neither of one that lacks something, nor of one that has more", () => {
    expectTypeOf(Schema.Struct({ text: Schema.String })).not.toExtend<ChatSchema.Of<Chat.TextPart>>()
    expectTypeOf(Schema.Union(ChatSchema.UserMessage, ChatSchema.ToolMessage)).not.toExtend<
      ChatSchema.Of<Chat.Message>
    >()
    expectTypeOf(Schema.Union(ChatSchema.Message, Schema.Literal("root"))).not.toExtend<ChatSchema.Of<Chat.Message>>()
    expectTypeOf(Schema.Literal("stop")).not.toExtend<ChatSchema.Of<Chat.FinishReason>>()
  })

  it("is written with what may be undefined left out", () => {
    expectTypeOf<Schema.Schema.Encoded<typeof ChatSchema.Usage>["inputTokens"]>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Record<never, never>>().toExtend<Schema.Schema.Encoded<typeof ChatSchema.Usage>>()
    expectTypeOf<{ id: string; name: string }>().toExtend<Schema.Schema.Encoded<typeof ChatSchema.ToolCall>>()
  })
})

describe("a policy", () => {
  it("is a schedule over ProviderError, given the flag", () => {
    expectTypeOf(RetryPolicy.standard).toExtend<RetryPolicy.RetryPolicy>()
    expectTypeOf<() => typeof RetryPolicy.none>().toExtend<RetryPolicy.RetryPolicy>()
    expectTypeOf(() => RetryPolicy.transient()).toExtend<RetryPolicy.RetryPolicy>()
    expectTypeOf(RetryPolicy.auth).toExtend<RetryPolicy.RetryPolicy>()
    expectTypeOf(() => Schedule.recurs(3)).toExtend<RetryPolicy.RetryPolicy>()
  })

  it("composes", () => {
    const policy: RetryPolicy.RetryPolicy = (knownGood) =>
      Schedule.union(
        RetryPolicy.when(RetryPolicy.isTransient, Schedule.recurs(3)),
        RetryPolicy.auth(knownGood, { authRetries: 1 })
      ).pipe(RetryPolicy.within("2 minutes"))
    expectTypeOf(policy).toExtend<NonNullable<Provider.Options["policy"]>>()
  })

  it("can be a policy or the options of the standard one, but not a bare schedule", () => {
    type Given = NonNullable<Parameters<typeof Transport.transformClient>[0]["policy"]>
    expectTypeOf<Given>().toEqualTypeOf<RetryPolicy.RetryPolicy | RetryPolicy.Options>()
    expectTypeOf<{ authRetries: number }>().toExtend<Given>()
    expectTypeOf<typeof RetryPolicy.none>().not.toExtend<Given>()
    expectTypeOf(RetryPolicy.make).parameter(0).toEqualTypeOf<Given | undefined>()
    expectTypeOf(RetryPolicy.make).returns.toEqualTypeOf<RetryPolicy.RetryPolicy>()
  })

  it("can be combined data-first and data-last, and needs what its parts need", () => {
    const recurs = Schedule.recurs(3)
    const needy = (_: Error): Effect.Effect<boolean, never, Client> => Effect.succeed(true)
    expectTypeOf(RetryPolicy.when(RetryPolicy.isTransient, recurs)).toEqualTypeOf<
      Schedule.Schedule<number | undefined, Error>
    >()
    expectTypeOf(recurs.pipe(RetryPolicy.when(RetryPolicy.isTransient))).toEqualTypeOf<
      Schedule.Schedule<number | undefined, Error>
    >()
    expectTypeOf(RetryPolicy.when(needy, recurs)).toEqualTypeOf<Schedule.Schedule<number | undefined, Error, Client>>()
    expectTypeOf(recurs.pipe(RetryPolicy.when(needy))).toEqualTypeOf<
      Schedule.Schedule<number | undefined, Error, Client>
    >()
    expectTypeOf(RetryPolicy.within(recurs, "2 minutes")).toEqualTypeOf<Schedule.Schedule<number>>()
    expectTypeOf(recurs.pipe(RetryPolicy.within("2 minutes"))).toEqualTypeOf<Schedule.Schedule<number>>()
  })

  it("needs no service", () => {
    expectTypeOf<
      (flag: Ref.Ref<boolean>) => Schedule.Schedule<unknown, Error, Client>
    >().not.toExtend<RetryPolicy.RetryPolicy>()
  })
})

describe("errors", () => {
  it("are six, each with a tag", () => {
    expectTypeOf<Error["_tag"]>().toEqualTypeOf<
      "AuthMissing" | "AuthRejected" | "Transient" | "QuotaExceeded" | "InvalidRequest" | "InvalidResponse"
    >()
    expectTypeOf<Schema.Schema.Type<typeof ProviderError.schema>>().toEqualTypeOf<Error>()
    expectTypeOf<Schema.Schema.Context<typeof ProviderError.schema>>().toBeNever()
  })

  it("are all handled by catchTags with six tags; with five, one remains", () => {
    const handled = Provider.complete(request).pipe(
      Effect.catchTags({
        AuthMissing: (e) => Effect.succeed(e.source),
        AuthRejected: (e) => Effect.succeed(e.fingerprint),
        Transient: (e) => Effect.succeed(e.reason),
        QuotaExceeded: (e) => Effect.succeed(e.resetsAt),
        InvalidRequest: (e) => Effect.succeed(e.reason),
        InvalidResponse: (e) => Effect.succeed(e.contentType)
      })
    )
    expectTypeOf<Effect.Effect.Error<typeof handled>>().toBeNever()
    const left = Provider.verify.pipe(
      Effect.catchTag("AuthMissing", () => Effect.void),
      Effect.catchTag("AuthRejected", () => Effect.void),
      Effect.catchTag("QuotaExceeded", () => Effect.void),
      Effect.catchTag("InvalidRequest", () => Effect.void),
      Effect.catchTag("InvalidResponse", () => Effect.void)
    )
    expectTypeOf<Effect.Effect.Error<typeof left>>().toEqualTypeOf<ProviderError.Transient>()
  })

  it("are recognized by their guard", () => {
    const value: unknown = undefined
    if (ProviderError.isProviderError(value)) expectTypeOf(value).toEqualTypeOf<Error>()
  })

  it("have a view for a client, of the same class", () => {
    expectTypeOf(ProviderError.toClient<ProviderError.Transient>).returns.toEqualTypeOf<ProviderError.Transient>()
    const viewed = Effect.mapError(Provider.complete(request), ProviderError.toClient)
    expectTypeOf(viewed).toEqualTypeOf<Effect.Effect<Chat.Reply, Error, Provider.Provider>>()
    expectTypeOf(ProviderError.httpStatus).toEqualTypeOf<(error: Error) => number>()
  })

  it("have words, with or without a catalog", () => {
    expectTypeOf(Explain.explain).parameter(0).toEqualTypeOf<Error>()
    expectTypeOf(Explain.explain).returns.toEqualTypeOf<Explain.Explanation>()
    expectTypeOf(Explain.retrying).parameter(0).toEqualTypeOf<RetryObserver.RetryNotice>()
  })
})

describe("a program", () => {
  it("of the README type-checks, and can be run", () => {
    const program = Provider.stream({ messages: [Chat.user("Why is the sky blue?")] }).pipe(
      Chat.textOnly,
      Stream.runForEach((text) => Effect.log(text)),
      Effect.catchTags({
        AuthMissing: (e) => Effect.logError(Explain.explain(e).detail),
        AuthRejected: (e) => Effect.logError(Explain.explain(e).detail),
        Transient: (e) => Effect.logError(Explain.explain(e).detail)
      })
    )
    const runnable = program.pipe(
      Effect.provide(MiMo.layerConfig({ region: "sgp", model: "mimo-v2.5-pro" })),
      Effect.provide(FetchHttpClient.layer)
    )
    expectTypeOf(runnable).toEqualTypeOf<
      Effect.Effect<
        void,
        | ProviderError.QuotaExceeded
        | ProviderError.InvalidRequest
        | ProviderError.InvalidResponse
        | ConfigError.ConfigError,
        never
      >
    >()
  })

  it("adds up a stream with collect, which keeps its errors and requirements", () => {
    expectTypeOf(Chat.collect(Provider.stream(request))).toEqualTypeOf<
      Effect.Effect<Chat.Reply, Error, Provider.Provider>
    >()
  })

  it("appends a reply's message to the history as it is", () => {
    expectTypeOf<Chat.Reply["message"]>().toExtend<Chat.Message>()
    expectTypeOf<Chat.Reply["toolCalls"][number]>().toExtend<Parameters<typeof Chat.toolResult>[0]>()
  })

  it("can be watched while it retries", () => {
    const watched = Provider.complete(request).pipe(
      Effect.provideService(RetryObserver.RetryObserver, {
        onRetry: (notice) => Effect.log(Explain.retrying(notice).title)
      })
    )
    expectTypeOf(watched).toEqualTypeOf<Effect.Effect<Chat.Reply, Error, Provider.Provider>>()
  })

  it("is tested against a scripted gateway, which is an HttpClient", () => {
    const layer = Layer.provideMerge(MiMo.layer({}), Gateway.layer([Gateway.status(401)]))
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<Provider.Provider | Gateway.Gateway | Client, never, never>>()
  })
})

describe("the scripted gateway", () => {
  it("takes every event of an answer, and the end of one as options", () => {
    expectTypeOf<Chat.Event>().toExtend<Gateway.Event>()
    expectTypeOf<Chat.Finish>().toExtend<Gateway.ReplyOptions>()
    expectTypeOf<Chat.Usage>().toExtend<Gateway.Counts>()
    expectTypeOf<Chat.FinishReason>().toEqualTypeOf<NonNullable<Gateway.ReplyOptions["reason"]>>()
  })

  it("takes one answer, a list of them, or a function, and a change leaves an answer one", () => {
    expectTypeOf(Gateway.reply("Hi")).toExtend<Gateway.Script>()
    expectTypeOf([Gateway.reply("Hi"), Gateway.json({})]).toExtend<Gateway.Script>()
    expectTypeOf(Gateway.drop(1, Gateway.json({}))).toEqualTypeOf<Gateway.Answer>()
    expectTypeOf(Gateway.paced("1 second", Gateway.reply("Hi"))).toEqualTypeOf<Gateway.Scripted>()
    // @ts-expect-error a text is no answer: Gateway.text and Gateway.reply make one
    Gateway.layer(["Hi"])
    // @ts-expect-error there is no such reason
    Gateway.reply("Hi", { reason: "tired" })
  })
})

describe("the provider for tests", () => {
  it("is a layer that needs nothing and cannot fail, or a value; its members need nothing", () => {
    expectTypeOf(TestProvider.layer()).toEqualTypeOf<
      Layer.Layer<TestProvider.TestProvider | Provider.Provider, never, never>
    >()
    expectTypeOf(TestProvider.make()).toEqualTypeOf<Effect.Effect<TestProvider.Service, never, never>>()
    expectTypeOf<ReturnType<TestProvider.Service["push"]>>().toEqualTypeOf<Effect.Effect<void, never, never>>()
    expectTypeOf<TestProvider.Service["calls"]>().toEqualTypeOf<
      Effect.Effect<ReadonlyArray<TestProvider.Call>, never, never>
    >()
    expectTypeOf<TestProvider.Written["taken"]>().toEqualTypeOf<Effect.Effect<void, never, never>>()
    expectTypeOf(TestProvider.requests).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Chat.Request>, never, TestProvider.TestProvider>
    >()
  })

  it("says texts, events and effects, fails with a ProviderError alone, and needs no service", () => {
    expectTypeOf<Chat.Event>().toExtend<TestProvider.Piece>()
    expectTypeOf<Error>().toExtend<TestProvider.Piece>()
    expectTypeOf<Stream.Stream<Chat.Event, Error>>().toExtend<TestProvider.Scripted>()
    TestProvider.layer([TestProvider.replies(["a", Effect.sleep(1), Errors.transient()]), TestProvider.reply("b")])
    // @ts-expect-error a text alone is no answer
    TestProvider.layer(["a"])
    // @ts-expect-error no provider fails with this
    TestProvider.replies(["a", Effect.fail("no")])
    // @ts-expect-error nobody provides it
    TestProvider.replies([Effect.asVoid(Provider.Provider)])
    // @ts-expect-error nor does any provider fail with this
    TestProvider.fail("no")
  })

  it("has errors of each class, whose facts are typed", () => {
    expectTypeOf(Errors.authMissing).returns.toEqualTypeOf<ProviderError.AuthMissing>()
    expectTypeOf(Errors.authRejected).returns.toEqualTypeOf<ProviderError.AuthRejected>()
    expectTypeOf(Errors.transient).returns.toEqualTypeOf<ProviderError.Transient>()
    expectTypeOf(Errors.quotaExceeded).returns.toEqualTypeOf<ProviderError.QuotaExceeded>()
    expectTypeOf(Errors.invalidRequest).returns.toEqualTypeOf<ProviderError.InvalidRequest>()
    expectTypeOf(Errors.invalidResponse).returns.toEqualTypeOf<ProviderError.InvalidResponse>()
    // @ts-expect-error there is no such reason
    void (() => Errors.transient({ reason: "Tired" }))
    // @ts-expect-error and no such fact
    void (() => Errors.transient({ colour: "red" }))
  })

  it("takes chance away with a layer that needs and gives nothing", () => {
    expectTypeOf(Jitter.none).toEqualTypeOf<Layer.Layer<never, never, never>>()
  })
})
