/** The spans of a program, as a tracer that exports them would have them. */
import { Effect, Tracer } from "effect"

export interface Spans {
  readonly tracer: Tracer.Tracer
  /** Every one that has begun, oldest first. */
  readonly begun: ReadonlyArray<Tracer.Span>
  /** Those that have ended, in the order of their ends. One that ends twice is in it twice. */
  readonly ended: ReadonlyArray<Tracer.Span>
}

export const collect = (): Spans => {
  const native = Effect.runSync(Effect.tracer)
  const begun: Array<Tracer.Span> = []
  const ended: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    context: native.context,
    span: (...args) => {
      const span = native.span(...args)
      const end = span.end.bind(span)
      begun.push(span)
      span.end = (...how) => {
        ended.push(span)
        end(...how)
      }
      return span
    }
  })
  return { tracer, begun, ended }
}
