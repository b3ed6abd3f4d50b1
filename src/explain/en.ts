/** English. */
import type { Catalog } from "./Catalog.js"

/** No status is shown for 0 either: browsers report a redirect that way. */
const http = (status: number | undefined): string => (status ? ` (HTTP ${status})` : "")

const also = (code: string | undefined): string => (code === undefined ? "" : ` (${code})`)

/** Short, for a title: "0.6 s". */
const time = (seconds: number): string =>
  seconds < 10
    ? `${Number(seconds.toFixed(1))} s`
    : seconds < 120
      ? `${Math.round(seconds)} s`
      : seconds < 7200
        ? `${Math.round(seconds / 60)} minutes`
        : seconds < 172_800
          ? `${Math.round(seconds / 3600)} hours`
          : `${Math.round(seconds / 86_400)} days`

/** In words, for a sentence, and never less than the wait. */
const waitFor = (seconds: number): string => {
  const whole = Math.max(1, Math.ceil(seconds))
  return `Try again in ${whole < 120 ? `${whole} second${whole === 1 ? "" : "s"}` : time(whole)}.`
}

/** Somebody else's words. A final full stop is dropped, because the sentence around them has its own. */
const quoted = (words: string): string => `“${words.trim().replace(/\.$/, "")}”`

const or = new Intl.ListFormat("en", { type: "disjunction" })

const retryLater = "Try again in a moment."
const rephrase = "Rephrase the request."
const operator = "Tell whoever runs the service."

/** Helps only where the certificate's issuer is not trusted. */
const trustIssuer =
  "If a TLS-inspecting proxy sits in between, or the host uses a private CA, save that CA's certificate as a PEM file and point NODE_EXTRA_CA_CERTS at it."

const untrusted = (what: string, code: string | undefined): string =>
  `${what}${also(code)}, so the request was not sent.`

