/**
 * A value that is handed on whole and has to cross as JSON: copied without what must not come through, or refused where
 * JSON would change it silently.
 */
import type * as Json from "./Json.js"

/** A copy that is JSON, or why there is none. */
export type Copied = Copy | NotJson

/** The value, as it comes back from JSON. */
export interface Copy {
  readonly _tag: "Copy"
  readonly value: unknown
}

/** The first place where the value is not JSON. */
export interface NotJson {
  readonly _tag: "NotJson"
  readonly path: ReadonlyArray<string | number>
  /** What stands there: "a bigint". */
  readonly problem: string
}

/**
 * Copies a value. `__proto__` and `constructor` are dropped at every depth, as they are from what a server sends, and so
 * are fields that are `undefined`, as JSON does it.
 */
export const copy = (value: unknown): Copied => {
  const copying = new Copying()
  const copied = copying.any(value)
  return copying.problem === undefined
    ? { _tag: "Copy", value: copied }
    : { _tag: "NotJson", path: copying.path, problem: copying.problem }
}

/**
 * Deeper than the arguments of any tool, and far from where `JSON.stringify` runs out of stack. Whoever reads the value
 * after us may recurse as well.
 */
const deepest = 1000

class Copying {
  /** Where we are. After a problem, where it is. */
  readonly path: Array<string | number> = []
  problem: string | undefined
  /** The objects that we are inside of: to come upon one again is a circle. */
  private readonly around = new Set<object>()

  any(value: unknown): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value
      case "number":
        return Number.isFinite(value) ? value : this.refuse("a number that JSON does not have")
      case "object":
        return value === null ? null : this.nested(value)
      case "undefined":
        return this.refuse("undefined")
      default:
        return this.refuse(`a ${typeof value}`)
    }
  }

  private nested(value: object): unknown {
    if (this.around.has(value)) return this.refuse("a circle")
    if (this.path.length > deepest) return this.refuse("nested too deep")
    this.around.add(value)
    const copied = Array.isArray(value)
      ? this.list(value)
      : isPlain(value)
        ? this.fields(value)
        : this.refuse("an object that is not plain")
    this.around.delete(value)
    return copied
  }

  private list(values: ReadonlyArray<unknown>): ReadonlyArray<unknown> {
    const copied: Array<unknown> = []
    for (let at = 0; at < values.length && this.problem === undefined; at++) copied.push(this.below(at, values[at]))
    return copied
  }

  private fields(fields: Json.Fields): Json.Fields {
    const copied: { [key: string]: unknown } = {}
    for (const key of Object.keys(fields)) {
      if (key === "__proto__" || key === "constructor" || fields[key] === undefined) continue
      copied[key] = this.below(key, fields[key])
      if (this.problem !== undefined) break
    }
    return copied
  }

  private below(key: string | number, value: unknown): unknown {
    this.path.push(key)
    const copied = this.any(value)
    if (this.problem === undefined) this.path.pop()
    return copied
  }

  private refuse(problem: string): undefined {
    this.problem = problem
    return undefined
  }
}

/** Of no class: a literal, `Object.create(null)`, or a literal of another realm, whose `Object` is not this one. */
const isPlain = (value: object): value is Json.Fields => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || (typeof prototype === "object" && Object.getPrototypeOf(prototype) === null)
}
