/** What the demo itself says, in each language. Errors and retries are put into words by the SDK. */
import type { Catalog } from "../../src/explain/Catalog.js"
import { en as enCatalog } from "../../src/explain/en.js"
import { zh as zhCatalog } from "../../src/explain/zh.js"
import type { Language, Problem } from "./Options.js"
import type { Expected, Seen, StepId } from "./Step.js"

export interface Words {
  readonly catalog: Catalog
  readonly title: string
  readonly intro: (url: string, places: number) => string
  readonly steps: { readonly [id in StepId]: { readonly title: string; readonly intro: string } }
  /** What is asked, and what the embedded gateway's model answers. */
  readonly talk: readonly [Turn, Turn, Turn]
  readonly burst: (calls: number) => string
  readonly passed: (seen: Seen) => string
  readonly failed: (seen: Seen, expected: Expected) => string
  readonly end: (passed: number, steps: number) => string
  readonly live: (provider: string, model: string) => string
  readonly thinking: string
  /** A retry in one line: which one, and why. */
  readonly retry: (title: string, why: string) => string
  readonly used: (requests: number) => string
  readonly noServer: string
  readonly seconds: (elapsed: number) => string
  readonly problem: (problem: Problem) => string
  readonly seeHelp: string
  readonly help: string
}

export interface Turn {
  readonly question: string
  readonly answer: string
}

const enRequests = (count: number): string => (count === 1 ? "1 request" : `${count} requests`)

const enOutcome = ({ outcome, requests, tag }: Seen): string => {
  const what = outcome === "answered" ? "Answered" : (tag ?? "Failed")
  return requests === 0 ? `${what}, and nothing was sent` : `${what} after ${enRequests(requests)}`
}

const range = ([least, most]: Expected["requests"], to: string): string =>
  least === most ? String(least) : `${least}${to}${most}`

const en: Words = {
  catalog: enCatalog,
  title: "knowngood: a key that works keeps working",
  intro: (url, places) =>
    `A small gateway is now running at ${url}. Like MiMo's token plan, it answers a wrong key with 401 “Invalid API Key”, and a good key with the same 401 when more than ${places} calls arrive at once. A single answer does not tell which it was. None of your own keys is used.`,
  steps: {
    stream: {
      title: "A streamed answer",
      intro: "The first call with this key is answered, so from now on the key is known good."
    },
    "known-good-401": {
      title: "A 401 in the middle of the session",
      intro: "Other users have just filled the gateway when the same key asks its next question."
    },
    "never-good-401": {
      title: "The same 401, for a key that never worked",
      intro: "Nothing suggests that this key works, so the call is not retried."
    },
    "no-key": { title: "No key at all", intro: "MIMO_API_KEY is not set." },
    "auth-budget": {
      title: "A known-good key, refused every time",
      intro: "The gateway stays full. A known-good key gets 2 retries and no more."
    },
    "transient-budget": {
      title: "A gateway that is down",
      intro:
        "It answers every call with 503. Such errors have a budget of their own: 10 retries, with short waits here."
    },
    burst: {
      title: "8 calls at once",
      intro: "Twice as many as the gateway takes. After its refusals, calls with one key are sent a few at a time."
    }
  },
  talk: [
    {
      question: "Why is the sky blue?",
      answer:
        "Air scatters short waves of light far more than long ones. So the blue part of sunlight is scattered all over the sky and reaches your eyes from every direction."
    },
    {
      question: "And why is the sunset red?",
      answer:
        "In the evening the light comes in low and crosses much more air. Most of the blue is scattered away before it reaches you, and red is what remains."
    },
    { question: "And the sea?", answer: "Water absorbs red light first, so deep water looks blue." }
  ],
  burst: (calls) => `${calls} calls, ${calls} answers.`,
  passed: (seen) => `${enOutcome(seen)}, as expected.`,
  failed: (seen, expected) =>
    `${enOutcome(seen)}. Expected: ${expected.tag ?? expected.outcome}, requests: ${range(expected.requests, " to ")}.`,
  end: (passed, steps) => `${passed} of ${steps} steps went as expected.`,
  live: (provider, model) => `${provider}, model ${model}. This is the real service.`,
  thinking: "(thinking)",
  retry: (title, why) => `${title}. ${why}`,
  used: (requests) => (requests === 0 ? "Nothing was sent." : `${enRequests(requests)}.`),
  noServer: "The demo's gateway could not be started on 127.0.0.1.",
  seconds: (elapsed) => `${elapsed.toFixed(1)} s`,
  problem: (problem) => {
    switch (problem._tag) {
      case "UnknownOption":
        return `There is no option ${problem.option}.`
      case "NoValue":
        return `${problem.option} needs a value.`
      case "UnwantedValue":
        return `${problem.option} takes no value.`
      case "Stray":
        return `“${problem.text}” is not an option.`
      case "UnknownChoice":
        return `${problem.option} cannot be “${problem.value}”. Use one of: ${problem.choices.join(", ")}.`
      case "NotHere":
        return problem.provider === undefined
          ? `${problem.option} can only be used with --provider.`
          : `${problem.option} cannot be used with --provider ${problem.provider}.`
    }
  },
  seeHelp: "Run npm run demo -- --help to see the options.",
  help: `npm run demo -- [options]

Shows what knowngood does when a gateway answers 401 for a key that works.
It runs a gateway of its own, takes about 12 seconds and needs no key.

  --lang en|zh         the language, English by default
  --json               one JSON line per step, and nothing else:
                       npm run --silent demo -- --json
  --provider NAME      asks the real service instead: mimo, deepseek, minimax,
                       anthropic or openai. The key is read from MIMO_API_KEY,
                       DEEPSEEK_API_KEY, and so on
  --model NAME         with --provider: the model
  --region NAME        with --provider mimo (cn, sgp, ams, payg) or minimax
                       (cn, global): the region of the key
  --help               this text

Exit code: 0 if every step went as expected, 1 if one did not, 2 if the
options are wrong.
`
}

