/** 简体中文。 */
import type { Catalog } from "./Catalog.js"

/** 状态码为 0 时不显示：浏览器会这样报告重定向。 */
const http = (status: number | undefined): string => (status ? `（HTTP ${status}）` : "")

const also = (code: string | undefined): string => (code === undefined ? "" : `（${code}）`)

/** 用于标题，例如“0.6 秒”。 */
const time = (seconds: number): string =>
  seconds < 10
    ? `${Number(seconds.toFixed(1))} 秒`
    : seconds < 120
      ? `${Math.round(seconds)} 秒`
      : seconds < 7200
        ? `${Math.round(seconds / 60)} 分钟`
        : seconds < 172_800
          ? `${Math.round(seconds / 3600)} 小时`
          : `${Math.round(seconds / 86_400)} 天`

/** 用于句子，取整，且不短于应等待的时间。 */
const waitFor = (seconds: number): string => {
  const whole = Math.max(1, Math.ceil(seconds))
  return `请在 ${whole < 120 ? `${whole} 秒` : time(whole)}后重试。`
}

/** 引用他人的话，去掉末尾的句号。 */
const quoted = (words: string): string => `“${words.trim().replace(/[.。]$/, "")}”`

const retryLater = "请稍后重试。"
const rephrase = "请修改请求内容。"
const operator = "请联系该服务的运营方。"

/** 仅适用于签发机构不受信任的情况。 */
const trustIssuer =
  "如果中间有解密 TLS 流量的代理，或对方使用私有 CA，请将该 CA 的证书保存为 PEM 文件，并将 NODE_EXTRA_CA_CERTS 设为其路径。"

const untrusted = (what: string, code: string | undefined): string => `${what}${also(code)}，因此没有发送请求。`

