/**
 * How the body of a response is read: as events while they arrive, whole, or only its beginning. Each with a bound on
 * bytes and on time.
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Chat from "./Chat.js"
import * as Fault from "./Fault.js"
import type * as Protocol from "./Protocol.js"

type Response = HttpClientResponse.HttpClientResponse

export interface Clocks {
  /** The longest time without a byte. Keep-alive comments are bytes. */
  readonly idle: Duration.Duration
  /** The longest time without output of the model. Keep-alive comments are none. */
  readonly stall: Duration.Duration
}

/** How many events may wait for a slow consumer before the socket is no longer read. */
const capacity = 256

/**
 * The events of a streamed answer. One fiber reads and decodes, a chunk at a time; the mailbox hands over all that has
 * come since the consumer last looked, and holds the reader back when the consumer is slow. Another fiber watches the
 * clocks, so that a read costs no race. Both end with the scope, and the request with them.
 */
export const events = (
  response: Response,
  reader: Protocol.Reader,
  clocks: Clocks
): Effect.Effect<Mailbox.ReadonlyMailbox<Chat.Event, Fault.Fault>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const mailbox = yield* Mailbox.make<Chat.Event, Fault.Fault>(capacity)
    const pull = yield* Stream.toPull(response.stream)
    const idle = Duration.toMillis(clocks.idle)
    const stall = Duration.toMillis(clocks.stall)
    let head = ""
    let lastByte = clock.unsafeCurrentTimeMillis()
    let lastOutput = lastByte
    let heldBack = false

    const settle = (step: Protocol.Step) => (Fault.isFault(step) ? mailbox.fail(step) : mailbox.end)

    const offer = (events: ReadonlyArray<Chat.Event>) => {
      heldBack = true
      return Effect.map(mailbox.offerAll(events), () => {
        heldBack = false
        lastByte = lastOutput = clock.unsafeCurrentTimeMillis()
      })
    }

    const feed = (chunks: Chunk.Chunk<Uint8Array>): ReadonlyArray<Chat.Event> => {
      lastByte = clock.unsafeCurrentTimeMillis()
      if (Chunk.size(chunks) === 1) return feedOne(Chunk.unsafeHead(chunks))
      return Chunk.toReadonlyArray(chunks).flatMap(feedOne)
    }

    const feedOne = (bytes: Uint8Array): ReadonlyArray<Chat.Event> => {
      if (!reader.begun() && head.length < 480) head += new TextDecoder().decode(bytes.subarray(0, 480))
      return reader.feed(bytes)
    }

    /** The body ended or broke: a whole answer is still one, and what is none says why. */
    const end = (fault: Fault.Fault) => {
      const events = reader.end()
      const state = reader.state()
      const last =
        Fault.isFault(state) && state._tag === "Cut" ? (reader.begun() ? fault : nothing(fault, head)) : state
      return Effect.zipRight(offer(events), settle(last))
    }

    const pump: Effect.Effect<boolean> = Effect.matchEffect(pull, {
      onFailure: (error) => end(Fault.cut(Option.getOrUndefined(Option.map(broken(error), codeOf)))),
      onSuccess: (chunks) => {
        const events = feed(chunks)
        const step = reader.state()
        const next = step === "more" ? pump : settle(step)
        return events.length === 0 ? next : Effect.zipRight(offer(events), next)
      }
    })

    const watch: Effect.Effect<boolean> = Effect.suspend(() => {
      const now = clock.unsafeCurrentTimeMillis()
      if (heldBack) return Effect.zipRight(Effect.sleep(clocks.idle), watch)
      if (now >= lastByte + idle) return end({ _tag: "Stalled", clock: "idle" })
      if (now >= lastOutput + stall) return end({ _tag: "Stalled", clock: "stall" })
      return Effect.zipRight(Effect.sleep(Math.min(lastByte + idle, lastOutput + stall) - now), watch)
    })

    yield* Effect.forkScoped(pump)
    yield* Effect.forkScoped(watch)
    return mailbox
  })

/** A body that ended without one event is none; one of nothing but keep-alive comments was cut off while it waited. */
const nothing = (fault: Fault.Fault, head: string): Fault.Fault =>
  fault._tag !== "Cut" || fault.code !== undefined || head.trimStart().startsWith(":")
    ? fault
    : Fault.malformed(head.trim() === "" ? "the body is empty" : "the body is not an event stream", head)

/** The whole body as text. It fails as soon as it is larger than `maxBytes`, or nothing has come for `idle`. */
export const text = (
  response: Response,
  options: { readonly maxBytes: number; readonly idle: Duration.Duration }
): Effect.Effect<string, Fault.Fault> =>
  Effect.scoped(
    Effect.flatMap(Stream.toPull(response.stream), (pull) => {
      const decoder = new TextDecoder()
      let text = ""
      let size = 0
      const stalled: Fault.Fault = { _tag: "Stalled", clock: "idle" }
      const next = pull.pipe(
        Effect.mapError((error) => Option.map(broken(error), (broken) => Fault.cut(codeOf(broken)))),
        Effect.timeoutFail({ duration: options.idle, onTimeout: () => Option.some(stalled) })
      )
      const read: Effect.Effect<string, Fault.Fault> = Effect.matchEffect(next, {
        onFailure: (fault) =>
          Option.isNone(fault) ? Effect.succeed(text + decoder.decode()) : Effect.fail(fault.value),
        onSuccess: (chunks) => {
          for (const bytes of chunks) {
            size += bytes.length
            if (size > options.maxBytes) return Effect.fail(Fault.malformed("the body is larger than the limit", text))
            text += decoder.decode(bytes, { stream: true })
          }
          return read
        }
      })
      return read
    })
  )

/**
 * The beginning of an error's body, up to `maxBytes`. It never fails: the status alone is enough to classify by, so a
 * body that breaks, or does not end in time, counts for what had come of it.
 */
export const prefix = (
  response: Response,
  options: { readonly maxBytes: number; readonly within: Duration.Duration }
): Effect.Effect<string> =>
  Effect.scoped(
    Effect.flatMap(Stream.toPull(response.stream), (pull) => {
      const kept = new Uint8Array(options.maxBytes)
      let size = 0
      const read: Effect.Effect<void> = Effect.matchEffect(pull, {
        onFailure: () => Effect.void,
        onSuccess: (chunks) => {
          for (const bytes of chunks) {
            const wanted = bytes.subarray(0, kept.length - size)
            kept.set(wanted, size)
            size += wanted.length
          }
          return size < kept.length ? read : Effect.void
        }
      })
      return Effect.map(Effect.timeoutOption(read, options.within), () =>
        new TextDecoder().decode(kept.subarray(0, size))
      )
    })
  )

/** What broke a body. One that never was (a 204) has merely ended. */
const broken = (error: Option.Option<HttpClientError.ResponseError>) =>
  Option.filter(error, ({ reason }) => reason !== "EmptyBody")

/** The system's word for a broken connection, as `ECONNRESET`. */
export const codeOf = (error: HttpClientError.HttpClientError): string => {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
  }
  return error.reason
}
