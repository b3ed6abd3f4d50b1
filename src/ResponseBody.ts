/**
 * How the body of a response is read: as events while they arrive, whole, or only its beginning. Each with a bound on
 * bytes and on time.
 */
import * as Chunk from "effect/Chunk"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Body from "./Body.js"
import type * as Chat from "./Chat.js"
import * as Fault from "./Fault.js"
import type * as Protocol from "./Protocol.js"

export interface Clocks {
  /** The longest time without a byte. Keep-alive comments are bytes. */
  readonly idle: Duration.Duration
  /** The longest time without output of the model. Keep-alive comments are none. */
  readonly stall: Duration.Duration
}

/** What has come since the consumer last looked, and whether it is all. Never empty unless it is all. */
export type Take = Effect.Effect<readonly [events: Chunk.Chunk<Chat.Event>, done: boolean], Fault.Fault>

/**
 * The events of a streamed answer. They are read when they are taken, so a slow consumer holds the socket back, and no
 * clock runs against it. The reading itself is plain code; one fiber, for the clocks, ends with the scope.
 */
export const events = (
  body: Body.Body,
  reader: Protocol.Reader,
  clocks: Clocks
): Effect.Effect<Take, never, Scope.Scope> =>
  Effect.flatMap(Effect.clock, (clock) => {
    const idle = Duration.toMillis(clocks.idle)
    const stall = Duration.toMillis(clocks.stall)
    let head = ""
    let ready: Array<Chat.Event> = []
    let fault: Fault.Fault | undefined
    let defect: { readonly cause: unknown } | undefined
    let waiting: (() => void) | undefined
    let reading = false
    let lastByte = 0
    let lastOutput = 0

    const feed = (bytes: Uint8Array): void => {
      lastByte = clock.unsafeCurrentTimeMillis()
      if (!reader.begun() && head.length < 480) head += new TextDecoder().decode(bytes.subarray(0, 480))
      add(reader.feed(bytes))
      const state = reader.state()
      if (Fault.isFault(state)) fault = state
    }

    const add = (events: ReadonlyArray<Chat.Event>): void => {
      if (ready.length === 0) ready = events as Array<Chat.Event>
      else ready.push(...events)
    }

    /** The body ended or broke: a whole answer is still one, and what is none says why. */
    const end = (why: Fault.Fault): void => {
      add(reader.end())
      const state = reader.state()
      if (!Fault.isFault(state)) return
      fault = state._tag !== "Cut" ? state : reader.begun() ? why : nothing(why, head)
    }

    const isOver = () => defect !== undefined || fault !== undefined || reader.state() !== "more"

    const read = (): void => {
      reading = true
      body.next((chunk) => {
        reading = false
        decode(chunk)
        if (ready.length > 0 || isOver()) waiting?.()
        else if (waiting !== undefined) read()
      })
    }

    /** Outside of any fiber, so a mistake of ours is caught here and is a defect where the events are taken. */
    const decode = (chunk: Body.Read): void => {
      try {
        if (chunk._tag === "Bytes") feed(chunk.bytes)
        else end(Fault.cut(chunk._tag === "Broken" ? chunk.code : undefined))
      } catch (cause) {
        defect = { cause }
      }
    }

    const outcome: Take = Effect.suspend(() => {
      if (defect !== undefined) return Effect.die(defect.cause)
      const events = ready
      ready = []
      if (events.length === 0 && fault !== undefined) return Effect.fail(fault)
      return Effect.succeed([Chunk.unsafeFromArray(events), fault === undefined && isOver()] as const)
    })

    const arrival = Effect.async<void>((resume) => {
      lastByte = lastOutput = clock.unsafeCurrentTimeMillis()
      waiting = () => {
        waiting = undefined
        resume(Effect.void)
      }
      if (!reading) read()
      return Effect.sync(() => {
        waiting = undefined
      })
    })

    const due = () =>
      waiting === undefined
        ? clock.unsafeCurrentTimeMillis() + Math.min(idle, stall)
        : Math.min(lastByte + idle, lastOutput + stall)
    const expire = () => {
      end(stalled(lastByte + idle <= lastOutput + stall))
      waiting?.()
    }

    const take = Effect.suspend(() => (ready.length > 0 || isOver() ? outcome : Effect.zipRight(arrival, outcome)))
    return Effect.as(Effect.forkScoped(watch(clock, due, expire)), take)
  })

