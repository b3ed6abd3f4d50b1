/**
 * Where a value does not fit its schema, as one short line for a reader: a path, what was expected, what came.
 *
 * Effect's own formatters print the type, with the names of the program's classes and brands in it. But the answer
 * comes from a model, and whoever reads the line did not write the schema.
 */
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as AST from "effect/SchemaAST"
import * as Json from "../Json.js"

/** `items[2].price: expected number, got "12"`: one place that does not fit, in at most 200 characters. */
export const line = (issue: ParseResult.ParseIssue): string => {
  const { path, wrong } = find(issue)
  const words = typeof wrong === "string" ? wrong : wordsOf(wrong)
  return path.length === 0 ? words : `${pathOf(path)}: ${words}`
}

// ---------------------------------------------------------------------------------------------------------------------
// The place
// ---------------------------------------------------------------------------------------------------------------------

interface Place {
  readonly path: Path
  readonly wrong: Wrong | "missing" | "unexpected" | "cannot be decoded here"
}

type Path = ReadonlyArray<PropertyKey>

interface Wrong extends Asked {
  /** The words of whoever wrote the schema. */
  readonly message?: string | undefined
}

/** The value at a place as the model wrote it, and its whole schema. Deeper inside both are known only in part. */
interface Asked {
  readonly ast: AST.AST
  readonly actual: unknown
}

/** An issue still to be looked into. */
interface Open {
  readonly issue: ParseResult.ParseIssue
  readonly path: Path
  readonly asked?: Asked | undefined
}

/**
 * The deepest place. Only a union has several: the member that the value got furthest with was meant; if none took it
 * in, the union itself does not fit. A loop, because the issues are nested as deep as the value is.
 */
const find = (root: ParseResult.ParseIssue): Place => {
  const open: Array<Open> = [{ issue: root, path: [] }]
  let deepest: Place | undefined
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { inside, place } = lookInto(next)
    if (place !== undefined && (deepest === undefined || place.path.length > deepest.path.length)) deepest = place
    open.push(...inside.toReversed())
  }
  return deepest ?? { path: [], wrong: "cannot be decoded here" }
}

interface Looked {
  readonly place?: Place
  readonly inside: ReadonlyArray<Open>
}

const lookInto = ({ asked, issue, path }: Open): Looked => {
  const found = (wrong: Place["wrong"]): Looked => ({ place: { path, wrong }, inside: [] })
  const further = (open: Open): Looked => ({ inside: [open] })
  switch (issue._tag) {
    case "Pointer": {
      const there = path.concat(issue.path)
      if (!isOfFilter(issue)) return further({ issue: issue.issue, path: there })
      const { ast, message } = issue.issue
      return {
        place: { path: there, wrong: { ast, message, actual: at(issue.actual, [issue.path].flat()) } },
        inside: []
      }
    }
    case "Composite": {
      const all = [issue.issues].flat()
      if (!AST.isUnion(issue.ast)) return { inside: all.slice(0, 1).map((issue) => ({ issue, path, asked })) }
      return { place: { path, wrong: both(asked ?? issue) }, inside: all.map((issue) => ({ issue, path })) }
    }
    case "Refinement":
      return issue.kind === "Predicate" && issue.issue._tag === "Type"
        ? found({ ...both(asked ?? issue), message: messageOf(issue) ?? messageOf(issue.issue) })
        : further({ issue: issue.issue, path, asked: asked ?? issue })
    case "Transformation":
      return issue.kind === "Transformation" && issue.issue._tag === "Type"
        ? found({
            ast: issue.ast,
            actual: (asked ?? issue).actual,
            message: messageOf(issue) ?? messageOf(issue.issue)
          })
        : // The model is asked for the encoded side.
          further({ issue: issue.issue, path, asked: issue.kind === "Encoded" ? undefined : (asked ?? issue) })
    case "Type":
      return found({ ...both(asked ?? issue), message: messageOf(issue) })
    case "Missing":
      return found("missing")
    case "Unexpected":
      return found("unexpected")
    case "Forbidden":
      return found("cannot be decoded here")
  }
}

/** A filter may name a place further inside; its actual value is still the whole. */
const isOfFilter = (issue: ParseResult.Pointer): issue is ParseResult.Pointer & { readonly issue: ParseResult.Type } =>
  issue.issue._tag === "Type" && issue.issue.actual === issue.actual

const at = (value: unknown, path: Path): unknown =>
  path.reduce((inner, key) => (Predicate.hasProperty(inner, key) ? inner[key] : undefined), value)

const both = ({ actual, ast }: Asked): Asked => ({ ast, actual })

