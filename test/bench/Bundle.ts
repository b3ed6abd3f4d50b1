/** What esbuild makes of a program: a file to run, and its size. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import * as Esbuild from "esbuild"

export const here = fileURLToPath(new URL(".", import.meta.url))
const src = fileURLToPath(new URL("../../src", import.meta.url))

/** Made by a run, and ignored by git. It is below the packages that the made files import. */
export const scratch = join(here, "node_modules", ".bench")

const common: Esbuild.BuildOptions = {
  bundle: true,
  format: "esm",
  target: "es2022",
  absWorkingDir: here,
  alias: { knowngood: join(src, "index.ts") },
  logLevel: "error"
}

/** A program for Node, in one file: a file of this folder, or a source that imports from it. */
export const file = async (
  name: string,
  from: { readonly path: string } | { readonly source: string },
  options?: { readonly minify: boolean }
): Promise<string> => {
  mkdirSync(scratch, { recursive: true })
  const outfile = join(scratch, `${name}.mjs`)
  await Esbuild.build({
    ...common,
    ...("path" in from
      ? { entryPoints: [join(here, from.path)] }
      : { stdin: { contents: from.source, resolveDir: here, sourcefile: `${name}.ts`, loader: "ts" as const } }),
    outfile,
    platform: "node",
    minify: options?.minify === true,
    // CommonJS packages inside ask for Node's modules with `require`.
    banner: {
      js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`
    }
  })
  return outfile
}

export interface Size {
  /** Bytes. */
  readonly minified: number
  readonly gzip: number
  /** What it was made of: the files of which something is left. */
  readonly files: ReadonlyArray<string>
}

/** The size of a program of `programs/` for a browser, minified. `external`: what is not counted. */
export const size = async (program: string, external: ReadonlyArray<string> = []): Promise<Size> => {
  const { metafile, outputFiles } = await Esbuild.build({
    ...common,
    entryPoints: [join(here, "programs", `${program}.ts`)],
    write: false,
    minify: true,
    metafile: true,
    platform: "browser",
    external: ["node:*", ...external]
  })
  const code = outputFiles[0]?.contents ?? new Uint8Array()
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs))
  return {
    minified: code.length,
    gzip: gzipSync(code, { level: 9 }).length,
    files: inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file)
  }
}

/** What is ours in a program: all but Effect. */
export const withoutEffect: ReadonlyArray<string> = ["effect", "effect/*", "@effect/*"]
