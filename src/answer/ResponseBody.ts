/**
 * How the body of a response is read: as events while they arrive, whole, or only its beginning. Each way has a bound
 * on bytes and on time.
 */
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Chat from "../Chat.js"
import * as Joiner from "../Joiner.js"
import * as Fault from "../refusal/Fault.js"
import type * as Body from "./Body.js"
import type { Taken } from "./Opened.js"
import type { Watch } from "./Watch.js"
import type { WireReader } from "./WireReader.js"

/** The longest waits, in milliseconds. */
export interface Waits {
  /** Without a byte. Keep-alive comments are bytes. */
  readonly idle: number
  /** Without output from the model. Keep-alive comments are not output. */
  readonly stall: number
}

/** A body, and what it is read with. */
export interface Source {
  readonly body: Body.Body
  readonly watch: Watch
  readonly waits: Waits
  /** Called when the answer is complete, and nothing more is read here. */
  readonly whole: () => void
  /** Called once, when nothing more of the answer will be read: it is whole, failed or broke, or its time was up. */
  readonly over: () => void
}

/** The events of a streamed answer, as `Opened` has them. */
export interface Events {
  readonly take: Effect.Effect<Taken, Fault.Fault>
  readonly each: (onEvent: (event: Chat.Event) => void) => Effect.Effect<void, Fault.Fault>
  readonly wait: (then: () => void) => void
  readonly taken: () => Exit.Exit<Taken, Fault.Fault>
}

/**
 * The most bytes that are read while nobody waits for them. Most answers end within that, so they are known to be
 * complete while their consumer is still busy. Beyond it a slow consumer holds the socket back.
 */
const readAhead = 64 * 1024

/**
 * The events of a streamed answer. No clock runs while nobody waits for them. The reading is plain code, in the callback
 * of the read.
 */
export const events = (source: Source, reader: WireReader): Events => new Reading(source, reader)

class Reading implements Events {
  /** What came and has not been taken. */
  private ready: Array<Chat.Event> = []
  /** Bytes that came since the last take. */
  private ahead = 0
  /** Why it ended, if it failed. Reported after the events that are ready. */
  private ended: { readonly fault: Fault.Fault } | { readonly defect: unknown } | undefined
  private isToldOver = false
  /** Called when there is something to take; `undefined` while nobody waits. */
  private arrived: (() => void) | undefined
  /** Whether a chunk has been asked for and has not come. */
  private reading = false
  private lastByte = 0
  private lastOutput = 0
  /** The beginning of what came before the first event, for the error if there is no answer in it. */
  private head = ""

  constructor(
    private readonly source: Source,
    private readonly reader: WireReader
  ) {}

  readonly take = Effect.suspend(() => (this.ready.length > 0 || this.isOver() ? this.taken() : this.arrival))

  readonly taken = (): Exit.Exit<Taken, Fault.Fault> => {
    const { ended } = this
    if (this.ready.length === 0 && ended !== undefined) {
      return "fault" in ended ? Exit.fail(ended.fault) : Exit.die(ended.defect)
    }
    const events = this.takeReady()
    const taken: Taken = [Chunk.unsafeFromArray(events), ended === undefined && this.isOver()]
    this.readOn()
    return Exit.succeed(taken)
  }

  readonly wait = (then: () => void): void =>
    this.waitFor(() => {
      this.arrived = undefined
      then()
    })

  readonly each = (onEvent: (event: Chat.Event) => void): Effect.Effect<void, Fault.Fault> =>
    Effect.async<void, Fault.Fault>((resume) => {
      this.waitFor(() => {
        this.lastOutput = this.lastByte
        this.attempt(() => {
          for (const event of this.takeReady()) onEvent(event)
        })
        if (!this.isOver()) return
        this.arrived = undefined
        resume(Effect.asVoid(this.taken()))
      })
      return this.stopWaiting
    })

  private readonly arrival = Effect.async<Taken, Fault.Fault>((resume) => {
    this.wait(() => resume(this.taken()))
    return this.stopWaiting
  })

  private readonly stopWaiting = Effect.sync(() => {
    this.arrived = undefined
  })

  private takeReady(): ReadonlyArray<Chat.Event> {
    const events = this.ready
    this.ready = []
    this.ahead = 0
    return events
  }

  private waitFor(arrived: () => void): void {
    const { watch } = this.source
    this.lastByte = this.lastOutput = watch.now()
    this.arrived = arrived
    // An answer that is over no longer needs these clocks.
    if (!this.isOver()) watch.over(this.due, this.expire)
    if (this.ready.length > 0 || this.isOver()) this.tell()
    this.readOn()
  }

  /** Asks for the next chunk, if one is wanted. */
  private readOn(): void {
    if (this.reading || this.isOver() || (this.arrived === undefined && this.ahead >= readAhead)) return
    this.reading = true
    this.source.body.next(this.came)
  }

  private readonly came = (chunk: Body.Read): void => {
    this.reading = false
    // It comes too late: the clock has run out.
    if (this.isOver()) return
    this.attempt(() => this.decode(chunk))
    this.settle()
    if (this.ready.length > 0 || this.isOver()) this.tell()
    this.readOn()
  }

  private decode(chunk: Body.Read): void {
    if (chunk._tag === "Bytes") this.feed(chunk.bytes)
    else this.end(whyEnded(chunk))
  }

