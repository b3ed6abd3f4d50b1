/**
 * What runs the calls of a reply: tools with their handlers.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Chat from "../Chat.js"
import type * as Tool from "../Tool.js"
import * as Result from "./Result.js"

/**
 * Tools that can be run. `A` is what their handlers give and fail with, a union of `Returned` and `Failed` by the tools'
 * names; `R` is what the handlers need.
 */
export interface Toolkit<out A extends Result.Ran = Result.Ran, out R = never> {
  /** The tools, for `Request.tools`. `converse` puts them there itself. */
  readonly tools: ReadonlyArray<Chat.ToolDefinition>
  /**
   * Runs one call, once. Arguments that do not fit, a name that is unknown and what the handler fails with are results. A
   * defect stays one, and interruption interrupts the handler.
   */
  readonly run: <E2 = never, R2 = never, E3 = never, R3 = never>(
    call: Chat.ToolCall,
    options?: RunOptions<A, E2, R2, E3, R3>
  ) => Effect.Effect<Result.Result<A>, E2 | E3, R | R2 | R3>
  /**
   * Runs the calls of a reply, each once, and gives their results in the calls' order. Append the results' messages to the
   * history behind the reply's. The calls of an answer that a filter stopped are not run.
   */
  readonly handle: <E2 = never, R2 = never, E3 = never, R3 = never>(
    reply: Pick<Chat.Reply, "reason" | "toolCalls">,
    options?: HandleOptions<A, E2, R2, E3, R3>
  ) => Effect.Effect<ReadonlyArray<Result.Result<A>>, E2 | E3, R | R2 | R3>
}

/** How a call is run. */
export interface RunOptions<in A extends Result.Ran, out E = never, out R = never, out E2 = never, out R2 = never> {
  /**
   * Asked before a call runs that could run: one that fits, of a tool that is there. `{ refuse }` tells the model why not.
   * Default: everything runs.
   */
  readonly approve?: ((call: Chat.ToolCall) => Effect.Effect<Result.Approval, E, R>) | undefined
  /**
   * Told of the result as soon as there is one, and not interrupted, so that what has run is known to have run. Default:
   * nobody is told.
   */
  readonly onResult?: ((result: Result.Result<A>) => Effect.Effect<void, E2, R2>) | undefined
}

/** How the calls of a reply are run. */
export interface HandleOptions<in A extends Result.Ran, out E = never, out R = never, out E2 = never, out R2 = never>
  extends RunOptions<A, E, R, E2, R2> {
  /** So many at a time, those included that wait for `approve`. Default: one after the other. */
  readonly concurrency?: number | "unbounded" | undefined
}

/** A handler as it is called. A method, whose parameters TypeScript compares both ways: `make` has checked them by name. */
export interface AnyHandlers<R> {
  readonly [name: string]: { run(args: unknown, call: Chat.ToolCall): Effect.Effect<unknown, unknown, R> }["run"]
}

type Run<A extends Result.Ran, R> = Toolkit<A, R>["run"]

/** A toolkit that runs its calls like this. */
export const make = <A extends Result.Ran, R>(
  tools: ReadonlyArray<Chat.ToolDefinition>,
  run: Run<A, R>
): Toolkit<A, R> => ({
  tools,
  run,
  handle: (reply, options = {}) =>
    Effect.forEach(reply.toolCalls, (call) => of(run, reply, call, options), {
      concurrency: options.concurrency
    })
})

/** The result of a call of this reply. */
export const of = <A extends Result.Ran, R, E2, R2, E3, R3>(
  run: Run<A, R>,
  reply: Pick<Chat.Reply, "reason">,
  call: Chat.ToolCall,
  options: RunOptions<A, E2, R2, E3, R3>
): Effect.Effect<Result.Result<A>, E2 | E3, R | R2 | R3> =>
  reply.reason === "content-filter" ? told(Effect.succeed(Result.filtered(call)), options) : run(call, options)