/** Calls `expire` when the moment that `due` names has come. The moment may move in the meantime. */
const watch = (clock: Clock.Clock, due: () => number, expire: () => void): Effect.Effect<void> => {
  const loop: Effect.Effect<void> = Effect.suspend(() => {
    const wait = due() - clock.unsafeCurrentTimeMillis()
    return wait > 0 ? Effect.zipRight(Effect.sleep(wait), loop) : Effect.sync(expire)
  })
  return loop
}

/** A body that ended without one event is none; one of nothing but keep-alive comments was cut off while it waited. */
const nothing = (fault: Fault.Fault, head: string): Fault.Fault =>
  fault._tag !== "Cut" || fault.code !== undefined || head.trimStart().startsWith(":")
    ? fault
    : Fault.malformed(head.trim() === "" ? "the body is empty" : "the body is not an event stream", head)

/**
 * The whole body as text. It fails as soon as it is larger than `maxBytes`, or a clock runs out: white space is what
 * servers keep a connection alive with (DeepSeek sends empty lines), so it is bytes, but no output.
 */
export const text = (
  body: Body.Body,
  options: { readonly maxBytes: number; readonly clocks: Clocks }
): Effect.Effect<string, Fault.Fault, Scope.Scope> =>
  Effect.flatMap(Effect.clock, (clock) => {
    const idle = Duration.toMillis(options.clocks.idle)
    const stall = Duration.toMillis(options.clocks.stall)
    const decoder = new TextDecoder()
    let text = ""
    let size = 0
    let lastByte = clock.unsafeCurrentTimeMillis()
    let lastOutput = lastByte
    let settle: ((outcome: Effect.Effect<string, Fault.Fault>) => void) | undefined

    const read = (): void =>
      body.next((chunk) => {
        if (chunk._tag === "End") return settle?.(Effect.succeed(text + decoder.decode()))
        if (chunk._tag === "Broken") return settle?.(Effect.fail(Fault.cut(chunk.code)))
        size += chunk.bytes.length
        if (size > options.maxBytes) {
          return settle?.(Effect.fail(Fault.malformed("the body is larger than the limit", text)))
        }
        const piece = decoder.decode(chunk.bytes, { stream: true })
        lastByte = clock.unsafeCurrentTimeMillis()
        if (piece.trim() !== "") lastOutput = lastByte
        text += piece
        read()
      })

    const whole = Effect.async<string, Fault.Fault>((resume) => {
      settle = (outcome) => {
        settle = undefined
        resume(outcome)
      }
      read()
    })
    const expire = () => settle?.(Effect.fail(stalled(lastByte + idle <= lastOutput + stall)))
    const due = () => Math.min(lastByte + idle, lastOutput + stall)
    return Effect.zipRight(Effect.forkScoped(watch(clock, due, expire)), whole)
  })

const stalled = (idle: boolean): Fault.Fault => ({ _tag: "Stalled", clock: idle ? "idle" : "stall" })

/**
 * The beginning of an error's body, up to `maxBytes`. It never fails: the status alone is enough to classify by, so a
 * body that breaks, or does not end in time, counts for what had come of it.
 */
export const prefix = (
  body: Body.Body,
  options: { readonly maxBytes: number; readonly within: Duration.Duration }
): Effect.Effect<string> => {
  const kept = new Uint8Array(options.maxBytes)
  let size = 0
  const whole = Effect.async<void>((resume) => {
    const read = (): void =>
      body.next((chunk) => {
        if (chunk._tag !== "Bytes") return resume(Effect.void)
        const wanted = chunk.bytes.subarray(0, kept.length - size)
        kept.set(wanted, size)
        size += wanted.length
        if (size < kept.length) read()
        else resume(Effect.void)
      })
    read()
  })
  return Effect.map(Effect.timeoutOption(whole, options.within), () => new TextDecoder().decode(kept.subarray(0, size)))
}
