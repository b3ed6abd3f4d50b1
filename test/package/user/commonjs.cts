/** The same for a program that uses `require`. */
import Knowngood = require("knowngood")
import En = require("knowngood/explain/en")
import Zh = require("knowngood/explain/zh")
import Testing = require("knowngood/testing")

export const catalogs = [En.en, Zh.zh]
export const answer: Testing.Gateway.Answer = Testing.Gateway.status(401)
export const explanation: (error: Knowngood.ProviderError.ProviderError) => Knowngood.Explain.Explanation =
  Knowngood.Explain.explain
