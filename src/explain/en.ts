/** English. */
import type { Catalog } from "./Catalog.js"

const http = (status: number | undefined): string => (status === undefined ? "" : ` (HTTP ${status})`)

const time = (seconds: number): string =>
  seconds < 10
    ? `${Number(seconds.toFixed(1))} s`
    : seconds < 120
      ? `${Math.round(seconds)} s`
      : seconds < 7200
        ? `${Math.round(seconds / 60)} minutes`
        : `${Math.round(seconds / 3600)} hours`

const retryLater = "Try again in a moment."

export const en: Catalog = {
  AuthMissing: {
    Absent: ({ source }, provider) => ({
      title: "No API key",
      detail: `There is no key for ${provider}, so nothing was sent.`,
      action: `Set ${source} to a key of ${provider}.`
    }),
    Blank: ({ source }, provider) => ({
      title: "The API key is empty",
      detail: `${source} is set, but holds nothing but white space, so nothing was sent.`,
      action: `Set ${source} to a key of ${provider}.`
    }),
    Unsendable: ({ source }, provider) => ({
      title: "The API key cannot be sent",
      detail: `The key in ${source} has a character that no HTTP header can carry, such as a line break or an ellipsis, so nothing was sent.`,
      action: `Copy the key of ${provider} into ${source} once more.`
    }),
    Unreadable: ({ source }) => ({
      title: "The API key could not be read",
      detail: `Reading the key from ${source} failed, so nothing was sent.`,
      action: `Check where the key of ${source} comes from.`
    }),
    Asked: ({ source, status }, provider) => ({
      title: "An API key is needed",
      detail: `${provider} refused a request without a key${http(status)}.`,
      action: `Set ${source} to a key of ${provider}.`
    })
  },
  AuthRejected: {
    neverAccepted: ({ fingerprint, source, status }, provider) => ({
      title: "API key refused",
      detail: `${provider} refused the key from ${source}${http(status)}. This key (fingerprint ${fingerprint}) has not been accepted since the program started.`,
      action: `Check ${source}: the whole key, of this provider, for this address or region.`
    }),
    acceptedBefore: ({ fingerprint, source, status }, provider) => ({
      title: "Key refused, though it worked before",
      detail: `${provider} refused the key from ${source}${http(status)}. It has accepted this key (fingerprint ${fingerprint}) before, so the refusal is probably the gateway's, for load or quota.`,
      action: `Try again in a minute. If it goes on, look at the account's quota, then at ${source}.`
    })
  },
  Transient: {
    RateLimited: ({ status }, provider) => ({
      title: "Too many requests",
      detail: `${provider} is limiting the rate of requests${http(status)}.`,
      action: retryLater
    }),
    Overloaded: ({ status }, provider) => ({
      title: "Provider overloaded",
      detail: `${provider} has no capacity at the moment${http(status)}.`,
      action: retryLater
    }),
    ServerError: ({ status }, provider) => ({
      title: "Provider error",
      detail: `${provider} reported an error of its own${http(status)}.`,
      action: retryLater
    }),
    Conflict: ({ status }, provider) => ({
      title: "Request in conflict",
      detail: `${provider} could not take the request at this moment${http(status)}.`,
      action: retryLater
    }),
    TimedOut: ({ status }, provider) => ({
      title: "No answer in time",
      detail: `${provider} did not answer in time${http(status)}.`,
      action: retryLater
    }),
    Unreachable: ({ code }, provider) => ({
      title: "No connection",
      detail: `${provider} could not be reached${code === undefined ? "" : ` (${code})`}.`,
      action: "Check the network, a proxy and the base URL, then try again."
    }),
    StreamInterrupted: (_, provider) => ({
      title: "The answer was cut off",
      detail: `The connection to ${provider} ended before the answer did.`,
      action: "Try again."
    }),
    StreamStalled: (_, provider) => ({
      title: "The answer stopped coming",
      detail: `${provider} kept the connection open, but sent nothing more of the answer.`,
      action: "Try again."
    })
  },
  QuotaExceeded: ({ resetsAt, status }, provider) => ({
    title: "Quota used up",
    detail: `The balance or the plan's allotment at ${provider} is used up${http(status)}. The key is not the problem.`,
    action:
      resetsAt === undefined
        ? "Top up the balance, or wait until the plan's allotment is renewed."
        : `Wait until ${resetsAt.toJSON()}, or change the plan.`
  }),
  InvalidRequest: {
    ContextOverflow: ({ status }, provider) => ({
      title: "The conversation is too long",
      detail: `The request has more tokens than the model of ${provider} takes${http(status)}.`,
      action: "Shorten the conversation, or use a model with a larger context window."
    }),
    ModelNotFound: ({ status }, provider) => ({
      title: "Unknown model",
      detail: `${provider} does not offer this model here${http(status)}.`,
      action: "Choose one of the models that the provider lists."
    }),
    ContentFiltered: ({ status }, provider) => ({
      title: "Refused by the content filter",
      detail: `${provider} will not process this content${http(status)}.`,
      action: "Change the request."
    }),
    TooLarge: ({ status }, provider) => ({
      title: "The request is too large",
      detail: `The request is larger than ${provider} takes${http(status)}.`,
      action: "Send less: a shorter conversation, fewer or smaller pictures."
    }),
    NotOffered: ({ status }, provider) => ({
      title: "Not offered",
      detail: `${provider} does not offer this at this address${http(status)}.`,
      action: "Check the base URL, and whether the provider has this function."
    }),
    BadRequest: ({ status }, provider) => ({
      title: "Invalid request",
      detail:
        status === undefined
          ? `The request to ${provider} could not be sent as it is.`
          : `${provider} could not accept the request as it is${http(status)}.`,
      action: "Change the request. Sending the same again will not work."
    })
  },
  InvalidResponse: ({ contentType, status }, provider) => ({
    title: "Unintelligible answer",
    detail: `What came back is not an answer of ${provider}${http(status)}${contentType === undefined ? "" : `; its type is ${contentType}`}.`,
    action: "Check the base URL, and whether a proxy or a login page stands in between."
  }),
  keyForOtherHost: (hosts) => `By its look, the key belongs to ${hosts.join(", ")}.`,
  tried: (requests) => `${requests} requests were made.`,
  said: (detail) => `It said: “${detail}”.`,
  brokeOff: "Part of the answer had already arrived, so the call was not repeated.",
  waitFor: (seconds) => `Try again in ${time(seconds)}.`,
  retrying: ({ attempt, budget }, seconds) =>
    `Retrying ${attempt}${budget === undefined ? "" : ` of ${budget}`} in ${time(seconds)}`,
  because: (error) => {
    switch (error._tag) {
      case "AuthRejected":
        return `the gateway refused the key${http(error.status)}, though it worked before`
      case "Transient":
        return `${reasons[error.reason]}${http(error.status)}`
      default:
        return `the call failed${http(error.status)}`
    }
  },
  space: " ",
  colon: ": ",
  meanwhile: "Nothing to do; the call goes on by itself."
}

const reasons = {
  RateLimited: "too many requests",
  Overloaded: "the provider is overloaded",
  ServerError: "the provider reported an error",
  Conflict: "the request was in conflict",
  TimedOut: "no answer came in time",
  Unreachable: "the provider could not be reached",
  StreamInterrupted: "the connection was cut before the answer began",
  StreamStalled: "the answer did not begin in time"
}
