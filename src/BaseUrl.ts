/**
 * The base URL of a provider, as users write it: with or without a final slash or `/v1`, or with a typo.
 */

/** `undefined` if the text is not an absolute http or https URL, or contains a user name or password. */
export const parse = (text: string): URL | undefined => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isUsable = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === ""
  return isUsable ? url : undefined
}

/** The URL of a path under the base, query included. A `/v1` that both have is written once. */
export const join = (base: URL, path: string): string => {
  const prefix = base.pathname.replace(/\/+$/, "")
  const isDoubled = prefix.endsWith("/v1") && path.startsWith("/v1/")
  const url = base.origin + (isDoubled ? prefix.slice(0, -"/v1".length) : prefix) + path
  return base.search === "" ? url : url + (path.includes("?") ? base.search.replace("?", "&") : base.search)
}

/** Whether others could read what is sent there: plain http, and not to this machine. */
export const isExposed = (origin: string): boolean => {
  const { hostname, protocol } = new URL(origin)
  return protocol === "http:" && !/^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}
