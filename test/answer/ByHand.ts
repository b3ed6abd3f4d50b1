/** A body by hand, chunk by chunk, and what reads it. */
import { Effect } from "effect"
import type * as Body from "../../src/answer/Body.js"
import { EventReader } from "../../src/answer/EventReader.js"
import type * as Opened from "../../src/answer/Opened.js"
import type * as ResponseBody from "../../src/answer/ResponseBody.js"
import * as Watch from "../../src/answer/Watch.js"
import * as WireReader from "../../src/answer/WireReader.js"
import type * as Protocol from "../../src/Protocol.js"
import * as Fault from "../../src/refusal/Fault.js"

export const utf8 = (text: string) => new TextEncoder().encode(text)
export const bytes = (text: string): Body.Next => ({ _tag: "Bytes", bytes: utf8(text) })
export const end: Body.Next = { _tag: "End" }
export const broken: Body.Next = { _tag: "Broken", code: "ECONNRESET" }
export const say = (text: string) => `data: ${text}\n\n`
export const done = "data: [DONE]\n\n"

/** Whoever holds it says what comes, and sees how much was asked for. */
export class Wire {
  private answer: ((read: Body.Next) => void) | undefined
  private readonly coming: Array<Body.Next> = []
  asked = 0

  readonly body: Body.Body = {
    next: (then) => {
      this.asked += 1
      this.answer = then
      this.deliver()
    },
    hasEnded: () => false,
    release: Effect.void
  }

  come(...reads: ReadonlyArray<Body.Next>): void {
    for (const read of reads) {
      this.coming.push(read)
      this.deliver()
    }
  }

  /** Not at once to whoever asks within an answer, as no body does. */
  private delivering = false
  private deliver(): void {
    if (this.delivering) return
    this.delivering = true
    while (this.answer !== undefined && this.coming.length > 0) {
      const answer = this.answer
      const read = this.coming.shift()
      this.answer = undefined
      if (read !== undefined) answer(read)
    }
    this.delivering = false
  }

  get isAsked(): boolean {
    return this.answer !== undefined
  }
}

/** Each event is a text, but for what ends it. */
const decoder = (): Protocol.Decoder => ({
  step: (data, _, events) => {
    if (data === "[DONE]") return "done"
    if (data === "throw") throw new Error("the decoder's own")
    if (data === "fault") return Fault.malformed("NotTheProtocol", data)
    events.push({ _tag: "TextDelta", text: data })
    return "more"
  },
  end: () => Fault.cut(),
  decodeBody: () => Fault.malformed("NotTheProtocol")
})

export const reading = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const wire = new Wire()
  const watch = new Watch.Watch(clock)
  const watches = Watch.make(clock, 30_000)
  yield* watches.begin(watch)
  const told = { end: 0, complete: 0 }
  const source: ResponseBody.Source = {
    body: wire.body,
    watch,
    waits: { idle: 30_000, stall: 90_000 },
    onComplete: () => {
      told.complete += 1
    },
    onEnd: () => {
      told.end += 1
    }
  }
  const events = new EventReader(source, WireReader.make(decoder()))
  return { events, source, told, wire }
})

export const texts = ({ events }: Opened.Batch) =>
  Array.from(events, (event) => (event._tag === "TextDelta" ? event.text : event._tag)).join("")
