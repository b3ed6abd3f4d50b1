/**
 * Which call a reply came from, so that a fault that is found in the reply later fails with the facts of that call.
 */
import * as Effect from "effect/Effect"
import type * as Credential from "../Credential.js"
import type { Reply } from "../chat/Reply.js"
import * as Key from "../credential/Key.js"
import type * as ProviderError from "../ProviderError.js"
import * as Classify from "../refusal/Classify.js"
import * as Failure from "../refusal/Failure.js"
import type * as Fault from "../refusal/Fault.js"

type Failed = Effect.Effect<never, ProviderError.ProviderError>

/** For a fault of a reply whose call has ended: fails as the fault means. `partial` is the text of the reply. */
export type Fail = (fault: Fault.Fault, partial: string) => Failed

/** Programs keep replies, so a `Fail` must not hold on to the request. */
const calls = new WeakMap<Reply, Fail>()

/** The reply, which came from this call. */
export const noted = (reply: Reply, fail: Fail): Reply => {
  calls.set(reply, fail)
  return reply
}

/** Whose reply it is, if it came from no call of ours: a fake's, or a copy that middleware has made. */
export interface Giver {
  readonly id: string
  readonly credential: Credential.Credential | undefined
}

/** Fails with what is wrong with a reply. */
export const fail = (reply: Reply, fault: Fault.Fault, giver: Giver): Failed =>
  calls.get(reply)?.(fault, reply.text) ?? failOf(giver, fault, reply.text)

/** Nothing is known of a request. But the copy of an answer may repeat the key. */
const failOf = ({ credential, id }: Giver, fault: Fault.Fault, partial: string): Failed =>
  Effect.flatMap(credential?.read ?? Effect.succeed(Key.absent), (key) => {
    const sender = { source: credential?.source ?? id, key, knownGood: false, sofar: { partial, emitted: false } }
    const failure = Classify.classify(fault, { provider: id, status: 200, headers: {}, now: 0 }, sender)
    return Effect.fail(Failure.make({ ...failure, status: undefined }, { attempts: 0, history: [] }))
  })