/** The same, and `onResult` is told of it. Nothing may come between the two. */
const told = <A extends Result.Ran, E, R, E2, R2>(
  result: Effect.Effect<Result.Result<A>, E, R>,
  { onResult }: RunOptions<A, unknown, unknown, E2, R2>
): Effect.Effect<Result.Result<A>, E | E2, R | R2> =>
  onResult === undefined ? result : Effect.tap(result, (result) => Effect.uninterruptible(onResult(result)))

/** Tools and their handlers, by name. */
export const handled = <R>(tools: ReadonlyArray<Tool.Any>, handlers: AnyHandlers<R>): Toolkit<Result.Ran, R> => {
  const known = new Map(tools.map((tool) => [tool.name, runnerOf(tool, handlers)]))
  for (const name of Object.keys(handlers)) {
    if (!known.has(name)) throw new Error(`Toolkit: there is a handler for "${name}", and no such tool`)
  }
  return make(tools, (call, options = {}) =>
    Effect.suspend(() => known.get(call.name)?.(call, options) ?? unknownOf(call, tools, options))
  )
}

const unknownOf = <A extends Result.Ran, E2, R2>(
  call: Chat.ToolCall,
  tools: ReadonlyArray<Chat.ToolDefinition>,
  options: RunOptions<A, unknown, unknown, E2, R2>
) => told<A, never, never, E2, R2>(Effect.succeed(Result.unknownTool(call, tools)), options)

const runnerOf = <R>(tool: Tool.Any, handlers: AnyHandlers<R>): Run<Result.Ran, R> => {
  const handler = Object.hasOwn(handlers, tool.name) ? handlers[tool.name] : undefined
  if (handler === undefined) throw new Error(`Toolkit: there is no handler for "${tool.name}"`)
  return (call, options = {}) => {
    const decoded = tool.decode(call)
    if (Either.isLeft(decoded)) return told(Effect.succeed(decoded.left), options)
    const handling = Effect.suspend(() => handler(decoded.right, call))
    const approval = options.approve?.(call) ?? Effect.succeed(true)
    // Once a handler has given its value, an interruption waits until that is told.
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(approval), (approval) =>
        told(
          approval === true ? answered(tool, call, restore(handling)) : Effect.succeed(Result.refused(call, approval)),
          options
        )
      )
    )
  }
}

/** What a handler came to. What it fails with is a result, unless something broke beside it. */
const answered = <R>(
  tool: Tool.Any,
  call: Chat.ToolCall,
  handling: Effect.Effect<unknown, unknown, R>
): Effect.Effect<Result.Ran, never, R> =>
  Effect.matchCauseEffect(handling, {
    onSuccess: (value) =>
      Effect.sync(() => ({ _tag: "Returned", name: tool.name, call, value, message: tool.result(call, value) })),
    onFailure: (cause) => {
      const defects = Cause.keepDefects(cause)
      if (Option.isSome(defects)) return Effect.failCause(defects.value)
      const failure = Cause.failureOrCause(cause)
      return Either.isLeft(failure)
        ? Effect.sync(() => Result.failed(call, failure.left))
        : Effect.failCause(failure.right)
    }
  })

/** Several toolkits as one: each call goes to the one that has its tool. */
export const merged = <A extends Result.Ran, R>(toolkits: ReadonlyArray<Toolkit<A, R>>): Toolkit<A, R> => {
  const tools = toolkits.flatMap((toolkit) => toolkit.tools)
  unique(tools)
  const owners = new Map(toolkits.flatMap((toolkit) => toolkit.tools.map(({ name }) => [name, toolkit])))
  return make(
    tools,
    (call, options = {}) => owners.get(call.name)?.run(call, options) ?? unknownOf(call, tools, options)
  )
}

/** Throws if two tools have one name: the model could not say which it means. */
export const unique = (tools: ReadonlyArray<Chat.ToolDefinition>): void => {
  const seen = new Set<string>()
  for (const { name } of tools) {
    if (seen.has(name)) throw new Error(`Toolkit: two tools are called "${name}"`)
    seen.add(name)
  }
}
