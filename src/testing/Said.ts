/**
 * What a model says in a script: in no wire's words yet.
 *
 * The gateway knows nothing of the package that it tests, so that the two cannot agree by mistake. What is called an
 * event here is written down anew, and a `Chat.Event` fits it.
 */

/** A piece of a scripted answer. A string is a piece of text, and every `Chat.Event` is one, too. */
export type Event =
  | string
  /** A piece of the text. */
  | { readonly _tag: "TextDelta"; readonly text: string }
  /** A piece of what the model thinks. */
  | { readonly _tag: "ReasoningDelta"; readonly text: string }
  /** A piece of a tool call's arguments. The pieces of one `id` are one call. */
  | { readonly _tag: "ToolCallDelta"; readonly id: string; readonly name: string; readonly delta: string }
  /** A tool call. Without an `id` it gets one that no other call of the script has. */
  | { readonly _tag: "ToolCall"; readonly id?: string | undefined; readonly name: string; readonly input: unknown }
  /** How it ends. Wherever it stands, it is the end; without one, the answer ends as the options say. */
  | ({ readonly _tag: "Finish" } & End)

/** How an answer ends, and what is known of it as a whole. */
export interface End {
  /** Why the model stopped. Default `stop`, or `tool-calls` if it called a tool. */
  readonly reason?: "stop" | "length" | "tool-calls" | "content-filter" | "pause" | "other" | undefined
  /** What the answer cost. Default 10 tokens in and 5 out. */
  readonly usage?: Counts | undefined
  /** Who answered. Default: the model that the request names. */
  readonly model?: string | undefined
  /** The id of the answer. Default: one that no other answer of the script has. */
  readonly id?: string | undefined
  /** What the model says instead of an answer. */
  readonly refusal?: string | undefined
}

/** Tokens. A count that is left out is not told on the wire, but for the sum, where OpenAI's wire tells one. */
export interface Counts {
  /** Tokens of the request, the cached ones included. */
  readonly inputTokens?: number | undefined
  /** Tokens of the answer. */
  readonly outputTokens?: number | undefined
  /** Both together. */
  readonly totalTokens?: number | undefined
  /** The part of `inputTokens` that came from the cache. */
  readonly cachedInputTokens?: number | undefined
  /** Tokens that the model thought in. */
  readonly reasoningTokens?: number | undefined
}

/** A whole answer, as a script has it. */
export interface Said {
  /** In order. */
  readonly pieces: ReadonlyArray<Piece>
  readonly end: End & { readonly reason: NonNullable<End["reason"]>; readonly usage: Counts }
}

/** A piece that a wire can write: of text, of thinking, or of a call's arguments. */
export type Piece =
  | { readonly kind: "text" | "reasoning"; readonly text: string }
  | {
      readonly kind: "call"
      /** Which of the answer's calls it is of, counted from 0. */
      readonly place: number
      readonly id: string | undefined
      readonly name: string
      readonly text: string
      /** Whether no more of this call follows. */
      readonly isLast: boolean
    }

/** Reads the events of a script. An input that JSON does not know throws here, where the script is written. */
export const said = (
  events: Iterable<Event>,
  options: End & { readonly reasoning?: string | undefined } = {}
): Said => {
  const { reasoning, ...given } = options
  const pieces = new Pieces()
  if (reasoning !== undefined) pieces.add({ _tag: "ReasoningDelta", text: reasoning })
  for (const event of events) pieces.add(event)
  const end = pieces.end
  return {
    pieces: pieces.all,
    end: {
      reason: given.reason ?? end.reason ?? (pieces.calls > 0 ? "tool-calls" : "stop"),
      usage: given.usage ?? end.usage ?? { inputTokens: 10, outputTokens: 5 },
      model: given.model ?? end.model,
      id: given.id ?? end.id,
      refusal: given.refusal ?? end.refusal
    }
  }
}

class Pieces {
  readonly all: Array<Piece> = []
  /** How many calls there are. */
  calls = 0
  end: End = {}
  /** The calls that have an id, by their places. */
  private readonly places = new Map<string, number>()

  add(event: Event): void {
    if (typeof event === "string") return this.addText("text", event)
    switch (event._tag) {
      case "TextDelta":
        return this.addText("text", event.text)
      case "ReasoningDelta":
        return this.addText("reasoning", event.text)
      case "ToolCallDelta":
        return this.addCall(event.id, event.name, event.delta, false)
      case "ToolCall": {
        // Behind its own pieces a call says nothing new.
        const isKnown = event.id !== undefined && this.places.has(event.id)
        return this.addCall(event.id, event.name, isKnown ? "" : (JSON.stringify(event.input) ?? "{}"), true)
      }
      case "Finish":
        this.end = event
    }
  }

  private addText(kind: "text" | "reasoning", text: string): void {
    if (text !== "") this.all.push({ kind, text })
  }

  private addCall(id: string | undefined, name: string, text: string, isLast: boolean): void {
    const known = id === undefined ? undefined : this.places.get(id)
    const place = known ?? this.calls++
    if (id !== undefined) this.places.set(id, place)
    this.all.push({ kind: "call", place, id, name, text, isLast })
  }
}
