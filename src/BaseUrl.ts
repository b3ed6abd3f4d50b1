/**
 * Where a provider lives: the base URL, which users write with and without a slash, a `/v1` or a typing error.
 */

/** `undefined` if the text is not an absolute http or https URL, or has a user and password in it. */
export const parse = (text: string): URL | undefined => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const sane = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === ""
  return sane ? url : undefined
}

/** The path under the base. A `/v1` that both have is written once. */
export const join = (base: URL, path: string): string => {
  const prefix = base.pathname.replace(/\/+$/, "")
  const twice = prefix.endsWith("/v1") && path.startsWith("/v1/")
  const url = base.origin + (twice ? prefix.slice(0, -"/v1".length) : prefix) + path
  return base.search === "" ? url : url + (path.includes("?") ? base.search.replace("?", "&") : base.search)
}

/** Whether what is sent there can be read on the way: plain http, and not to this very machine. */
export const isExposed = (origin: string): boolean => {
  const { hostname, protocol } = new URL(origin)
  return protocol === "http:" && !/^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}
