/**
 * What a gateway allows: so many requests at the same time, or so many a second. The rules are nginx's, `limit_conn` and
 * `limit_req` with `nodelay`, so that the project's own gateway and a real nginx can be held against each other.
 */

export type Limit = Places | Rate

/** A request holds its place until it is answered. */
export interface Places {
  readonly _tag: "Places"
  readonly places: number
}

/** What exceeds the rate is let in as long as no more than `burst` requests are owed. */
export interface Rate {
  readonly _tag: "Rate"
  readonly perSecond: number
  readonly burst: number
}

export const places = (places: number): Places => ({ _tag: "Places", places })

export const rate = (perSecond: number, burst: number): Rate => ({ _tag: "Rate", perSecond, burst })

/** The limits of the table. */
export const all: ReadonlyArray<Limit> = [places(1), places(4), places(16), rate(5, 2), rate(50, 8)]

export const nameOf = (limit: Limit): string =>
  limit._tag === "Places" ? `places:${limit.places}` : `rate:${limit.perSecond}`

/** How long an answer takes, in milliseconds. */
export const service = 200

/** The most answers a second that it allows for long. */
export const answersPerSecond = (limit: Limit): number =>
  limit._tag === "Places" ? (limit.places * 1000) / service : limit.perSecond

/** The shortest time, in seconds, in which so many answers can be had. */
export const possible = (limit: Limit, answers: number): number =>
  limit._tag === "Places"
    ? Math.ceil(answers / limit.places) * (service / 1000)
    : Math.max(0, answers - limit.burst - 1) / limit.perSecond + service / 1000

/** So many calls that the refusals of the first moment do not decide the row, and a row ends within a minute or two. */
export const callsOf = (limit: Limit): number => {
  const perSecond = answersPerSecond(limit)
  return perSecond >= 50 ? 2000 : perSecond >= 20 ? 600 : 300
}

/** Says of each request whether it may come in. Times are milliseconds, on any clock that only goes forward. */
export interface Door {
  readonly enter: (now: number) => boolean
  /** One that came in was answered. */
  readonly leave: () => void
}

export const door = (limit: Limit): Door => {
  if (limit._tag === "Rate") return doorOfRate(limit)
  let inside = 0
  return {
    enter: () => {
      if (inside >= limit.places) return false
      inside += 1
      return true
    },
    leave: () => {
      inside -= 1
    }
  }
}

/** A leaky bucket; a request that is refused adds nothing to it (nginx, `ngx_http_limit_req_lookup`). */
const doorOfRate = ({ burst, perSecond }: Rate): Door => {
  let owed = 0
  let last = Number.NEGATIVE_INFINITY
  return {
    enter: (now) => {
      const next = last === Number.NEGATIVE_INFINITY ? 0 : Math.max(0, owed - ((now - last) * perSecond) / 1000 + 1)
      if (next > burst) return false
      owed = next
      last = now
      return true
    },
    leave: () => undefined
  }
}
