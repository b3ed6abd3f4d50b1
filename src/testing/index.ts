/**
 * What tests are written with: a scripted gateway, a provider without HTTP, errors, and times without chance.
 */
export * as Errors from "./Errors.js"
export * as Gateway from "./Gateway.js"
export * as Jitter from "./Jitter.js"
export * as TestProvider from "./TestProvider.js"
