/** A key that was accepted once and is revoked then is not hammered for ever. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { accept, hello, knownGood, mimo, patiently, refused, whole } from "../Wire.js"

it.effect("1,000 sequential calls send at most 1,010 requests", () =>
  Effect.gen(function* () {
    yield* accept
    const tags = new Set<string>()
    const refusal = Effect.flip(Provider.complete(hello))
    for (let call = 0; call < 3; call++) tags.add((yield* patiently(refusal))._tag)
    // From here on there is nothing to wait for.
    for (let call = 3; call < 1000; call++) tags.add((yield* refusal)._tag)
    expect(tags).toEqual(new Set(["AuthRejected"]))
    const sent = (yield* Gateway.requests).length - 1
    // Three calls of 3 requests, then 1 each.
    expect(sent).toBe(3 * 3 + 997)
    expect(sent).toBeLessThanOrEqual(1010)
    expect(yield* knownGood).toBe(false)
  }).pipe(Effect.provide(mimo((_, index) => (index === 0 ? whole : refused()))))
)