/** 简体中文的文字，用法：`Explain.explain(error, zh)`。 */
export const zh: Catalog = {
  AuthMissing: {
    Absent: ({ source }, provider) => ({
      title: "未配置 API 密钥",
      detail: `没有找到 ${provider} 的 API 密钥，因此没有发送任何请求。`,
      action: `请将 ${source} 设为您的 ${provider} API 密钥。`
    }),
    Blank: ({ source }, provider) => ({
      title: "API 密钥为空",
      detail: `${source} 已设置，但内容为空，因此没有发送任何请求。`,
      action: `请将 ${source} 设为您的 ${provider} API 密钥。`
    }),
    Unsendable: ({ source }, provider) => ({
      title: "API 密钥无法发送",
      detail: `${source} 中的密钥含有 HTTP 请求头不允许的字符（例如换行或省略号），因此没有发送任何请求。`,
      action: `请将您的 ${provider} API 密钥重新复制到 ${source}。`
    }),
    Unreadable: ({ source }) => ({
      title: "无法读取 API 密钥",
      detail: `从 ${source} 读取密钥失败，因此没有发送任何请求。`,
      action: `请检查本程序能否读取 ${source}。`
    }),
    Asked: ({ source, status }, provider) => ({
      title: "需要 API 密钥",
      detail: `${provider} 拒绝了未带密钥的请求${http(status)}。`,
      action: `请将 ${source} 设为您的 ${provider} API 密钥。`
    })
  },
  AuthRejected: {
    notKnownGood: ({ fingerprint, source, status }, provider, wait) => ({
      title: "API 密钥被拒绝",
      detail: `${refused(source, status, provider)}目前无法确认该密钥（指纹 ${fingerprint}）可用。`,
      action: `请检查 ${source} 中的密钥是否完整，以及是否由 ${provider} 为当前的地址和区域签发。${wait ?? ""}`
    }),
    knownGood: ({ fingerprint, source, status }, provider, wait) => ({
      title: "曾经可用的 API 密钥被拒绝",
      detail: `${refused(source, status, provider)}该密钥（指纹 ${fingerprint}）此前被接受过，原因很可能是网关负载过高或额度受限，而不是密钥本身的问题。`,
      action: `${wait ?? "请一分钟后重试。"}如果持续出现，请先查看账户额度，再检查 ${source}。`
    })
  },
  withheld: {
    missing: (provider) => ({
      title: "服务未配置 API 密钥",
      detail: `您所使用的服务没有可以发送的 ${provider} API 密钥。`,
      action: operator
    }),
    notKnownGood: (provider, wait) => ({
      title: "服务的 API 密钥被拒绝",
      detail: `${provider} 未接受您所使用的服务的 API 密钥。`,
      action: wait === undefined ? operator : `${wait}如果持续出现，请联系该服务的运营方。`
    }),
    knownGood: (provider, wait) => ({
      title: "服务曾经可用的 API 密钥被拒绝",
      detail: `${provider} 未接受您所使用的服务的 API 密钥。该密钥此前被接受过，原因很可能是负载过高或额度受限，而不是密钥本身的问题。`,
      action: `${wait ?? "请一分钟后重试。"}如果持续出现，请联系该服务的运营方。`
    })
  },
  Transient: {
    RateLimited: ({ status }, provider) => ({
      title: "请求过于频繁",
      detail: status ? `${provider} 正在限制请求频率${http(status)}。` : `发往 ${provider} 的请求受到频率限制。`,
      action: retryLater
    }),
    Overloaded: ({ status }, provider) => ({
      title: "服务繁忙",
      detail: status ? `${provider} 目前负载过高${http(status)}。` : `目前 ${provider} 的服务容量不足。`,
      action: retryLater
    }),
    ServerError: ({ status }, provider) => ({
      title: "服务出错",
      detail: status ? `${provider} 返回了内部错误${http(status)}。` : `${provider} 的服务出现错误。`,
      action: retryLater
    }),
    Conflict: ({ status }, provider) => ({
      title: "请求冲突",
      detail: `发往 ${provider} 的请求与其他请求冲突，或到达过早${http(status)}。`,
      action: retryLater
    }),
    TimedOut: ({ status }, provider) => ({
      title: "请求超时",
      detail: status ? `${provider} 返回了超时错误${http(status)}。` : `发往 ${provider} 的请求超时。`,
      action: retryLater
    }),
    Unreachable: ({ code }, provider) => ({
      title: "连接失败",
      detail: `与 ${provider} 的连接失败${also(code)}。`,
      action: "请检查网络、代理和 base URL，然后重试。"
    }),
    StreamInterrupted: (_, provider) => ({
      title: "回答中断",
      detail: `与 ${provider} 的连接在回答完成之前断开了。`,
      action: "请重试。"
    }),
    StreamStalled: (_, provider) => ({
      title: "回答停滞",
      detail: `与 ${provider} 的连接没有断开，但没有再收到回答的内容。`,
      action: "请重试。"
    })
  },
  clock: {
    headers: (_, provider) => ({
      title: "等待响应超时",
      detail: `没有及时收到 ${provider} 的响应，已放弃该请求。`,
      action: retryLater
    }),
    idle: (_, provider) => ({
      title: "回答停滞",
      detail: `与 ${provider} 的连接没有断开，但长时间没有收到任何数据。`,
      action: "请重试。"
    }),
    stall: (_, provider) => ({
      title: "回答停滞",
      detail: `与 ${provider} 的连接保持活动，但长时间没有收到模型的输出。`,
      action: "请重试。"
    })
  },
  QuotaExceeded: ({ resetsAt, status }, provider) => ({
    title: "额度已用完",
    detail: `该 ${provider} 账户的余额或套餐额度已用完${http(status)}，与密钥无关。`,
    action:
      resetsAt === undefined
        ? "请充值，或等待套餐额度恢复。"
        : `请等到 ${String(resetsAt.toJSON()).slice(0, 19).replace("T", " ")}（UTC），或升级套餐。`
  }),
  InvalidRequest: {
    ContextOverflow: ({ status }) => ({
      title: "对话过长",
      detail: `请求的 token 数超出了该模型的上下文窗口${http(status)}。`,
      action: "请缩短对话，或改用上下文窗口更大的模型。"
    }),
    ModelNotFound: ({ status }, provider) => ({
      title: "模型不可用",
      detail: `${provider} 的该模型在此地址不可用${http(status)}。`,
      action: "请从服务商列出的模型中选择。"
    }),
    ContentFiltered: ({ status }, provider) => ({
      title: "内容被拦截",
      detail: status ? `${provider} 拒绝处理该内容${http(status)}。` : "请求被内容过滤拦截。",
      action: rephrase
    }),
    TooLarge: ({ status }, provider) => ({
      title: "请求过大",
      detail: `请求的大小超过了 ${provider} 的上限${http(status)}。`,
      action: "请减少内容：缩短对话，或减少、缩小图片。"
    }),
    NotOffered: ({ status }, provider) => ({
      title: "不支持该功能",
      detail: status ? `${provider} 在此地址不提供该功能${http(status)}。` : "此地址不提供该功能。",
      action: "请检查 base URL，以及服务商是否提供该功能。"
    }),
    BadRequest: ({ status }, provider) => ({
      title: "请求无效",
      detail: status ? `${provider} 拒绝了该请求${http(status)}。` : `发往 ${provider} 的请求无法按原样发送。`,
      action: "请修正请求，原样重发仍会失败。"
    })
  },
  problem: {
    NoModel: (_, provider) => ({
      title: "未指定模型",
      detail: `请求和 ${provider} 的选项都没有指定模型，因此没有发送任何请求。`,
      action: "请在请求或选项中设置 model。"
    }),
    BadBaseUrl: (_, provider) => ({
      title: "base URL 无效",
      detail: `${provider} 的 base URL 不是完整的 http 或 https 地址，或者含有用户名或密码，因此没有发送任何请求。`,
      action: "请将 baseUrl 设为完整的地址，例如 https://api.example.com/v1 。"
    }),
    InsecureBaseUrl: (_, provider) => ({
      title: "base URL 不安全",
      detail: `${provider} 的 base URL 是指向另一台机器的明文 http 地址，途中任何人都能读到密钥，因此没有发送任何请求。`,
      action: "请改用 https；如果信任途中的网络，也可将 allowInsecure 设为 true。"
    }),
    ForeignCredential: ({ subject }) => ({
      title: "凭据属于其他主机",
      detail: `共用的凭据属于${subject === undefined ? "其他主机" : ` ${subject}`}，而不属于此 base URL 的主机，因此没有发送任何请求。`,
      action: "请为每个主机分别创建凭据。"
    }),
    BadHeader: ({ subject }) => ({
      title: "请求头无效",
      detail: `${subject === undefined ? "某个请求头" : `请求头${quoted(subject)}`}的名称或值中含有 HTTP 不允许的字符，因此没有发送任何请求。`,
      action: "请在 headers 选项中更正该请求头。"
    }),
    BadSchema: ({ subject }) => ({
      title: "结构定义无效",
      detail: `回答的结构定义${subject === undefined ? "" : `在${quoted(subject)}处`}描述了 JSON 无法表示的内容，因此没有发送任何请求。`,
      action: "请改用 JSON 能够表示的类型，或为该部分注明它的 JSON 格式。"
    }),
    Unencodable: (_, provider) => ({
      title: "请求无法编码",
      detail: `发往 ${provider} 的请求无法写成 JSON，因此没有发送任何请求。`,
      action: "请检查是否有循环引用、BigInt 或不符合格式的消息。"
    }),
    Unsupported: ({ subject }, provider) => ({
      title: "不支持的选项",
      detail: `${subject === undefined ? "某个选项" : `选项${quoted(subject)}`}不受 ${provider} 的该模型或 API 版本支持，因此没有发送任何请求。`,
      action: "请去掉该选项，或选择其他模型或 API 版本。"
    })
  },
  certificate: {
    SelfSigned: ({ code }, provider) => ({
      title: "证书不受信任",
      detail: untrusted(`${provider} 的地址使用的是自签名证书`, code),
      action: `请检查 base URL。${trustIssuer}`
    }),
    UnknownIssuer: ({ code }, provider) => ({
      title: "证书不受信任",
      detail: untrusted(`${provider} 的地址所用证书的签发机构不受本机信任`, code),
      action: trustIssuer
    }),
    Expired: ({ code }, provider) => ({
      title: "证书已过期",
      detail: untrusted(`${provider} 的地址所用的证书已过期`, code),
      action: "请检查本机的时钟。如果时钟正确，则须由该主机或中间解密 TLS 流量的代理的管理者更新证书。"
    }),
    NotYetValid: ({ code }, provider) => ({
      title: "证书尚未生效",
      detail: untrusted(`${provider} 的地址所用的证书尚未生效`, code),
      action: "请检查本机的时钟。如果时钟正确，则须由该主机或中间解密 TLS 流量的代理的管理者更换证书。"
    }),
    WrongHost: ({ code }, provider) => ({
      title: "证书属于其他主机",
      detail: untrusted(`${provider} 的地址所用的证书是为其他主机名签发的`, code),
      action: "请检查 base URL，以及作出应答的是否是登录页面或解密 TLS 流量的代理。"
    }),
    Revoked: ({ code }, provider) => ({
      title: "证书已吊销",
      detail: untrusted(`${provider} 的地址所用的证书已被吊销`, code),
      action: "请检查 base URL。如果地址正确，则须由该主机或中间解密 TLS 流量的代理的管理者更换证书。"
    }),
    Other: ({ code }, provider) => ({
      title: "证书不受信任",
      detail: untrusted(`${provider} 的地址所用的证书无法验证`, code),
      action: `请检查 base URL 和本机的时钟。${trustIssuer}`
    })
  },
  InvalidResponse: {
    NotTheProtocol: ({ contentType, status }, provider) => ({
      title: "无法识别的响应",
      detail: `收到的响应${http(status)}不符合 ${provider} API 的格式${contentType === undefined ? "" : `，其类型为 ${contentType}`}。`,
      action: "请检查 base URL，以及作出应答的是否是代理或登录页面。"
    }),
    Empty: ({ status }, provider) => ({
      title: "响应为空",
      detail: `来自 ${provider} 的响应没有内容${http(status)}。`,
      action: "请重试。如果持续出现，请检查 base URL 和中间的代理。"
    }),
    Redirect: ({ location, status }, provider) => ({
      title: "请求被重定向",
      detail: `来自 ${provider} 的响应是重定向${location === undefined ? "" : `，指向 ${location} `}${http(status)}。为避免将密钥一并发出，不会跟随重定向。`,
      action: location === undefined ? "请检查 base URL。" : "请检查 base URL。如果新地址正确，请改用新地址。"
    }),
    TooLarge: (_, provider) => ({
      title: "响应过大",
      detail: `来自 ${provider} 的响应超过了大小上限，因此没有继续读取。`,
      action: "请要求更简短的回答。"
    }),
    NotJson: ({ tool }) => ({
      title: "回答不是 JSON",
      detail:
        tool === undefined
          ? "要求模型返回 JSON，但模型返回了其他内容。"
          : `模型调用工具${quoted(tool)}时，给出的参数不是有效的 JSON。`,
      action: "请重试。如果持续出现，请在提示词中说明格式，或改用其他模型。"
    }),
    SchemaMismatch: ({ mismatch }) => ({
      title: "回答不符合 schema",
      detail: `模型返回了 JSON，但不符合 schema 的要求${mismatch === undefined ? "" : `：${quoted(mismatch)}`}。`,
      action: "请重试。如果持续出现，请简化 schema，或改用其他模型。"
    }),
    Truncated: () => ({
      title: "回答不完整",
      detail: "JSON 尚未写完，模型就达到了 token 上限。",
      action: "请调高 maxTokens，或减少要求的内容。"
    }),
    Refused: ({ refusal }) => ({
      title: "模型拒绝回答",
      detail: `模型拒绝回答${refusal === undefined ? "" : `：${quoted(refusal)}`}。`,
      action: rephrase
    }),
    Filtered: () => ({
      title: "回答被内容过滤中止",
      detail: "回答尚未完成，就被内容过滤中止。",
      action: rephrase
    })
  },
  keyForOtherHost: (hosts) =>
    `从格式上看，该密钥似乎是为 ${hosts.join("、")} ${hosts.length > 1 ? "之一" : ""}签发的。`,
  tried: (requests) => `共发送了 ${requests} 次请求。`,
  said: (detail) => `服务端返回：${quoted(detail)}。`,
  brokeOff: "部分回答已经到达，因此没有重复该请求。",
  waitFor,
  retrying: ({ attempt, budget }, seconds) =>
    `${seconds < 0.05 ? "正在进行" : `${time(seconds)}后进行`}第 ${attempt} 次重试${budget === undefined ? "" : `（共 ${budget} 次）`}`,
  because: {
    knownGood: (status) => (status ? `网关拒绝了曾经可用的密钥${http(status)}。` : "曾经可用的密钥未被接受。"),
    RateLimited: (status) => `请求过于频繁${http(status)}。`,
    Overloaded: (status) => (status ? `服务商目前负载过高${http(status)}。` : "目前服务容量不足。"),
    ServerError: (status) => (status ? `服务商出现内部错误${http(status)}。` : "服务出现错误。"),
    Conflict: (status) => `请求与其他请求冲突，或到达过早${http(status)}。`,
    TimedOut: (status) => `没有及时收到响应${http(status)}。`,
    Unreachable: () => "连接失败。",
    StreamInterrupted: () => "连接在回答完成之前断开了。",
    StreamStalled: () => "没有及时收到回答。"
  },
  space: "",
  meanwhile: "无需操作，调用会自动继续。"
}

const refused = (source: string, status: number | undefined, provider: string): string =>
  status ? `${provider} 拒绝了来自 ${source} 的密钥${http(status)}。` : `来自 ${source} 的密钥未被接受。`
