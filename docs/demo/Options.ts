/** The command line: what the demo is to do, or what is wrong with the options. */
import { parseArgs } from "node:util"
import { Either } from "effect"
import { type Name, names, regions } from "./LiveService.js"

export const languages = ["en", "zh"] as const
export type Language = (typeof languages)[number]

export interface Options {
  readonly lang: Language
  readonly json: boolean
  readonly help: boolean
  /** The real service to ask instead of going through the steps. */
  readonly provider: Name | undefined
  readonly model: string | undefined
  readonly region: string | undefined
}

export type Problem =
  | { readonly _tag: "UnknownOption"; readonly option: string }
  | { readonly _tag: "NoValue"; readonly option: string }
  | { readonly _tag: "UnwantedValue"; readonly option: string }
  /** A word that belongs to no option. */
  | { readonly _tag: "Stray"; readonly text: string }
  | {
      readonly _tag: "UnknownChoice"
      readonly option: string
      readonly value: string
      readonly choices: ReadonlyArray<string>
    }
  /** An option that has no meaning without a provider, or with this one. */
  | { readonly _tag: "NotHere"; readonly option: string; readonly provider: string | undefined }

/** A problem, and the language in which to report it. */
export interface Refusal {
  readonly lang: Language
  readonly problem: Problem
}

const accepted = {
  lang: { type: "string" },
  provider: { type: "string" },
  model: { type: "string" },
  region: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" }
} as const

export const parse = (args: ReadonlyArray<string>): Either.Either<Options, Refusal> => {
  // Not strict, because `parseArgs` reports problems in English only.
  const { tokens, values } = parseArgs({ args: [...args], options: accepted, strict: false, tokens: true })
  const lang = languages.find((language) => language === values.lang) ?? "en"
  const problem = tokens.map(problemOf).find((found) => found !== undefined)
  if (problem !== undefined) return Either.left({ lang, problem })
  const options: Options = {
    lang,
    json: values.json === true,
    help: values.help === true,
    provider: names.find((name) => name === values.provider),
    model: typeof values.model === "string" ? values.model : undefined,
    region: typeof values.region === "string" ? values.region : undefined
  }
  const misfit = misfitIn(options)
  return misfit === undefined ? Either.right(options) : Either.left({ lang, problem: misfit })
}

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number]

const problemOf = (token: Token): Problem | undefined => {
  if (token.kind === "option-terminator") return undefined
  if (token.kind === "positional") return { _tag: "Stray", text: token.value }
  const option = token.rawName
  const type = Object.entries(accepted).find(([name]) => name === token.name)?.[1].type
  if (type === undefined) return { _tag: "UnknownOption", option }
  if (type === "boolean") return token.value === undefined ? undefined : { _tag: "UnwantedValue", option }
  if (token.value === undefined || token.value === "") return { _tag: "NoValue", option }
  if (token.name === "lang") return choice(option, token.value, languages)
  if (token.name === "provider") return choice(option, token.value, names)
  return undefined
}

const choice = (option: string, value: string, choices: ReadonlyArray<string>): Problem | undefined =>
  choices.includes(value) ? undefined : { _tag: "UnknownChoice", option, value, choices }

const misfitIn = ({ model, provider, region }: Options): Problem | undefined => {
  if (provider === undefined) {
    const lonely = model !== undefined ? "--model" : region !== undefined ? "--region" : undefined
    return lonely === undefined ? undefined : { _tag: "NotHere", option: lonely, provider }
  }
  if (region === undefined) return undefined
  const choices = regions(provider)
  return choices.length === 0 ? { _tag: "NotHere", option: "--region", provider } : choice("--region", region, choices)
}
