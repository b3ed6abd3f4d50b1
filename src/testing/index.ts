/** Helps to test programs that use `knowngood`. */
export * as Gateway from "./Gateway.js"
