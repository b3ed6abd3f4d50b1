/**
 * A body read in one piece, all of it or only its beginning, with a bound on bytes and on time. `EventReader` reads a
 * body as events, while they arrive.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Joiner from "../Joiner.js"
import * as Fault from "../refusal/Fault.js"
import type * as Body from "./Body.js"
import * as Watch from "./Watch.js"

/** A body, and what it is read with. */
export interface Source {
  readonly body: Body.Body
  readonly watch: Watch.Watch
  readonly waits: Watch.Waits
  /** Called when a streamed answer is complete. What is left of the body is not read here. */
  readonly onComplete: () => void
  /** Called once, when nothing more of the answer will be read: it is complete, failed or broke, or its time was up. */
  readonly onEnd: () => void
}

/** What the end of its body means for an answer that is not complete. */
export const whyEnded = (end: Exclude<Body.Next, { readonly _tag: "Bytes" }>): Fault.Fault => {
  switch (end._tag) {
    case "End":
      return Fault.cut()
    case "Broken":
      return Fault.cut(end.code)
    case "Unreadable":
      return end.encoding === undefined
        ? Fault.malformed("Empty")
        : Fault.malformed("NotTheProtocol", `content-encoding: ${end.encoding}`)
  }
}

/**
 * The whole body as text. It fails as soon as the body is larger than `maxBytes`, or a clock runs out. Servers keep a
 * connection alive with white space (DeepSeek sends empty lines), so that counts as bytes, not as output.
 */
export const text = (source: Source, maxBytes: number): Effect.Effect<string, Fault.Fault> =>
  Effect.async((resume) => new TextReader(source, maxBytes, resume).begin())

class TextReader {
  private readonly decoder = new TextDecoder()
  private readonly pieces = Joiner.make()
  private readonly silence: Watch.Silence
  private size = 0
  private hasEnded = false

  constructor(
    private readonly source: Source,
    private readonly maxBytes: number,
    private readonly resume: (text: Effect.Effect<string, Fault.Fault>) => void
  ) {
    this.silence = new Watch.Silence(source.watch, source.waits)
  }

  begin(): void {
    const { body, watch } = this.source
    this.silence.begin()
    watch.arm(
      () => this.silence.due(),
      () => this.end(Effect.fail({ _tag: "Stalled", clock: this.silence.first() }))
    )
    body.next(this.onChunk)
  }

  private readonly onChunk = (chunk: Body.Next): void => {
    if (this.hasEnded) return
    if (chunk._tag === "Bytes") this.read(chunk.bytes)
    else if (chunk._tag === "End") this.end(Effect.succeed(this.pieces.join() + this.decoder.decode()))
    else this.end(Effect.fail(whyEnded(chunk)))
  }

  private read(bytes: Uint8Array): void {
    this.size += bytes.length
    if (this.size > this.maxBytes) return this.end(Effect.fail(Fault.malformed("TooLarge", this.pieces.join())))
    const piece = this.decoder.decode(bytes, { stream: true })
    this.silence.byte()
    if (piece.trim() !== "") this.silence.output()
    this.pieces.add(piece)
    this.source.body.next(this.onChunk)
  }

  private end(text: Effect.Effect<string, Fault.Fault>): void {
    if (this.hasEnded) return
    this.hasEnded = true
    const { onEnd, watch } = this.source
    watch.disarm()
    try {
      onEnd()
      this.resume(text)
    } catch (defect) {
      // This runs outside of any fiber, so what is thrown is caught here and becomes a defect of this call.
      this.resume(Effect.die(defect))
    }
  }
}

interface Limit {
  readonly maxBytes: number
  readonly within: Duration.Duration
}

/** The beginning of an error's body as text. */
export const prefix = (body: Body.Body, limit: Limit): Effect.Effect<string> =>
  Effect.map(beginning(body, limit), (bytes) => new TextDecoder().decode(bytes))

/**
 * The beginning of an error's body, up to `maxBytes`. It never fails: the status alone is enough to classify by, so of
 * a body that breaks, or does not end in time, what has arrived is used.
 */
export const beginning = (body: Body.Body, limit: Limit): Effect.Effect<Uint8Array<ArrayBuffer>> => {
  const kept = new Uint8Array(limit.maxBytes)
  let size = 0
  const filled = Effect.async<void>((resume) => {
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
  return Effect.map(Effect.timeoutOption(filled, limit.within), () => kept.slice(0, size))
}
