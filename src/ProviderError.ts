/**
 * What can go wrong with a call to a provider: one flat tagged union, facts only.
 *
 * The errors are schemas, so they cross RPC, HTTP and worker boundaries, and the other side matches the same tags.
 * They hold no sentence for an end user (`Explain` writes those), no `HttpClient` type, and no key or part of one.
 */
import { AnnotationStatus } from "@effect/platform/HttpApiSchema"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"

/** In milliseconds. JSON has no number for an endless wait, so that is null. */
const Wait = Schema.transform(Schema.NullOr(Schema.NonNegative), Schema.DurationFromSelf, {
  strict: true,
  decode: (millis) => (millis === null ? Duration.infinity : Duration.millis(millis)),
  encode: (wait) => (Duration.isFinite(wait) ? Duration.toMillis(wait) : null)
})

/** One HTTP request that failed, as it is remembered in `history`. */
export const Attempt = Schema.Struct({
  /** The HTTP status, where there was an answer. */
  status: Schema.optional(Schema.Int),
  /** The error's tag, or the `reason` of a `Transient`. */
  reason: Schema.String,
  /** What the server calls this request, where it said so. */
  requestId: Schema.optional(Schema.String),
  /** The wait that followed before the next request. Absent on the last entry. */
  wait: Schema.optional(Wait)
})
/** One HTTP request that failed, as it is remembered in `history`. */
export type Attempt = typeof Attempt.Type

/** The facts that every error carries. */
const common = {
  /** The provider's id: `mimo`, `anthropic`, … */
  provider: Schema.String,
  /** HTTP requests really made by this call; 0 if nothing was sent. */
  attempts: Schema.NonNegativeInt,
  /** One entry per request made, oldest first. */
  history: Schema.Array(Attempt),
  /** Whether output of this answer had already reached the caller. Such a call is never repeated. */
  emitted: Schema.Boolean,
  /** The text that had arrived before the failure, so that a UI keeps what it shows. */
  partial: Schema.optional(Schema.String),
  /** `x-request-id`, `request-id`, `trace-id`, `x-trace-id` or the body's own field. */
  requestId: Schema.optional(Schema.String),
  /** The HTTP status, where there was an answer. An error inside a 200 keeps the 200. */
  status: Schema.optional(Schema.Int),
  /** The server's own code for the error, or the system's (`ECONNREFUSED`). */
  code: Schema.optional(Schema.String),
  /** The server's reason, scrubbed of secrets, at most 800 characters. */
  detail: Schema.optional(Schema.String),
  /** What the server said with `x-should-retry`. */
  shouldRetry: Schema.optional(Schema.Boolean)
}

const line = (error: { readonly _tag: string } & Facts, ...words: ReadonlyArray<string | number | undefined>): string =>
  [error.provider, ...words, error.status, error.code].filter(Predicate.isNotUndefined).join(" ") +
  ` (requests made: ${error.attempts})` +
  (error.detail === undefined ? "" : `: ${error.detail}`)

/** The status that an `HttpApi` answers with. `httpStatus` says why. */
const answers = (status: number) => ({ [AnnotationStatus]: status })

/** Why no key could be sent. */
export const KeyProblem = Schema.Literal(
  /** Nothing is configured. */
  "Absent",
  /** The value is empty or white space. */
  "Blank",
  /** The value has a character that an HTTP header cannot carry. */
  "Unsendable",
  /** The effect that reads the key failed. */
  "Unreadable"
)
/** Why no key could be sent. */
export type KeyProblem = typeof KeyProblem.Type

/** No usable key is configured: the server asked for one, or the provider always needs one (`attempts: 0`). */
export class AuthMissing extends Schema.TaggedError<AuthMissing>("knowngood.AuthMissing")(
  "AuthMissing",
  {
    ...common,
    /** Where the key is looked for, by default the name of an environment variable. Absent from what `toClient` gives. */
    source: Schema.optional(Schema.String),
    /** Why no key could be sent. */
    problem: KeyProblem
  },
  answers(503)
) {
  /** The facts in one line, for a log. `Explain` has the words for a reader. */
  override get message(): string {
    return line(this, this.problem, this.source)
  }
}