const messageOf = (
  issue: ParseResult.Type | ParseResult.Refinement | ParseResult.Transformation
): string | undefined => {
  const annotated = Option.getOrUndefined(AST.getMessageAnnotation(issue.ast))?.(issue)
  const message = typeof annotated === "object" && "override" in annotated ? annotated.message : annotated
  if (typeof message === "string") return message
  // Effect's own messages repeat the value, at any length.
  return issue._tag === "Type" && issue.message?.startsWith("Unable to ") !== true ? issue.message : undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// What was expected
// ---------------------------------------------------------------------------------------------------------------------

const wordsOf = ({ actual, ast, message }: Wrong): string =>
  short(message ?? `expected ${wanted(ast)}`, 72) + (actual === undefined ? "" : `, got ${shown(actual)}`)

const wanted = (ast: AST.AST): string => {
  if (AST.isRefinement(ast)) return refined(ast)
  if (!AST.isTransformation(ast)) return kind(ast)
  const [from, to] = [kind(ast.from), kind(ast.to)]
  return from !== to && scalars.has(to) ? `${from} that decodes to ${to}` : `valid ${from}`
}

const scalars: ReadonlySet<string> = new Set(["string", "number", "integer", "boolean"])

/** What JSON calls it; for a union, what JSON calls each member. */
const kind = (ast: AST.AST): string => {
  const kinds = [...new Set(kindsOf(ast, 0))]
  const named = kinds.length > 6 ? [...kinds.slice(0, 3), `one of ${kinds.length - 3} others`] : kinds
  return named.length < 2 ? (named[0] ?? "nothing") : `${named.slice(0, -1).join(", ")} or ${named.at(-1)}`
}

/** A schema may contain itself, so the depth is limited. */
const kindsOf = (ast: AST.AST, depth: number): ReadonlyArray<string> => {
  if (depth > 8) return ["value"]
  switch (ast._tag) {
    case "Union":
      return ast.types.flatMap((type) => kindsOf(type, depth + 1))
    case "Suspend":
      return kindsOf(ast.f(), depth + 1)
    case "Transformation":
      return kindsOf(ast.from, depth + 1)
    case "Refinement":
      return limitsOf(ast)["type"] === "integer" ? ["integer"] : kindsOf(ast.from, depth + 1)
    case "Literal":
      return [shown(ast.literal)]
    case "Enums":
      return ast.enums.map(([, value]) => shown(value))
    case "StringKeyword":
      return ["string"]
    case "NumberKeyword":
      return ["number"]
    case "BooleanKeyword":
      return ["boolean"]
    case "TemplateLiteral":
      return ["string of a given form"]
    case "TypeLiteral":
    case "ObjectKeyword":
      return ["object"]
    case "TupleType":
      return ["array"]
    // JSON has none of these.
    case "UndefinedKeyword":
    case "VoidKeyword":
    case "NeverKeyword":
      return []
    default:
      return ["value"]
  }
}

type Limits = { readonly [keyword: string]: unknown }

/** "string of at least 2 characters". A limit that JSON Schema does not know is told by its description, if it has one. */
const refined = (ast: AST.Refinement): string => {
  const all = refinements(ast)
  const limits: Limits = Object.assign({}, ...all.map(limitsOf))
  const words = [kind(ast), ...limitWords(limits)].join(" ")
  const other = all.find((one) => limitsOf(one)["type"] !== "integer" && limitWords(limitsOf(one)).length === 0)
  if (other === undefined) return words
  return Option.getOrElse(AST.getDescriptionAnnotation(other), () => `valid ${words}`)
}

/** From the outermost to the innermost. */
const refinements = (ast: AST.AST): ReadonlyArray<AST.Refinement> =>
  AST.isRefinement(ast) ? [ast, ...refinements(ast.from)] : []

const limitsOf = (ast: AST.Refinement): Limits =>
  Json.record(Option.getOrUndefined(AST.getJSONSchemaAnnotation(ast))) ?? {}

const limitWords = (limits: Limits): ReadonlyArray<string> =>
  [
    range(limits["minLength"], limits["maxLength"], "character"),
    range(limits["minItems"], limits["maxItems"], "item"),
    typeof limits["minimum"] === "number" && typeof limits["maximum"] === "number"
      ? `from ${limits["minimum"]} to ${limits["maximum"]}`
      : range(limits["minimum"], limits["maximum"]),
    [say("above", limits["exclusiveMinimum"]), say("below", limits["exclusiveMaximum"])].filter(Boolean).join(" and "),
    say("divisible by", limits["multipleOf"]),
    typeof limits["format"] === "string"
      ? `in the format ${limits["format"]}`
      : typeof limits["pattern"] === "string"
        ? `that matches /${limits["pattern"]}/`
        : ""
  ].filter((words) => words !== "")

const say = (words: string, limit: unknown): string => (typeof limit === "number" ? `${words} ${limit}` : "")

const range = (least: unknown, most: unknown, unit?: string): string => {
  const count = (limit: number) => (unit === undefined ? limit : `${limit} ${unit}${limit === 1 ? "" : "s"}`)
  if (typeof least === "number" && typeof most === "number") {
    return `of ${least === most ? "" : `${least} to `}${count(most)}`
  }
  if (typeof least === "number") return `of at least ${count(least)}`
  return typeof most === "number" ? `of at most ${count(most)}` : ""
}

// ---------------------------------------------------------------------------------------------------------------------
// What came, and where
// ---------------------------------------------------------------------------------------------------------------------

/** Nothing from inside an object or array: it may be of any size, and the line is about one value. */
const shown = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(short(value, 40))
  if (Array.isArray(value)) return "array"
  return typeof value === "object" && value !== null ? "object" : String(value)
}

/** The end of a path says more than its beginning. */
const pathOf = (path: Path): string => {
  const whole = path.slice(-24).map(step).join("").replace(/^\./, "")
  return whole.length <= 56 && path.length <= 24 ? whole : `…${whole.slice(-55).replace(/^[\uDC00-\uDFFF]/, "")}`
}

const step = (key: PropertyKey): string => {
  if (typeof key === "number") return `[${key}]`
  const name = short(String(key), 32)
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

/** One line of at most `most` UTF-16 units, without terminal controls, and without half a character. */
const short = (text: string, most: number): string => {
  const cleaned = text.slice(0, 4 * most).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ")
  if (cleaned.length <= most) return cleaned
  return `${cleaned.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, "")}…`
}