/** The English catalog, which `Explain` uses unless it is given another. */
export const en: Catalog = {
  AuthMissing: {
    Absent: ({ source }, provider) => ({
      title: "No API key",
      detail: `No API key is configured for ${provider}, so nothing was sent.`,
      action: `Set ${source} to your ${provider} API key.`
    }),
    Blank: ({ source }, provider) => ({
      title: "The API key is blank",
      detail: `${source} is set but blank, so nothing was sent.`,
      action: `Set ${source} to your ${provider} API key.`
    }),
    Unsendable: ({ source }, provider) => ({
      title: "The API key cannot be sent",
      detail: `The key in ${source} contains a character that an HTTP header cannot carry, such as a line break or an ellipsis, so nothing was sent.`,
      action: `Copy your ${provider} API key into ${source} again.`
    }),
    Unreadable: ({ source }) => ({
      title: "The API key could not be read",
      detail: `Reading the key from ${source} failed, so nothing was sent.`,
      action: `Check that this program can read ${source}.`
    }),
    Asked: ({ source, status }, provider) => ({
      title: "An API key is required",
      detail: `${provider} refused a request without a key${http(status)}.`,
      action: `Set ${source} to your ${provider} API key.`
    })
  },
  AuthRejected: {
    notKnownGood: ({ fingerprint, source, status }, provider, wait) => ({
      title: "API key refused",
      detail: `${refused(source, status, provider)} This key (fingerprint ${fingerprint}) is not known to work.`,
      action: `Check that ${source} holds the complete key, and that ${provider} issued it for this address and region.${wait === undefined ? "" : ` ${wait}`}`
    }),
    knownGood: ({ fingerprint, source, status }, provider, wait) => ({
      title: "API key refused, although it has worked before",
      detail: `${refused(source, status, provider)} This key (fingerprint ${fingerprint}) has been accepted before, so the likely cause is load or a quota at the gateway, not the key.`,
      action: `${wait ?? "Try again in a minute."} If it keeps happening, check the account's quota first, then ${source}.`
    })
  },
  withheld: {
    missing: (provider) => ({
      title: "The service has no API key",
      detail: `The service that you use has no API key for ${provider} that can be sent.`,
      action: operator
    }),
    notKnownGood: (provider, wait) => ({
      title: "The service's API key was refused",
      detail: `${provider} did not accept the API key of the service that you use.`,
      action: wait === undefined ? operator : `${wait} If it keeps happening, tell whoever runs the service.`
    }),
    knownGood: (provider, wait) => ({
      title: "The service's API key was refused, although it has worked before",
      detail: `${provider} did not accept the API key of the service that you use. It has been accepted before, so the likely cause is load or a quota, not the key.`,
      action: `${wait ?? "Try again in a minute."} If it keeps happening, tell whoever runs the service.`
    })
  },
  Transient: {
    RateLimited: ({ status }, provider) => ({
      title: "Too many requests",
      detail: status
        ? `${provider} is rate-limiting requests${http(status)}.`
        : `Requests to ${provider} are being rate-limited.`,
      action: retryLater
    }),
    Overloaded: ({ status }, provider) => ({
      title: "Provider overloaded",
      detail: status ? `${provider} is overloaded${http(status)}.` : `There is no capacity at ${provider} right now.`,
      action: retryLater
    }),
    ServerError: ({ status }, provider) => ({
      title: "Provider error",
      detail: status
        ? `${provider} reported an internal error${http(status)}.`
        : `Something went wrong at ${provider}.`,
      action: retryLater
    }),
    Conflict: ({ status }, provider) => ({
      title: "Request conflict",
      detail: `The request to ${provider} conflicted with another one, or arrived too early${http(status)}.`,
      action: retryLater
    }),
    TimedOut: ({ status }, provider) => ({
      title: "Timed out",
      detail: status ? `${provider} reported a timeout${http(status)}.` : `The request to ${provider} timed out.`,
      action: retryLater
    }),
    Unreachable: ({ code }, provider) => ({
      title: "Connection failed",
      detail: `The connection to ${provider} failed${also(code)}.`,
      action: "Check the network, any proxy and the base URL, then try again."
    }),
    StreamInterrupted: (_, provider) => ({
      title: "The answer was cut off",
      detail: `The connection to ${provider} closed before the answer was complete.`,
      action: "Try again."
    }),
    StreamStalled: (_, provider) => ({
      title: "The answer stalled",
      detail: `The connection to ${provider} stayed open, but the rest of the answer did not arrive.`,
      action: "Try again."
    })
  },
  clock: {
    headers: (_, provider) => ({
      title: "No response in time",
      detail: `No response from ${provider} arrived in time, so the request was abandoned.`,
      action: retryLater
    }),
    idle: (_, provider) => ({
      title: "The answer stalled",
      detail: `The connection to ${provider} stayed open, but no data arrived for too long.`,
      action: "Try again."
    }),
    stall: (_, provider) => ({
      title: "The answer stalled",
      detail: `The connection to ${provider} was kept alive, but no model output arrived for too long.`,
      action: "Try again."
    })
  },
  QuotaExceeded: ({ resetsAt, status }, provider) => ({
    title: "Quota used up",
    detail: `The account balance or plan quota at ${provider} is used up${http(status)}. The key is not the problem.`,
    action:
      resetsAt === undefined
        ? "Top up the account, or wait until the plan's quota renews."
        : `Wait until ${String(resetsAt.toJSON()).slice(0, 19).replace("T", " ")} UTC, or upgrade the plan.`
  }),
  InvalidRequest: {
    ContextOverflow: ({ status }) => ({
      title: "The conversation is too long",
      detail: `The request has more tokens than this model's context window holds${http(status)}.`,
      action: "Shorten the conversation, or use a model with a larger context window."
    }),
    ModelNotFound: ({ status }, provider) => ({
      title: "Model not available",
      detail: `This model is not available from ${provider} at this address${http(status)}.`,
      action: "Choose a model that the provider lists."
    }),
    ContentFiltered: ({ status }, provider) => ({
      title: "Blocked by a content filter",
      detail: status
        ? `${provider} refused to process this content${http(status)}.`
        : "A content filter blocked the request.",
      action: rephrase
    }),
    TooLarge: ({ status }, provider) => ({
      title: "Request too large",
      detail: `The request is larger than ${provider} accepts${http(status)}.`,
      action: "Send less: a shorter conversation, or fewer or smaller images."
    }),
    NotOffered: ({ status }, provider) => ({
      title: "Not available here",
      detail: status
        ? `${provider} does not offer this feature at this address${http(status)}.`
        : "This feature is not available at this address.",
      action: "Check the base URL, and whether the provider supports the feature."
    }),
    BadRequest: ({ status }, provider) => ({
      title: "Invalid request",
      detail: status
        ? `${provider} rejected the request${http(status)}.`
        : `The request to ${provider} could not be sent as it is.`,
      action: "Correct the request. Sent again unchanged, it will fail the same way."
    })
  },
  problem: {
    NoModel: (_, provider) => ({
      title: "No model specified",
      detail: `Neither the request nor the ${provider} options name a model, so nothing was sent.`,
      action: "Set model in the request or in the options."
    }),
    BadBaseUrl: (_, provider) => ({
      title: "Invalid base URL",
      detail: `The base URL for ${provider} is not a complete http or https URL, or contains a user name or password, so nothing was sent.`,
      action: "Set baseUrl to a complete URL such as https://api.example.com/v1."
    }),
    InsecureBaseUrl: (_, provider) => ({
      title: "Insecure base URL",
      detail: `The base URL for ${provider} is plain http to another machine, and anyone along the way could read the key, so nothing was sent.`,
      action: "Use https, or set allowInsecure to true if you trust the network in between."
    }),
    ForeignCredential: ({ subject }) => ({
      title: "The credential belongs to another host",
      detail: `The shared credential belongs to ${subject ?? "another host"}, not to the host of this base URL, so nothing was sent.`,
      action: "Make a separate credential for each host."
    }),
    BadHeader: ({ subject }) => ({
      title: "Invalid header",
      detail: `${subject === undefined ? "A header" : `The header ${quoted(subject)}`} contains characters that HTTP does not allow in a name or value, so nothing was sent.`,
      action: "Correct the header in the headers option."
    }),
    BadSchema: ({ subject }) => ({
      title: "Invalid schema",
      detail: `The schema of the answer describes something that JSON cannot hold${subject === undefined ? "" : `, at ${quoted(subject)}`}, so nothing was sent.`,
      action: "Use types that JSON has, such as Schema.BigInt for a bigint, or give the schema a jsonSchema annotation."
    }),
    Unencodable: (_, provider) => ({
      title: "The request cannot be encoded",
      detail: `The request to ${provider} cannot be written as JSON, so nothing was sent.`,
      action: "Look for a circular reference, a BigInt, or a malformed message."
    }),
    Unsupported: ({ subject }, provider) => ({
      title: "Unsupported option",
      detail: `${subject === undefined ? "One of the options" : `The option ${quoted(subject)}`} is not supported by this ${provider} model or API version, so nothing was sent.`,
      action: "Remove the option, or choose another model or API version."
    })
  },
  certificate: {
    SelfSigned: ({ code }, provider) => ({
      title: "Untrusted certificate",
      detail: untrusted(`The certificate at ${provider}'s address is self-signed`, code),
      action: `Check the base URL. ${trustIssuer}`
    }),
    UnknownIssuer: ({ code }, provider) => ({
      title: "Untrusted certificate",
      detail: untrusted(
        `The certificate at ${provider}'s address was issued by an authority that this machine does not know`,
        code
      ),
      action: trustIssuer
    }),
    Expired: ({ code }, provider) => ({
      title: "Expired certificate",
      detail: untrusted(`The certificate at ${provider}'s address has expired`, code),
      action:
        "Check this machine's clock. If it is right, whoever runs the host, or a TLS-inspecting proxy in between, has to renew the certificate."
    }),
    NotYetValid: ({ code }, provider) => ({
      title: "Certificate not yet valid",
      detail: untrusted(`The certificate at ${provider}'s address is not valid yet`, code),
      action:
        "Check this machine's clock. If it is right, whoever runs the host, or a TLS-inspecting proxy in between, has to replace the certificate."
    }),
    WrongHost: ({ code }, provider) => ({
      title: "Certificate for another host",
      detail: untrusted(`The certificate at ${provider}'s address was issued for another host name`, code),
      action: "Check the base URL, and whether a login page or a TLS-inspecting proxy is answering instead."
    }),
    Revoked: ({ code }, provider) => ({
      title: "Revoked certificate",
      detail: untrusted(`The certificate at ${provider}'s address has been revoked`, code),
      action:
        "Check the base URL. If it is right, whoever runs the host, or a TLS-inspecting proxy in between, has to replace the certificate."
    }),
    Other: ({ code }, provider) => ({
      title: "Untrusted certificate",
      detail: untrusted(`The certificate at ${provider}'s address could not be verified`, code),
      action: `Check the base URL and this machine's clock. ${trustIssuer}`
    })
  },
  InvalidResponse: {
    NotTheProtocol: ({ contentType, status }, provider) => ({
      title: "Unexpected response",
      detail: `The response${http(status)} is not what the ${provider} API returns${contentType === undefined ? "" : `; its content type is ${contentType}`}.`,
      action: "Check the base URL, and whether a proxy or a login page is answering instead."
    }),
    Empty: ({ status }, provider) => ({
      title: "Empty response",
      detail: `The response from ${provider} was empty${http(status)}.`,
      action: "Try again. If it keeps happening, check the base URL and any proxy in between."
    }),
    Redirect: ({ location, status }, provider) => ({
      title: "Unexpected redirect",
      detail: `The response from ${provider} was a redirect${location === undefined ? "" : ` to ${location}`}${http(status)}. Redirects are not followed, because that would send the API key along.`,
      action:
        location === undefined
          ? "Check the base URL."
          : "Check the base URL. If the new address is right, use it instead."
    }),
    TooLarge: (_, provider) => ({
      title: "Response too large",
      detail: `The response from ${provider} exceeded the size limit, so the rest was not read.`,
      action: "Ask for a shorter answer."
    }),
    NotJson: ({ tool }) => ({
      title: "The answer is not JSON",
      detail:
        tool === undefined
          ? "The model was asked for JSON, but wrote something else."
          : `The model called the tool ${quoted(tool)} with arguments that are not valid JSON.`,
      action: "Try again. If it keeps happening, describe the format in the prompt, or use another model."
    }),
    SchemaMismatch: ({ mismatch }) => ({
      title: "The answer does not match the schema",
      detail: `The model's JSON does not match the schema${mismatch === undefined ? "" : `: ${quoted(mismatch)}`}.`,
      action: "Try again. If it keeps happening, simplify the schema, or use another model."
    }),
    Truncated: () => ({
      title: "The answer is incomplete",
      detail: "The model reached its token limit before the JSON was complete.",
      action: "Raise maxTokens, or ask for less."
    }),
    Refused: ({ refusal }) => ({
      title: "The model declined",
      detail: `The model declined to answer${refusal === undefined ? "" : `: ${quoted(refusal)}`}.`,
      action: rephrase
    }),
    Filtered: () => ({
      title: "Stopped by a content filter",
      detail: "A content filter stopped the answer before it was complete.",
      action: rephrase
    })
  },
  keyForOtherHost: (hosts) => `The key looks like one issued for ${or.format(hosts)}.`,
  tried: (requests) => `${requests} requests were made.`,
  said: (detail) => `The server said: ${quoted(detail)}.`,
  brokeOff: "Part of the answer had already arrived, so the call was not repeated.",
  waitFor,
  retrying: ({ attempt, budget }, seconds) => {
    const when = seconds < 0.05 ? "now" : `in ${time(seconds)}`
    return budget === undefined ? `Retrying ${when} (retry ${attempt})` : `Retrying ${attempt} of ${budget} ${when}`
  },
  because: {
    knownGood: (status) =>
      status
        ? `The gateway refused the key${http(status)}, although it has worked before.`
        : "The key was not accepted, although it has worked before.",
    RateLimited: (status) => `Too many requests${http(status)}.`,
    Overloaded: (status) =>
      status ? `The provider is overloaded${http(status)}.` : "There is no capacity at the provider right now.",
    ServerError: (status) =>
      status ? `The provider had an internal error${http(status)}.` : "Something went wrong at the provider.",
    Conflict: (status) => `The request conflicted with another one, or arrived too early${http(status)}.`,
    TimedOut: (status) => `No response arrived in time${http(status)}.`,
    Unreachable: () => "The connection failed.",
    StreamInterrupted: () => "The connection closed before the answer was complete.",
    StreamStalled: () => "The answer did not arrive in time."
  },
  space: " ",
  meanwhile: "No action is needed: the call continues on its own."
}

const refused = (source: string, status: number | undefined, provider: string): string =>
  status ? `${provider} refused the key from ${source}${http(status)}.` : `The key from ${source} was not accepted.`