/** A key was sent and refused, after the auth retries if the key was known good. */
export class AuthRejected extends Schema.TaggedError<AuthRejected>("knowngood.AuthRejected")(
  "AuthRejected",
  {
    ...common,
    /** Where the key came from, by default the name of an environment variable. Absent from what `toClient` gives. */
    source: Schema.optional(Schema.String),
    /**
     * The first 8 hex digits of the key's SHA-256: it tells keys apart and reveals none. Absent from what `toClient`
     * gives.
     */
    fingerprint: Schema.optional(Schema.String),
    /** Whether the key was known good when it was refused. */
    knownGood: Schema.Boolean,
    /** The wait that the server asked for. */
    retryAfter: Schema.optional(Wait),
    /** What the form of the key suggests. It is a guess: the key was sent all the same. */
    hint: Schema.optional(Schema.Literal("KeyForOtherHost")),
    /** With the hint: the hosts that keys of this form belong to. */
    hosts: Schema.optional(Schema.Array(Schema.String))
  },
  answers(502)
) {
  /** The facts in one line, for a log. `Explain` has the words for a reader. */
  override get message(): string {
    return line(this, "key", this.fingerprint, this.knownGood ? "(known good)" : "(not known good)")
  }
}

/** Why trying again later can work. */
export const TransientReason = Schema.Literal(
  /** Too many requests: 429, or a code that says so. */
  "RateLimited",
  /** The server has no room for anybody: 503, 529, or a code that says so. */
  "Overloaded",
  /** The server failed: any other 5xx, or a model that broke off. */
  "ServerError",
  /** Something else was going on with the same resource: 409, 425. */
  "Conflict",
  /** No answer in time: 408, 504, 524, or the SDK's own clock for headers. */
  "TimedOut",
  /** No connection, or it broke before an answer; `code` has the system's code for why. */
  "Unreachable",
  /** The answer ended before it was complete. */
  "StreamInterrupted",
  /** Nothing more of the answer arrived; `clock` says what was missing. */
  "StreamStalled"
)
/** Why trying again later can work. */
export type TransientReason = typeof TransientReason.Type

/** A clock of the SDK that ran out. */
export const TransientClock = Schema.Literal(
  /** No headers arrived. */
  "headers",
  /** No bytes arrived. */
  "idle",
  /** Bytes arrived, but no model output. */
  "stall"
)
/** A clock of the SDK that ran out. */
export type TransientClock = typeof TransientClock.Type

/** Trying again later can work. */
export class Transient extends Schema.TaggedError<Transient>("knowngood.Transient")(
  "Transient",
  {
    ...common,
    /** Why trying again later can work. */
    reason: TransientReason,
    /** Which of our clocks ran out, where one did. */
    clock: Schema.optional(TransientClock),
    /** The wait that the server asked for. */
    retryAfter: Schema.optional(Wait)
  },
  answers(503)
) {
  /** The facts in one line, for a log. `Explain` has the words for a reader. */
  override get message(): string {
    return line(this, this.reason, this.clock)
  }
}

/** The balance or the plan's allotment is used up. */
export class QuotaExceeded extends Schema.TaggedError<QuotaExceeded>("knowngood.QuotaExceeded")(
  "QuotaExceeded",
  {
    ...common,
    /** When the allotment is renewed, if the server said so. */
    resetsAt: Schema.optional(Schema.DateTimeUtc)
  },
  answers(402)
) {
  /** The facts in one line, for a log. `Explain` has the words for a reader. */
  override get message(): string {
    return line(this, "quota")
  }
}

