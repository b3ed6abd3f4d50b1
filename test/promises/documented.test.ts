/** Every public name says what it is where an editor shows it: each export, and each member of what is exported. */
import { readdirSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import ts from "typescript"

const languages = readdirSync("src/explain").filter((file) => /^[a-z]{2}\.ts$/.test(file))
const entries = ["src/index.ts", "src/testing/index.ts", ...languages.map((file) => `src/explain/${file}`)]
const program = ts.createProgram(entries, { module: ts.ModuleKind.NodeNext, strict: true, skipLibCheck: true })
const checker = program.getTypeChecker()

const exportsOf = (symbol: ts.Symbol | undefined): ReadonlyArray<ts.Symbol> =>
  symbol === undefined ? [] : checker.getExportsOfModule(symbol)

const itself = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol

const isInternal = (symbol: ts.Symbol): boolean => symbol.getJsDocTags(checker).some(({ name }) => name === "internal")

/** A literal says itself what it is: `_tag`, `role`. */
const isBare = (symbol: ts.Symbol): boolean =>
  symbol.getDocumentationComment(checker).length === 0 && !checker.getTypeOfSymbol(symbol).isStringLiteral()

/** Fields and methods that are written in `src`: not type parameters, not what is private, not what is inherited. */
const membersOf = (symbol: ts.Symbol): ReadonlyArray<ts.Symbol> =>
  Array.from(symbol.members?.values() ?? []).filter(({ declarations = [], flags }) =>
    declarations.some(
      (declaration) =>
        flags & (ts.SymbolFlags.Property | ts.SymbolFlags.Method | ts.SymbolFlags.Accessor) &&
        !(ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Override))
    )
  )

/** The names below a module, and what lacks a comment. A namespace counts by what is in it. */
const walk = (module: ts.Symbol, path: string): ReadonlyArray<{ readonly name: string; readonly bare: boolean }> =>
  exportsOf(module).flatMap((exported) => {
    const symbol = itself(exported)
    const name = path === "" ? exported.name : `${path}.${exported.name}`
    if (isInternal(exported) || isInternal(symbol)) return []
    if (symbol.flags & ts.SymbolFlags.ValueModule) return walk(symbol, name)
    const members = membersOf(symbol).filter((member) => !isInternal(member))
    return [
      { name, bare: isBare(exported) && isBare(symbol) },
      ...members.map((member) => ({ name: `${name}.${member.name}`, bare: isBare(member) }))
    ]
  })

describe("a doc comment", () => {
  for (const entry of entries) {
    it(`is on every public name of ${entry}`, () => {
      const source = program.getSourceFile(entry)
      const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
      const names = module === undefined ? [] : walk(module, "")
      expect(names.length).toBeGreaterThan(0)
      expect(names.filter(({ bare }) => bare).map(({ name }) => name)).toEqual([])
    })
  }

  it("is looked for in all that a user can import", () => {
    const index = program.getSourceFile("src/index.ts")
    const names = index === undefined ? [] : walk(checker.getSymbolAtLocation(index) as ts.Symbol, "")
    expect(names.length).toBeGreaterThan(250)
    expect(names.map(({ name }) => name)).toContain("Provider.Options.apiKey")
  })
})