  private feed(bytes: Uint8Array): void {
    const { reader } = this
    this.lastByte = this.source.watch.now()
    this.ahead += bytes.length
    if (!reader.begun() && this.head.length < 480) this.head += new TextDecoder().decode(bytes.subarray(0, 480))
    this.add(reader.feed(bytes))
    const state = reader.state()
    if (Fault.isFault(state)) this.ended = { fault: state }
    else if (state === "done") this.source.whole()
  }

  private add(events: ReadonlyArray<Chat.Event>): void {
    for (const event of events) this.ready.push(event)
  }

  /** The body ended or broke: a complete answer still counts, and an incomplete one says why. */
  private end(why: Fault.Fault): void {
    const { reader } = this
    this.add(reader.end())
    const state = reader.state()
    if (!Fault.isFault(state)) return
    this.ended = { fault: state._tag !== "Cut" ? state : reader.begun() ? why : nothing(why, this.head) }
  }

  private isOver(): boolean {
    return this.ended !== undefined || this.reader.state() !== "more"
  }

  /** Nothing more will be read. `over` is called before the consumer learns of it. */
  private settle(): void {
    if (this.isToldOver || !this.isOver()) return
    this.isToldOver = true
    this.attempt(this.source.over)
  }

  private tell(): void {
    this.attempt(() => this.arrived?.())
    // What the consumer's own callback throws ends its answer, too.
    this.settle()
  }

  private readonly due = (): number => {
    const { waits, watch } = this.source
    return this.arrived === undefined
      ? watch.now() + Math.min(waits.idle, waits.stall)
      : Math.min(this.lastByte + waits.idle, this.lastOutput + waits.stall)
  }

  private readonly expire = (): void => {
    if (this.isOver()) return
    const { waits } = this.source
    this.attempt(() => this.end(stalled(this.lastByte + waits.idle <= this.lastOutput + waits.stall)))
    this.settle()
    this.tell()
  }

  /** Outside of any fiber: what is thrown is caught here and becomes a defect of whoever takes the events. */
  private attempt(run: () => void): void {
    try {
      run()
    } catch (defect) {
      this.ended = { defect }
    }
  }
}

/** What this means for an answer that is not complete. */
const whyEnded = (read: Exclude<Body.Read, { readonly _tag: "Bytes" }>): Fault.Fault => {
  switch (read._tag) {
    case "End":
      return Fault.cut()
    case "Broken":
      return Fault.cut(read.code)
    case "Unreadable":
      return read.encoding === undefined
        ? Fault.malformed("Empty")
        : Fault.malformed("NotTheProtocol", `content-encoding: ${read.encoding}`)
  }
}

/** A body that ended without one event is no answer; one with only keep-alive comments was cut off while waiting. */
const nothing = (fault: Fault.Fault, head: string): Fault.Fault =>
  fault._tag !== "Cut" || fault.code !== undefined || head.trimStart().startsWith(":")
    ? fault
    : Fault.malformed(head.trim() === "" ? "Empty" : "NotTheProtocol", head)

/**
 * The whole body as text. It fails as soon as it is larger than `maxBytes`, or a clock runs out: servers keep a
 * connection alive with white space (DeepSeek sends empty lines), so that counts as bytes, not as output.
 */
export const text = ({ body, over, waits, watch }: Source, maxBytes: number): Effect.Effect<string, Fault.Fault> =>
  Effect.async((resume) => {
    const decoder = new TextDecoder()
    const pieces = Joiner.make()
    const read = { size: 0, lastByte: watch.now(), lastOutput: watch.now(), isOver: false }

    const end = (exit: Exit.Exit<string, Fault.Fault>): void => {
      if (read.isOver) return
      read.isOver = true
      watch.rest()
      try {
        over()
        resume(exit)
      } catch (defect) {
        // This runs outside of any fiber, so what is thrown is caught here and becomes a defect of this call.
        resume(Exit.die(defect))
      }
    }
    const came = (chunk: Body.Read): void => {
      if (read.isOver) return
      if (chunk._tag === "End") return end(Exit.succeed(pieces.join() + decoder.decode()))
      if (chunk._tag !== "Bytes") return end(Exit.fail(whyEnded(chunk)))
      read.size += chunk.bytes.length
      if (read.size > maxBytes) return end(Exit.fail(Fault.malformed("TooLarge", pieces.join())))
      const piece = decoder.decode(chunk.bytes, { stream: true })
      read.lastByte = watch.now()
      if (piece.trim() !== "") read.lastOutput = read.lastByte
      pieces.add(piece)
      body.next(came)
    }

    watch.over(
      () => Math.min(read.lastByte + waits.idle, read.lastOutput + waits.stall),
      () => end(Exit.fail(stalled(read.lastByte + waits.idle <= read.lastOutput + waits.stall)))
    )
    body.next(came)
  })

const stalled = (idle: boolean): Fault.Fault => ({ _tag: "Stalled", clock: idle ? "idle" : "stall" })

interface Limit {
  readonly maxBytes: number
  readonly within: Duration.Duration
}

/** The beginning of an error's body as text. */
export const prefix = (body: Body.Body, limit: Limit): Effect.Effect<string> =>
  Effect.map(beginning(body, limit), (bytes) => new TextDecoder().decode(bytes))

/**
 * The beginning of an error's body, up to `maxBytes`. It never fails: the status alone is enough to classify by, so of
 * a body that breaks, or does not end in time, what had come is used.
 */
export const beginning = (body: Body.Body, limit: Limit): Effect.Effect<Uint8Array<ArrayBuffer>> => {
  const kept = new Uint8Array(limit.maxBytes)
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
  return Effect.map(Effect.timeoutOption(whole, limit.within), () => kept.slice(0, size))
}