/** Why sending the same request again cannot work. */
export const InvalidRequestReason = Schema.Literal(
  /** More tokens than the model can take. */
  "ContextOverflow",
  /** The provider has no such model, or not for this key. */
  "ModelNotFound",
  /** A content filter refused the request. */
  "ContentFiltered",
  /** The body has too many bytes. */
  "TooLarge",
  /** The host offers nothing under this address: the base URL may be wrong. */
  "NotOffered",
  /** Anything else; `problem` says what, if it was found before the request was sent. */
  "BadRequest"
)
/** Why sending the same request again cannot work. */
export type InvalidRequestReason = typeof InvalidRequestReason.Type

/** What the SDK itself found wrong with a request: all but the last before anything was sent. */
export const InvalidRequestProblem = Schema.Literal(
  /** No model is named, neither by the request nor by the layer. */
  "NoModel",
  /** `baseUrl` is not an absolute http or https URL, or has a user in it. */
  "BadBaseUrl",
  /** `baseUrl` is plain http to another machine, where anyone on the way can read the key. */
  "InsecureBaseUrl",
  /** The credential belongs to another host, which `subject` names. */
  "ForeignCredential",
  /** A header, which `subject` names, has characters that HTTP does not allow. */
  "BadHeader",
  /** No JSON can be of the schema that `completeObject` was given; `subject` says where in it. */
  "BadSchema",
  /** The request cannot be written as JSON. */
  "Unencodable",
  /** The model or API version takes no such option; `subject` names it. */
  "Unsupported",
  /** The host's certificate cannot be verified; `code` has the system's code for why. */
  "UntrustedCertificate"
)
/** What the SDK itself found wrong with a request. */
export type InvalidRequestProblem = typeof InvalidRequestProblem.Type

/** Sending the same request again cannot work. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>("knowngood.InvalidRequest")(
  "InvalidRequest",
  {
    ...common,
    /** Why sending the same request again cannot work. */
    reason: InvalidRequestReason,
    /** What we found wrong ourselves. Absent if the server refused the request. */
    problem: Schema.optional(InvalidRequestProblem),
    /** With `problem`: the header, host or option that it is about. */
    subject: Schema.optional(Schema.String)
  },
  answers(400)
) {
  /** The facts in one line, for a log. `Explain` has the words for a reader. */
  override get message(): string {
    return line(this, this.problem ?? this.reason, this.subject)
  }
}

/** In what way an answer is not what the protocol says, or not what the program asked for. */
export const InvalidResponseReason = Schema.Literal(
  /** A page, broken JSON, an answer without its parts. */
  "NotTheProtocol",
  /** Nothing at all. */
  "Empty",
  /** A redirect. `location` says where to; it is not followed, because that would send the key along. */
  "Redirect",
  /** Larger than the limit for an answer. */
  "TooLarge",
  /** The model was asked for JSON, and wrote something else. */
  "NotJson",
  /** The model's JSON does not fit the schema. `mismatch` says where. */
  "SchemaMismatch",
  /** The model was asked for JSON, and stopped at its token limit. */
  "Truncated",
  /** The model refused. `refusal` has its words. */
  "Refused",
  /** A content filter stopped the answer. */
  "Filtered"
)
/** In what way an answer is not what the protocol says, or not what the program asked for. */
export type InvalidResponseReason = typeof InvalidResponseReason.Type

/** Finite, because JSON has no other numbers. */
const Count = Schema.optional(Schema.JsonNumber)

