/**
 * How the body of a response is read: as events while they arrive, whole, or only its beginning. Each with a bound on
 * bytes and on time.
 */
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Body from "./Body.js"
import type * as Chat from "./Chat.js"
import * as Fault from "./Fault.js"
import type { Taken } from "./Opened.js"
import type * as Protocol from "./Protocol.js"
import type { Watch } from "./Watch.js"

/** The longest waits, in milliseconds. */
export interface Waits {
  /** Without a byte. Keep-alive comments are bytes. */
  readonly idle: number
  /** Without output of the model. Keep-alive comments are none. */
  readonly stall: number
}

/** A body, and what it is read by. */
export interface Source {
  readonly body: Body.Body
  readonly watch: Watch
  readonly waits: Waits
  /** The answer is whole, and nothing more is read here. */
  readonly whole: () => void
}

/** The events of a streamed answer, as `Opened` has them. */
export interface Events {
  readonly take: Effect.Effect<Taken, Fault.Fault>
  readonly each: (onEvent: (event: Chat.Event) => void) => Effect.Effect<void, Fault.Fault>
  readonly wait: (then: () => void) => void
  readonly taken: () => Exit.Exit<Taken, Fault.Fault>
}

/**
 * The events of a streamed answer. They are read when they are wanted, so a slow consumer holds the socket back, and no
 * clock runs against it. The reading itself is plain code, in the callback of the read.
 */
export const events = ({ body, waits, watch, whole }: Source, reader: Protocol.Reader): Events => {
  let head = ""
  let ready: ReadonlyArray<Chat.Event> = []
  let fault: Fault.Fault | undefined
  let defect: { readonly cause: unknown } | undefined
  /** Told when there is something; nothing while nobody waits. */
  let arrived: (() => void) | undefined
  let reading = false
  let lastByte = 0
  let lastOutput = 0

  const feed = (bytes: Uint8Array): void => {
    lastByte = watch.now()
    if (!reader.begun() && head.length < 480) head += new TextDecoder().decode(bytes.subarray(0, 480))
    add(reader.feed(bytes))
    const state = reader.state()
    if (Fault.isFault(state)) fault = state
    else if (state === "done") whole()
  }

  const add = (events: ReadonlyArray<Chat.Event>): void => {
    ready = ready.length === 0 ? events : [...ready, ...events]
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
      attempt(() => decode(chunk))
      if (ready.length > 0 || isOver()) arrived?.()
      else if (arrived !== undefined) read()
    })
  }

  const decode = (chunk: Body.Read): void => {
    if (chunk._tag === "Bytes") feed(chunk.bytes)
    else end(Fault.cut(chunk._tag === "Broken" ? chunk.code : undefined))
  }

  /** Outside of any fiber, so a mistake is caught here and is a defect where the events are wanted. */
  const attempt = (run: () => void): void => {
    try {
      run()
    } catch (cause) {
      defect = { cause }
    }
  }

  const wait = (then: () => void): void => {
    lastByte = lastOutput = watch.now()
    arrived = then
    watch.over(due, expire)
    if (ready.length > 0 || isOver()) then()
    else if (!reading) read()
  }

  const due = () =>
    arrived === undefined
      ? watch.now() + Math.min(waits.idle, waits.stall)
      : Math.min(lastByte + waits.idle, lastOutput + waits.stall)

  const expire = (): void => {
    attempt(() => end(stalled(lastByte + waits.idle <= lastOutput + waits.stall)))
    arrived?.()
  }

  const stopWaiting = Effect.sync(() => {
    arrived = undefined
  })

  const taken = (): Exit.Exit<Taken, Fault.Fault> => {
    if (defect !== undefined) return Exit.die(defect.cause)
    const events = ready
    ready = []
    if (events.length === 0 && fault !== undefined) return Exit.fail(fault)
    return Exit.succeed([Chunk.unsafeFromArray(events), fault === undefined && isOver()])
  }

  const waitOnce = (then: () => void): void =>
    wait(() => {
      arrived = undefined
      then()
    })

  const arrival = Effect.async<Taken, Fault.Fault>((resume) => {
    waitOnce(() => resume(taken()))
    return stopWaiting
  })

  const each = (onEvent: (event: Chat.Event) => void) =>
    Effect.async<void, Fault.Fault>((resume) => {
      const handOver = () => {
        const events = ready
        ready = []
        for (const event of events) onEvent(event)
      }
      wait(() => {
        lastOutput = lastByte
        attempt(handOver)
        if (!isOver()) return read()
        arrived = undefined
        resume(Effect.asVoid(taken()))
      })
      return stopWaiting
    })

  const take = Effect.suspend(() => (ready.length > 0 || isOver() ? taken() : arrival))
  return { each, take, taken, wait: waitOnce }
}

/** A body that ended without one event is none; one of nothing but keep-alive comments was cut off while it waited. */
const nothing = (fault: Fault.Fault, head: string): Fault.Fault =>
  fault._tag !== "Cut" || fault.code !== undefined || head.trimStart().startsWith(":")
    ? fault
    : Fault.malformed(head.trim() === "" ? "Empty" : "NotTheProtocol", head)

/**
 * The whole body as text. It fails as soon as it is larger than `maxBytes`, or a clock runs out: white space is what
 * servers keep a connection alive with (DeepSeek sends empty lines), so it is bytes, but no output.
 */
export const text = ({ body, waits, watch }: Source, maxBytes: number): Effect.Effect<string, Fault.Fault> =>
  Effect.async((resume) => {
    const decoder = new TextDecoder()
    let text = ""
    let size = 0
    let lastByte = watch.now()
    let lastOutput = lastByte

    const read = (): void =>
      body.next((chunk) => {
        if (chunk._tag === "End") return resume(Effect.succeed(text + decoder.decode()))
        if (chunk._tag === "Broken") return resume(Effect.fail(Fault.cut(chunk.code)))
        size += chunk.bytes.length
        if (size > maxBytes) return resume(Effect.fail(Fault.malformed("TooLarge", text)))
        const piece = decoder.decode(chunk.bytes, { stream: true })
        lastByte = watch.now()
        if (piece.trim() !== "") lastOutput = lastByte
        text += piece
        read()
      })

    watch.over(
      () => Math.min(lastByte + waits.idle, lastOutput + waits.stall),
      () => resume(Effect.fail(stalled(lastByte + waits.idle <= lastOutput + waits.stall)))
    )
    read()
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