const zhOutcome = ({ outcome, requests, tag }: Seen): string => {
  const what = outcome === "answered" ? "得到回答" : (tag ?? "失败")
  return requests === 0 ? `${what}，没有发送请求` : `${what}，共 ${requests} 次请求`
}

const zh: Words = {
  catalog: zhCatalog,
  title: "knowngood：能用的密钥，一直能用",
  intro: (url, places) =>
    `一个小型网关正运行于 ${url} 。它和 MiMo 的 Token Plan 一样：密钥错误时返回 401 “Invalid API Key”；同时到达的调用超过 ${places} 个时，对正确的密钥也返回同样的 401。单看一次响应，无法区分这两种情况。演示不会使用您的密钥。`,
  steps: {
    stream: {
      title: "流式回答",
      intro: "该密钥的第一次调用。调用得到了回答，从此该密钥被记为“曾经可用”。"
    },
    "known-good-401": {
      title: "会话途中的 401",
      intro: "此刻其他用户占满了网关，同一个密钥提出下一个问题。"
    },
    "never-good-401": {
      title: "同样的 401，但密钥从未可用",
      intro: "没有任何迹象表明该密钥可用，因此不会重试。"
    },
    "no-key": { title: "没有密钥", intro: "未设置 MIMO_API_KEY。" },
    "auth-budget": {
      title: "曾经可用的密钥，每次都被拒绝",
      intro: "网关一直满载。该密钥最多重试 2 次。"
    },
    "transient-budget": {
      title: "网关故障",
      intro: "网关对每次调用都返回 503。这类错误有单独的重试次数：10 次，此处等待时间较短。"
    },
    burst: {
      title: "8 个调用同时到达",
      intro: "数量是网关容量的两倍。网关拒绝过之后，使用同一密钥的调用会分批进行。"
    }
  },
  talk: [
    {
      question: "天空为什么是蓝色的？",
      answer:
        "空气对短波光的散射远强于长波光。阳光穿过大气时，蓝光被散射到四面八方，因此无论朝哪个方向看，天空都是蓝色的。"
    },
    {
      question: "那么晚霞为什么是红色的？",
      answer: "傍晚时，阳光斜射，穿过的空气要厚得多。蓝光大多在途中就被散射掉了，到达眼睛的主要是红光。"
    },
    { question: "大海呢？", answer: "水最先吸收红光，因此深水看起来是蓝色的。" }
  ],
  burst: (calls) => `${calls} 个调用，${calls} 个回答。`,
  passed: (seen) => `${zhOutcome(seen)}，符合预期。`,
  failed: (seen, expected) =>
    `${zhOutcome(seen)}。预期为${expected.tag === undefined ? "得到回答" : ` ${expected.tag}`}，请求次数为 ${range(expected.requests, " 到 ")}。`,
  end: (passed, steps) => `共 ${steps} 步，其中 ${passed} 步符合预期。`,
  live: (provider, model) => `${provider}，模型 ${model}。这是真实的服务。`,
  thinking: "（思考中）",
  retry: (title, why) => `${title}。${why}`,
  used: (requests) => (requests === 0 ? "没有发送请求。" : `共 ${requests} 次请求。`),
  noServer: "无法在 127.0.0.1 上启动演示用的网关。",
  seconds: (elapsed) => `${elapsed.toFixed(1)} 秒`,
  problem: (problem) => {
    switch (problem._tag) {
      case "UnknownOption":
        return `没有 ${problem.option} 这个选项。`
      case "NoValue":
        return `${problem.option} 需要一个值。`
      case "UnwantedValue":
        return `${problem.option} 不接受值。`
      case "Stray":
        return `“${problem.text}”不是选项。`
      case "UnknownChoice":
        return `${problem.option} 不能是“${problem.value}”，可选值为：${problem.choices.join("、")}。`
      case "NotHere":
        return problem.provider === undefined
          ? `${problem.option} 只能与 --provider 一起使用。`
          : `${problem.option} 不能与 --provider ${problem.provider} 一起使用。`
    }
  },
  seeHelp: "所有选项见 npm run demo -- --help --lang zh",
  help: `npm run demo -- [选项]

演示当网关对可用的密钥返回 401 时，knowngood 如何处理。
演示自带网关，约需 12 秒，不需要密钥。

  --lang en|zh         语言，默认为英文
  --json               每一步输出一行 JSON，不输出其他内容：
                       npm run --silent demo -- --json
  --provider 名称      改为访问真实的服务：mimo、deepseek、minimax、
                       anthropic 或 openai。密钥取自 MIMO_API_KEY、
                       DEEPSEEK_API_KEY 等环境变量
  --model 名称         与 --provider 一起使用：模型
  --region 名称        与 --provider mimo（cn、sgp、ams、payg）或 minimax
                       （cn、global）一起使用：密钥所属的区域
  --help               显示本说明

退出码：每一步都符合预期时为 0，否则为 1；选项有误时为 2。
`
}

export const words: { readonly [lang in Language]: Words } = { en, zh }