/** A 2xx that is not what the protocol says or not what the program asked for, or a redirect. */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>("knowngood.InvalidResponse")(
  "InvalidResponse",
  {
    ...common,
    /** In what way it is not what the protocol says, or not what the program asked for. */
    reason: InvalidResponseReason,
    /** The answer's `content-type`, if it has one. */
    contentType: Schema.optional(Schema.String),
    /** Where a redirect points, if the server said so. */
    location: Schema.optional(Schema.String),
    /** One place where the value does not fit, in at most 200 characters: "city: expected string, got 42". */
    mismatch: Schema.optional(Schema.String),
    /** The tool whose arguments are not JSON. */
    tool: Schema.optional(Schema.String),
    /** What the model said instead of an answer. */
    refusal: Schema.optional(Schema.String),
    /** Why the model stopped, in the provider's own word. */
    finishReason: Schema.optional(Schema.String),
    /** What the answer cost all the same, in tokens. */
    usage: Schema.optional(
      Schema.Struct({
        inputTokens: Count,
        outputTokens: Count,
        totalTokens: Count,
        cachedInputTokens: Count,
        reasoningTokens: Count
      })
    ),
    /** The first 120 characters of what arrived, scrubbed of secrets. */
    preview: Schema.optional(Schema.String)
  },
  answers(502)
) {
  /** The facts in one line, for a log. `Explain` has the words for a reader. */
  override get message(): string {
    return line(this, this.reason, this.mismatch ?? this.tool ?? this.location ?? this.contentType)
  }
}

/**
 * The errors of a class that do not have its status. Of the members that fit, `HttpApi` takes the first, so they stand
 * before their class.
 */
const answering = <A extends ProviderError, I>(status: number, self: Schema.Schema<A, I>) =>
  self.pipe(
    Schema.filter((error) => httpStatus(error) === status),
    Schema.annotations(answers(status))
  )

/**
 * Everything that a call can fail with, as a schema: for RPC, HTTP APIs and workers. An `HttpApi` that declares it answers
 * each error with its `httpStatus`.
 *
 * @example
 * import { HttpApiEndpoint } from "@effect/platform"
 * import { Schema } from "effect"
 * import { ProviderError } from "knowngood"
 *
 * const haiku = HttpApiEndpoint.get("haiku", "/haiku").addSuccess(Schema.String).addError(ProviderError.schema)
 */
export const schema = /* @__PURE__ */ Schema.Union(
  AuthMissing,
  AuthRejected,
  /* @__PURE__ */ answering(429, Transient),
  Transient,
  QuotaExceeded,
  /* @__PURE__ */ answering(413, InvalidRequest),
  /* @__PURE__ */ answering(422, InvalidRequest),
  /* @__PURE__ */ answering(500, InvalidRequest),
  InvalidRequest,
  InvalidResponse
)
/** Everything that a call can fail with. */
export type ProviderError = AuthMissing | AuthRejected | Transient | QuotaExceeded | InvalidRequest | InvalidResponse

/** The facts that every `ProviderError` carries. */
export type Facts = Schema.Struct.Type<typeof common>

/** Is this value one of the six errors? */
export const isProviderError: (u: unknown) => u is ProviderError = /* @__PURE__ */ Schema.is(schema)

/**
 * The HTTP status of a service that could not answer because of this error: what its caller can do decides.
 *
 * | status | when                                                                                       |
 * | ------ | ------------------------------------------------------------------------------------------ |
 * | 400    | `InvalidRequest`: the caller has to change the request                                     |
 * | 413    | `InvalidRequest` that is too long for the model or the host                                |
 * | 422    | `InvalidRequest` that a content filter refused                                             |
 * | 402    | `QuotaExceeded`                                                                            |
 * | 429    | `Transient` with `RateLimited`: the caller can slow down                                   |
 * | 503    | any other `Transient`, and `AuthMissing`: the service cannot answer now                    |
 * | 502    | `AuthRejected`, `InvalidResponse`: the provider answered the service, and not as it should |
 * | 500    | `InvalidRequest` by how the service is set up: its base URL, headers, schemas, certificates |
 *
 * 401 and 403 are no answer to give: they would speak of the caller's key, and a browser or a proxy acts on them.
 */
