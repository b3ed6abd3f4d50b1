import { Effect, Layer, Ref } from "effect"
import { Chat, Opened, Provider, ProviderError } from "knowngood"

/** A fake for tests: it gives the same answer to every request. */
export const fake = (text: string): Provider.Service => {
  const finish = { reason: "stop", rawReason: "stop", usage: Chat.unknownUsage, model: "fake", id: undefined } as const
  const events: ReadonlyArray<Chat.Event> = [
    { _tag: "TextDelta", text },
    { _tag: "Finish", ...finish }
  ]
  return Provider.make({ id: "fake", open: () => Effect.succeed(Opened.fromEvents(events)) })
}

/** Sends each request once. `completeObject` and `verify` are made of `complete`, so they are cached, too. */
export const cached = (inner: Provider.Service) =>
  Effect.map(Ref.make<ReadonlyMap<string, Chat.Reply>>(new Map()), (memory) => {
    const complete: Provider.Service["complete"] = (request) =>
      Effect.gen(function* () {
        const key = JSON.stringify(request)
        const known = (yield* Ref.get(memory)).get(key)
        if (known !== undefined) return known
        const reply = yield* inner.complete(request)
        yield* Ref.update(memory, (replies) => new Map([...replies, [key, reply]]))
        return reply
      })
    return Provider.make({ ...inner, complete })
  })

/** Lets this many calls through and no more. A call begins with `open` or `complete`, so both are limited. */
export const limited = (inner: Provider.Service, calls: number) =>
  Effect.map(Ref.make(calls), (left) => {
    const spend = Effect.flatMap(
      Ref.getAndUpdate(left, (count) => count - 1),
      (count) => (count > 0 ? Effect.void : Effect.fail(spent(inner.id)))
    )
    return Provider.make({
      ...inner,
      open: (request) => Effect.zipRight(spend, inner.open(request)),
      complete: (request) => Effect.zipRight(spend, inner.complete(request))
    })
  })

const spent = (provider: string) =>
  new ProviderError.QuotaExceeded({ provider, attempts: 0, history: [], emitted: false })

/** Stands between a program and the layer of its provider, whichever that is. */
export const thrifty = Layer.effect(
  Provider.Provider,
  Effect.flatMap(Provider.Provider, (inner) => Effect.flatMap(limited(inner, 1000), cached))
)
