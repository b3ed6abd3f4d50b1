// Two builds of src, each with its own type declarations: ESM in dist/esm, CommonJS in dist/cjs. A package.json of one
// line in each folder tells Node and TypeScript which is which.
import { execFileSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")
const build = (folder, type, ...flags) => {
  execFileSync(process.execPath, [tsc, "-p", "src/tsconfig.json", "--outDir", `dist/${folder}`, ...flags], {
    stdio: "inherit"
  })
  writeFileSync(`dist/${folder}/package.json`, `${JSON.stringify({ type, sideEffects: [] })}\n`)
}

rmSync("dist", { recursive: true, force: true })
build("esm", "module", "--module", "es2022", "--moduleResolution", "bundler")
build("cjs", "commonjs", "--module", "commonjs", "--moduleResolution", "node10")

// What `stripInternal` leaves has to hold by itself: two users' programs, with every declaration checked.
execFileSync(process.execPath, [tsc, "-p", "test/package/user"], { stdio: "inherit" })
