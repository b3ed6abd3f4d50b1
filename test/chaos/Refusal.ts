/** How a gateway refuses a request that is one too many. */

export interface Refusal {
  readonly status: 401 | 429 | 503
  /** In seconds, for `Retry-After`; `undefined`: no such header. */
  readonly retryAfter: number | undefined
}

/** The refusals of the table. Gateways that send `Retry-After` mostly send one second. */
export const all: ReadonlyArray<Refusal> = ([401, 429, 503] as const).flatMap((status) => [
  { status, retryAfter: undefined },
  { status, retryAfter: 1 }
])

export const nameOf = ({ retryAfter, status }: Refusal): string =>
  retryAfter === undefined ? String(status) : `${status} Retry-After: ${retryAfter}`

export interface Page {
  readonly contentType: string
  readonly text: string
}

/** MiMo's body for a key that it does not want to know at the moment; for the rest the page that nginx has. */
export const pageOf = ({ status }: Refusal): Page => {
  if (status === 401) {
    return {
      contentType: "application/json",
      text: JSON.stringify({ error: { message: "Invalid API Key", code: "401", type: "invalid_key" } })
    }
  }
  const title = status === 429 ? "429 Too Many Requests" : "503 Service Temporarily Unavailable"
  return {
    contentType: "text/html",
    text: `<html><head><title>${title}</title></head><body><center><h1>${title}</h1></center></body></html>`
  }
}
