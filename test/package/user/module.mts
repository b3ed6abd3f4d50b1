/** A user's program as a module. Every entry point of the built package is imported, and every declaration checked. */
import { Effect, SubscriptionRef } from "effect"
import { Credential, MiMo, type Provider } from "knowngood"
import { en } from "knowngood/explain/en"
import { zh } from "knowngood/explain/zh"
import { Gateway } from "knowngood/testing"

export const catalogs = [en, zh]
export const answer: Gateway.Answer = Gateway.status(401)

export const shared = Effect.gen(function* () {
  const credential = yield* Credential.make({ source: "MIMO_API_KEY" })
  const service: Provider.Service = yield* MiMo.make({ credential })
  return service
})

/** The declarations do not show all that the SDK needs of a credential, so an object with what they show is none. */
export const lookalike = Effect.gen(function* () {
  const knownGood = yield* SubscriptionRef.make(true)
  // @ts-expect-error only `Credential.make` makes one
  const credential: Credential.Credential = { source: "MIMO_API_KEY", knownGood, fingerprint: Effect.succeed("") }
  return credential
})
