/**
 * What a conversation has come to: its history, its steps and what it cost.
 */
import * as Chat from "../Chat.js"
import * as Result from "./Result.js"

/** One answer of the model's, and what became of its calls. */
export interface Step<out A extends Result.Ran = Result.Ran> {
  /** The answer. */
  readonly reply: Chat.Reply
  /** The results so far of its calls, in the calls' order. */
  readonly results: ReadonlyArray<Result.Result<A>>
}

/** A conversation as far as it has come. */
export interface Progress<out A extends Result.Ran = Result.Ran> {
  /**
   * The history: the request's messages, and behind them each answer and its results. A call that has no result yet has
   * one that says that it was interrupted, so a conversation that is broken off here can go on from here.
   */
  readonly messages: ReadonlyArray<Chat.Message>
  /** The answers so far, oldest first. The last one may lack results. */
  readonly steps: ReadonlyArray<Step<A>>
  /** What all answers cost. A count is `undefined` if no answer said it; an answer that does not say it adds nothing. */
  readonly usage: Chat.Usage
}

/** How a conversation ended. */
export type Outcome<A extends Result.Ran = Result.Ran> = Progress<A> & { readonly reply: Chat.Reply } & Ending

/** Why a conversation ended, with the last answer in `reply`. */
export type Ending =
  /** The model called no more tools. Why it stopped, `reply.reason` says: it may be the limit of tokens. */
  | { readonly _tag: "Done" }
  /** The model has had as many steps as it was given. Its last calls were run, so the conversation can go on. */
  | { readonly _tag: "MaxSteps" }
  /** `stopWhen` said so. */
  | { readonly _tag: "Stopped" }
  /**
   * The model called tools of the request's own, which the program answers itself: append the results of these calls to
   * `messages`, which has none for them, and converse again.
   */
  | { readonly _tag: "Waiting"; readonly calls: ReadonlyArray<Chat.ToolCall> }

/** A conversation while it runs. What is known of a step is told here first. @internal */
export class Journal<A extends Result.Ran> {
  /** Everything before the step that is under way. */
  private messages: ReadonlyArray<Chat.Message>
  private steps: ReadonlyArray<Step<A>> = []
  private usage: Chat.Usage = Chat.unknownUsage
  /** The step that is under way, once its answer is whole. */
  private current: Current<A> | undefined

  constructor(messages: ReadonlyArray<Chat.Message>) {
    this.messages = messages
  }

  /** A step begins: what the one before came to is settled. */
  begin(): { readonly step: number; readonly messages: ReadonlyArray<Chat.Message> } {
    const { messages, steps } = this.progress()
    this.messages = messages
    this.steps = steps
    this.current = undefined
    return { step: steps.length + 1, messages }
  }

  /** The answer is whole. */
  answered(reply: Chat.Reply): void {
    this.usage = added(this.usage, reply.usage)
    this.current = { reply, results: reply.toolCalls.map(() => undefined) }
  }

  /** The call at this place has its result. */
  resulted(place: number, result: Result.Result<A>): void {
    if (this.current !== undefined) this.current.results[place] = result
  }

  /** Calls that are `left` to the program have no result in the history, because the program appends it. */
  progress(left: (call: Chat.ToolCall) => boolean = () => false): Progress<A> {
    const { current, messages, steps, usage } = this
    if (current === undefined) return { messages, steps, usage }
    const { reply, results } = current
    const told = reply.toolCalls.flatMap((call, place) =>
      left(call) ? [] : [results[place]?.message ?? Result.interrupted(call)]
    )
    return {
      messages: [...messages, reply.message, ...told],
      steps: [...steps, { reply, results: results.filter((result) => result !== undefined) }],
      usage
    }
  }
}

interface Current<A extends Result.Ran> {
  readonly reply: Chat.Reply
  /** By the calls' places. */
  readonly results: Array<Result.Result<A> | undefined>
}

const added = (one: Chat.Usage, other: Chat.Usage): Chat.Usage => ({
  inputTokens: sum(one.inputTokens, other.inputTokens),
  outputTokens: sum(one.outputTokens, other.outputTokens),
  totalTokens: sum(one.totalTokens, other.totalTokens),
  cachedInputTokens: sum(one.cachedInputTokens, other.cachedInputTokens),
  reasoningTokens: sum(one.reasoningTokens, other.reasoningTokens)
})

const sum = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined ? other : one + (other ?? 0)
