/** For the tests of programs that use `knowngood`. */
export * as Gateway from "./Gateway.js"