export const httpStatus = (error: ProviderError): number => {
  switch (error._tag) {
    case "AuthMissing":
      return 503
    case "AuthRejected":
    case "InvalidResponse":
      return 502
    case "Transient":
      return error.reason === "RateLimited" ? 429 : 503
    case "QuotaExceeded":
      return 402
    case "InvalidRequest":
      return httpStatusOfRequest(error)
  }
}

const httpStatusOfRequest = ({ problem, reason }: InvalidRequest): number => {
  switch (problem ?? reason) {
    case "TooLarge":
    case "ContextOverflow":
      return 413
    case "ContentFiltered":
      return 422
    case "NotOffered":
    case "BadBaseUrl":
    case "InsecureBaseUrl":
    case "ForeignCredential":
    case "BadHeader":
    case "BadSchema":
    case "UntrustedCertificate":
      return 500
    case "ModelNotFound":
    case "BadRequest":
    case "NoModel":
    case "Unencodable":
    case "Unsupported":
      return 400
  }
}

/**
 * The response headers that go with `httpStatus`: `retry-after`, in whole seconds and never too early, where the provider
 * asked for a wait. Otherwise none. An `HttpApi` cannot derive headers from an error, so a handler sets them.
 *
 * @example
 * import { HttpApp, HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { ProviderError } from "knowngood"
 *
 * const withHeaders = Effect.tapError((error: ProviderError.ProviderError) =>
 *   HttpApp.appendPreResponseHandler((_request, response) =>
 *     Effect.succeed(HttpServerResponse.setHeaders(response, ProviderError.httpHeaders(error)))
 *   )
 * )
 */
export const httpHeaders = (error: ProviderError): { readonly "retry-after"?: string } => {
  const wait = "retryAfter" in error ? error.retryAfter : undefined
  return wait === undefined || !Duration.isFinite(wait)
    ? {}
    : { "retry-after": String(Math.ceil(Duration.toSeconds(wait))) }
}

/**
 * The view of an error that may leave the house, for a browser or any other caller of a service: the same tag and class,
 * so that the same matches and the same words fit.
 *
 * It is without what tells of the key or the machine: `source`, `fingerprint`, `hint`, `hosts`, `history`, the `location`
 * of a redirect, the `preview` of what came, a `subject` other than an unsupported option, and `detail`, because
 * providers put the account's organization and project into it, and proxies the machine's address. The `requestId` stays:
 * by it a report finds its entry in the service's log.
 *
 * @example
 * import { Effect } from "effect"
 * import { type Chat, Provider, ProviderError } from "knowngood"
 *
 * const answer = (request: Chat.Request) =>
 *   Provider.complete(request).pipe(Effect.tapError(Effect.logError), Effect.mapError(ProviderError.toClient))
 */
export const toClient = <E extends ProviderError>(error: E): E => view(error) as E

/** Each branch makes the class that came, which a type parameter cannot say. */
const view = (error: ProviderError): ProviderError => {
  switch (error._tag) {
    case "AuthMissing":
      return new AuthMissing({ ...Struct.omit(error, "source", "detail"), history: [] })
    case "AuthRejected":
      return new AuthRejected({
        ...Struct.omit(error, "source", "fingerprint", "hint", "hosts", "detail"),
        history: []
      })
    case "Transient":
      return new Transient({ ...Struct.omit(error, "detail"), history: [] })
    case "QuotaExceeded":
      return new QuotaExceeded({ ...Struct.omit(error, "detail"), history: [] })
    case "InvalidRequest":
      return new InvalidRequest({
        ...(error.problem === "Unsupported" ? Struct.omit(error, "detail") : Struct.omit(error, "detail", "subject")),
        history: []
      })
    case "InvalidResponse":
      return new InvalidResponse({ ...Struct.omit(error, "location", "preview", "detail"), history: [] })
  }
}

/**
 * The facts of a call that sent nothing.
 *
 * @internal
 */
export const nothingSent = (provider: string): Facts => ({ provider, attempts: 0, history: [], emitted: false })
