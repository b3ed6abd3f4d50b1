/** 简体中文。 */
import type { Catalog } from "./Catalog.js"

const http = (status: number | undefined): string => (status === undefined ? "" : `（HTTP ${status}）`)

const time = (seconds: number): string =>
  seconds < 10
    ? `${Number(seconds.toFixed(1))} 秒`
    : seconds < 120
      ? `${Math.round(seconds)} 秒`
      : seconds < 7200
        ? `${Math.round(seconds / 60)} 分钟`
        : `${Math.round(seconds / 3600)} 小时`

const retryLater = "请稍后重试。"

export const zh: Catalog = {
  AuthMissing: {
    Absent: ({ source }, provider) => ({
      title: "未配置 API 密钥",
      detail: `没有找到 ${provider} 的密钥，因此没有发送任何请求。`,
      action: `请将 ${source} 设为 ${provider} 的密钥。`
    }),
    Blank: ({ source }, provider) => ({
      title: "API 密钥为空",
      detail: `${source} 已设置，但只有空白字符，因此没有发送任何请求。`,
      action: `请将 ${source} 设为 ${provider} 的密钥。`
    }),
    Unsendable: ({ source }, provider) => ({
      title: "API 密钥无法发送",
      detail: `${source} 中的密钥含有 HTTP 请求头无法携带的字符（例如换行或省略号），因此没有发送任何请求。`,
      action: `请重新复制 ${provider} 的密钥到 ${source}。`
    }),
    Unreadable: ({ source }) => ({
      title: "无法读取 API 密钥",
      detail: `从 ${source} 读取密钥失败，因此没有发送任何请求。`,
      action: `请检查 ${source} 的密钥来源。`
    }),
    Asked: ({ source, status }, provider) => ({
      title: "需要 API 密钥",
      detail: `${provider} 拒绝了未带密钥的请求${http(status)}。`,
      action: `请将 ${source} 设为 ${provider} 的密钥。`
    })
  },
  AuthRejected: {
    neverAccepted: ({ fingerprint, source, status }, provider) => ({
      title: "API 密钥被拒绝",
      detail: `${provider} 拒绝了来自 ${source} 的密钥${http(status)}。自程序启动以来，该密钥（指纹 ${fingerprint}）从未被接受过。`,
      action: `请检查 ${source}：密钥是否完整，是否属于该服务商，是否对应此地址或区域。`
    }),
    acceptedBefore: ({ fingerprint, source, status }, provider) => ({
      title: "曾经可用的密钥被拒绝",
      detail: `${provider} 拒绝了来自 ${source} 的密钥${http(status)}。该密钥（指纹 ${fingerprint}）此前被接受过，这次拒绝很可能是网关因负载或额度所致。`,
      action: `请一分钟后重试。如果持续出现，请先查看账户额度，再检查 ${source}。`
    })
  },
  Transient: {
    RateLimited: ({ status }, provider) => ({
      title: "请求过于频繁",
      detail: `${provider} 正在限制请求频率${http(status)}。`,
      action: retryLater
    }),
    Overloaded: ({ status }, provider) => ({
      title: "服务繁忙",
      detail: `${provider} 目前没有空余的处理能力${http(status)}。`,
      action: retryLater
    }),
    ServerError: ({ status }, provider) => ({
      title: "服务端出错",
      detail: `${provider} 报告了自身的错误${http(status)}。`,
      action: retryLater
    }),
    Conflict: ({ status }, provider) => ({
      title: "请求冲突",
      detail: `${provider} 此刻无法处理该请求${http(status)}。`,
      action: retryLater
    }),
    TimedOut: ({ status }, provider) => ({
      title: "未及时响应",
      detail: `${provider} 没有及时响应${http(status)}。`,
      action: retryLater
    }),
    Unreachable: ({ code }, provider) => ({
      title: "无法连接",
      detail: `无法连接到 ${provider}${code === undefined ? "" : `（${code}）`}。`,
      action: "请检查网络、代理和 base URL，然后重试。"
    }),
    StreamInterrupted: (_, provider) => ({
      title: "回答被中断",
      detail: `回答尚未结束，与 ${provider} 的连接就断开了。`,
      action: "请重试。"
    }),
    StreamStalled: (_, provider) => ({
      title: "回答停滞",
      detail: `${provider} 保持着连接，但没有再发送回答的内容。`,
      action: "请重试。"
    })
  },
  QuotaExceeded: ({ resetsAt, status }, provider) => ({
    title: "额度已用完",
    detail: `${provider} 的余额或套餐额度已用完${http(status)}。问题不在密钥。`,
    action: resetsAt === undefined ? "请充值，或等待套餐额度恢复。" : `请等到 ${resetsAt.toJSON()}，或更换套餐。`
  }),
  InvalidRequest: {
    ContextOverflow: ({ status }, provider) => ({
      title: "对话过长",
      detail: `请求的 token 数超过了 ${provider} 该模型的上限${http(status)}。`,
      action: "请缩短对话，或改用上下文窗口更大的模型。"
    }),
    ModelNotFound: ({ status }, provider) => ({
      title: "模型不存在",
      detail: `${provider} 在此处不提供该模型${http(status)}。`,
      action: "请从服务商列出的模型中选择。"
    }),
    ContentFiltered: ({ status }, provider) => ({
      title: "被内容过滤拒绝",
      detail: `${provider} 不处理该内容${http(status)}。`,
      action: "请修改请求。"
    }),
    TooLarge: ({ status }, provider) => ({
      title: "请求过大",
      detail: `请求超过了 ${provider} 可接受的大小${http(status)}。`,
      action: "请减少内容：缩短对话，减少或缩小图片。"
    }),
    NotOffered: ({ status }, provider) => ({
      title: "不支持",
      detail: `${provider} 在此地址不提供该功能${http(status)}。`,
      action: "请检查 base URL，以及服务商是否提供该功能。"
    }),
    BadRequest: ({ status }, provider) => ({
      title: "请求无效",
      detail:
        status === undefined
          ? `发往 ${provider} 的请求无法按原样发送。`
          : `${provider} 无法接受该请求${http(status)}。`,
      action: "请修改请求，原样重发不会成功。"
    })
  },
  InvalidResponse: ({ contentType, status }, provider) => ({
    title: "无法识别的响应",
    detail: `返回的内容不是 ${provider} 的回答${http(status)}${contentType === undefined ? "" : `，其类型为 ${contentType}`}。`,
    action: "请检查 base URL，以及中间是否有代理或登录页面。"
  }),
  keyForOtherHost: (hosts) => `从密钥的形式看，它属于 ${hosts.join("、")}。`,
  tried: (requests) => `共发送了 ${requests} 次请求。`,
  said: (detail) => `服务端说明：“${detail}”。`,
  brokeOff: "部分回答已经到达，因此没有重复该请求。",
  waitFor: (seconds) => `请在 ${time(seconds)}后重试。`,
  retrying: ({ attempt, budget }, seconds) =>
    `${time(seconds)}后重试，第 ${attempt} 次${budget === undefined ? "" : `，共 ${budget} 次`}`,
  because: (error) => {
    switch (error._tag) {
      case "AuthRejected":
        return `网关拒绝了曾经可用的密钥${http(error.status)}`
      case "Transient":
        return `${reasons[error.reason]}${http(error.status)}`
      default:
        return `调用失败${http(error.status)}`
    }
  },
  space: "",
  colon: "：",
  meanwhile: "无需操作，调用会自动继续。"
}

const reasons = {
  RateLimited: "请求过于频繁",
  Overloaded: "服务繁忙",
  ServerError: "服务端出错",
  Conflict: "请求冲突",
  TimedOut: "没有及时响应",
  Unreachable: "无法连接",
  StreamInterrupted: "连接在回答开始前断开",
  StreamStalled: "回答没有及时开始"
}
