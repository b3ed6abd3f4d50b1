/**
 * The terminal as a page: headings, paragraphs with the time in the margin, and text that is still being written.
 */
import { Clock, Effect } from "effect"
import { columns, Line } from "./Line.js"

export type Style = "plain" | "bold" | "dim" | "green" | "yellow" | "red"

export interface Page {
  /** Begins a section. The times in the margin count from here. */
  readonly heading: (mark: string, title: string) => Effect.Effect<void>
  readonly paragraph: (text: string, style?: Style) => Effect.Effect<void>
  /** A paragraph with the time in the margin. */
  readonly moment: (text: string, style?: Style) => Effect.Effect<void>
  /** A paragraph that belongs to the moment above it. */
  readonly aside: (text: string, style?: Style) => Effect.Effect<void>
  /** A piece of running text. The first piece after anything else has the time in its margin. */
  readonly write: (piece: string) => Effect.Effect<void>
}

/** Shows nothing, because a program reads the standard output. */
export const blank: Page = {
  heading: () => Effect.void,
  paragraph: () => Effect.void,
  moment: () => Effect.void,
  aside: () => Effect.void,
  write: () => Effect.void
}

export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

/** @param seconds Formats a time for the margin. */
export const make = (output: Output, seconds: (elapsed: number) => string): Page => {
  const paint = painter(output)
  const width = Math.max(40, Math.min(output.columns ?? widest, widest))
  const print = (text: string) => Effect.sync(() => output.write(text))
  let running: Line | undefined
  let began = 0

  const closed = Effect.suspend(() => {
    const wasRunning = running !== undefined
    running = undefined
    return wasRunning ? print("\n") : Effect.void
  })

  const stamp = Effect.map(Clock.currentTimeMillis, (now) => {
    const time = seconds((now - began) / 1000)
    return time + " ".repeat(Math.max(1, margin - indent - columns(time)))
  })

  const block = (mark: string, text: string, at: number, style: Style = "plain") =>
    print(
      `${" ".repeat(mark === "" ? at : indent)}${paint(mark, "dim")}${paint(new Line(at, width).add(text), style)}\n`
    )

  return {
    heading: (mark, title) =>
      Effect.gen(function* () {
        yield* closed
        began = yield* Clock.currentTimeMillis
        yield* print(`\n${mark.padEnd(indent)}${paint(title, "bold")}\n`)
      }),
    paragraph: (text, style) => Effect.zipRight(closed, block("", text, indent, style)),
    moment: (text, style) =>
      closed.pipe(
        Effect.zipRight(stamp),
        Effect.flatMap((time) => block(time, text, margin, style))
      ),
    aside: (text, style) => Effect.zipRight(closed, block("", text, margin, style)),
    write: (piece) =>
      Effect.gen(function* () {
        if (running === undefined) {
          yield* print(" ".repeat(indent) + paint(yield* stamp, "dim"))
          running = new Line(margin, width)
        }
        yield* print(running.add(piece))
      })
  }
}

/** Longer lines are hard to read. */
const widest = 104

/** The column in which paragraphs begin, and those with a time beside them. */
const indent = 3
const margin = 11

const codes: { readonly [style in Style]: string } = {
  plain: "",
  bold: "1",
  dim: "2",
  green: "32",
  yellow: "33",
  red: "31"
}

/** Colours only for a terminal, and only if the reader has not turned them off (no-color.org). */
const painter = (output: Output): ((text: string, style: Style) => string) => {
  const { NO_COLOR, TERM } = process.env
  const colours = output.isTTY === true && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb"
  return (text, style) =>
    !colours || style === "plain" || text === "" ? text : `\u001b[${codes[style]}m${text}\u001b[0m`
}
