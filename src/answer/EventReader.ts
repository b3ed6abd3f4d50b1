/**
 * The events of a streamed answer: the bytes of its body, decoded in plain code in the callback of the read.
 */
import * as Effect from "effect/Effect"
import type { Event } from "../chat/Event.js"
import * as Fault from "../refusal/Fault.js"
import type * as Body from "./Body.js"
import * as Opened from "./Opened.js"
import * as ResponseBody from "./ResponseBody.js"
import { Silence } from "./Watch.js"
import type { WireReader } from "./WireReader.js"

/**
 * The most bytes that are read while nobody waits for them. Most answers end within that, so they are known to be
 * complete while their consumer is still busy. Beyond it a slow consumer holds the socket back.
 */
const readAhead = 64 * 1024

/** How much of what arrived before the first event is quoted by an error, in characters. */
const headLength = 480

/** Reads one answer for one consumer. No clock runs while nobody waits. */
export class EventReader implements Opened.Source<Fault.Fault> {
  /** What has arrived and not been taken. */
  private ready: Array<Event> = []
  /** Bytes that have arrived since the last `take`. */
  private ahead = 0
  /** Why there is no more, unless the answer is complete. It is reported after the events that are ready. */
  private failed: Opened.Failed<Fault.Fault> | undefined
  private hasEnded = false
  /** Called when there is something to take; `undefined` while nobody waits. */
  private waiter: (() => void) | undefined
  /** Whether a chunk has been asked for and has not arrived. */
  private isReading = false
  /** Whether the consumer is being notified of a chunk: then the time of its arrival is known already. */
  private isNotifying = false
  /** The beginning of what arrived before the first event, for the error if there is no answer in it. */
  private head = ""
  private readonly silence: Silence

  constructor(
    private readonly source: ResponseBody.Source,
    private readonly reader: WireReader
  ) {
    this.silence = new Silence(source.watch, source.waits)
  }

  readonly wait = (then: () => void): (() => void) => {
    if (this.isNotifying) this.silence.output()
    else this.silence.begin()
    this.waiter = then
    // An answer that has ended no longer needs these clocks.
    if (!this.isDone()) this.source.watch.arm(this.due, this.expire)
    this.notify()
    this.readOn()
    return () => {
      if (this.waiter === then) this.waiter = undefined
    }
  }

  readonly take = (): Opened.Batch | Opened.Failed<Fault.Fault> => {
    const { failed, ready } = this
    const isDone = this.isDone()
    if (ready.length === 0 && !isDone) return Opened.nothing
    if (ready.length === 0 && failed !== undefined) return failed
    this.ready = []
    this.ahead = 0
    this.readOn()
    return Opened.batch(ready, isDone && failed === undefined)
  }

  /** Asks for the next chunk, if one is wanted. */
  private readOn(): void {
    if (this.isReading || this.isDone() || (this.waiter === undefined && this.ahead >= readAhead)) return
    this.isReading = true
    this.source.body.next(this.onChunk)
  }

  private readonly onChunk = (chunk: Body.Next): void => {
    this.isReading = false
    // It arrives too late: the clock has run out.
    if (this.isDone()) return
    this.guard(() => this.decode(chunk))
    this.end()
    this.isNotifying = true
    this.notify()
    this.isNotifying = false
    this.readOn()
  }

  private decode(chunk: Body.Next): void {
    if (chunk._tag === "Bytes") this.feed(chunk.bytes)
    else this.endWith(ResponseBody.whyEnded(chunk))
  }

  private feed(bytes: Uint8Array): void {
    const { reader } = this
    this.silence.byte()
    this.ahead += bytes.length
    if (!reader.begun() && this.head.length < headLength) {
      this.head += new TextDecoder().decode(bytes.subarray(0, headLength))
    }
    this.add(reader.feed(bytes))
    const state = reader.state()
    if (Fault.isFault(state)) this.fail(Effect.fail(state))
    else if (state === "done") this.source.onComplete()
  }

  private add(events: ReadonlyArray<Event>): void {
    for (const event of events) this.ready.push(event)
  }

  /** The body ended or broke: a complete answer still counts, and an incomplete one says why. */
  private endWith(why: Fault.Fault): void {
    const { reader } = this
    this.add(reader.end())
    const state = reader.state()
    if (!Fault.isFault(state)) return
    this.fail(Effect.fail(state._tag !== "Cut" ? state : reader.begun() ? why : noAnswer(why, this.head)))
  }

  private fail(failure: Effect.Effect<never, Fault.Fault>): void {
    this.failed = Opened.failed(failure)
  }

  private isDone(): boolean {
    return this.failed !== undefined || this.reader.state() !== "more"
  }

  /** Nothing more will be read. `onEnd` is called before the consumer learns of it. */
  private end(): void {
    if (this.hasEnded || !this.isDone()) return
    this.hasEnded = true
    this.guard(this.source.onEnd)
  }

  /** Calls whoever waits, if there is something to take. */
  private notify(): void {
    const { waiter } = this
    if (waiter === undefined || (this.ready.length === 0 && !this.isDone())) return
    this.waiter = undefined
    this.guard(waiter)
    // What the consumer's own callback throws ends its answer, too.
    this.end()
  }

  private readonly due = (): number => (this.waiter === undefined ? Number.POSITIVE_INFINITY : this.silence.due())

  private readonly expire = (): void => {
    if (this.isDone()) return
    this.guard(() => this.endWith({ _tag: "Stalled", clock: this.silence.first() }))
    this.end()
    this.notify()
  }

  /** Outside of any fiber: what is thrown is caught here and becomes a defect of whoever takes the events. */
  private guard(run: () => void): void {
    try {
      run()
    } catch (defect) {
      this.fail(Effect.die(defect))
    }
  }
}

/** A body that ended without one event is no answer; one with only keep-alive comments was cut off while waiting. */
const noAnswer = (fault: Fault.Fault, head: string): Fault.Fault =>
  fault._tag !== "Cut" || fault.code !== undefined || head.trimStart().startsWith(":")
    ? fault
    : Fault.malformed(head.trim() === "" ? "Empty" : "NotTheProtocol", head)
