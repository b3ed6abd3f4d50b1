/**
 * Whether refusals are about load at all. Where a gateway refuses one request in twenty, however many there are,
 * sending fewer of them gains nothing.
 *
 * It is an experiment that runs by itself. When the window shrinks, the share of refusals well below the level at which
 * it began to shrink is compared with the share above. If sending less has more than halved that share, the refusals
 * were about load, and the next experiment starts from the new level. If not, the window goes back to where it was, and
 * refusals this frequent are tolerated for a while: they change nothing.
 */

/** What is remembered about a request when it is sent. */
export interface Shot {
  /** How often the window had shrunk by then. The requests of one era tell little more than the first one refused. */
  readonly era: number
  /** How many were in flight, including this one. */
  readonly level: number
}

/** Levels up to this fraction of the starting level are "below". */
const below = 0.75

/** There is no verdict until, going by the share above, this many refusals would be expected below. */
const leastExpected = 5

/** Nor is there one until this many outcomes are known above, */
const leastAbove = 8

/** or this many below: the window may never reach the upper levels again. */
const enoughBelow = 100

/** A share of refusals this high is overload, whatever the number of requests. */
const overload = 0.4

/**
 * How long refusals are tolerated, in milliseconds: the first time, and at most. It doubles from one time to the next.
 */
const firstToleration = 60_000
const longestToleration = 600_000

/** The weight of one outcome in `recentShare`. */
const weight = 1 / 16

export class Doubt {
  /** The share of recent requests that were refused, as a moving average. */
  recentShare = 0
  /** Until `toleratedUntil`, refusals are tolerated while `recentShare` is at most this. */
  private tolerance = 0
  private toleratedUntil = Number.NEGATIVE_INFINITY
  /** How long refusals will be tolerated the next time. */
  private toleration = firstToleration
  /** The running experiment; `undefined` before the first refusal. */
  private experiment: Experiment | undefined

  /** Adds an outcome. Returns the limit to go back to, if this one shows that sending less does not help. */
  add(shot: Shot, refused: boolean, limit: number, era: number, now: number): number | undefined {
    this.recentShare += ((refused ? 1 : 0) - this.recentShare) * weight
    if (this.experiment === undefined) {
      if (!refused) return undefined
      this.experiment = new Experiment(shot.level, limit, era)
    }
    this.experiment.add(shot, refused)
    const verdict = this.experiment.verdict()
    if (verdict === undefined) return undefined
    if (verdict === "helped") {
      this.toleration = firstToleration
      this.experiment = Number.isFinite(limit) ? new Experiment(limit, limit, era) : undefined
      return undefined
    }
    const { limitBefore } = this.experiment
    this.tolerance = Math.min(2 * verdict, verdict + 0.1)
    this.recentShare = verdict
    this.toleratedUntil = now + this.toleration
    this.toleration = Math.min(longestToleration, this.toleration * 2)
    this.experiment = Number.isFinite(limitBefore) ? new Experiment(limitBefore, limitBefore, era + 1) : undefined
    return limitBefore
  }

  /** Whether a refusal now changes nothing. */
  tolerates(now: number): boolean {
    return now < this.toleratedUntil && this.recentShare <= this.tolerance
  }

  /** Forgets the experiment, but goes on tolerating what it tolerates. */
  reset(): void {
    this.experiment = undefined
    this.recentShare = 0
  }
}

/** One comparison: outcomes at the levels above, and well below, the level at which it began. */
class Experiment {
  private countAbove = 0
  private refusedAbove = 0
  private countBelow = 0
  private refusedBelow = 0

  constructor(
    /** How many were in flight when it began. */
    private readonly level: number,
    /** The window's limit then. */
    readonly limitBefore: number,
    /** The era then. */
    private readonly era: number
  ) {}

  add(shot: Shot, refused: boolean): void {
    if (shot.level > Math.max(1, Math.floor(below * this.level))) {
      this.countAbove += 1
      if (refused) this.refusedAbove += 1
    } else if (shot.era > this.era) {
      // A request sent before the window shrank says nothing about the effect of shrinking.
      this.countBelow += 1
      if (refused) this.refusedBelow += 1
    }
  }

  /**
   * Whether sending less helped; if not, the share that is refused all the same. `undefined` while too little is known.
   */
  verdict(): "helped" | number | undefined {
    if (this.countAbove < leastAbove && this.countBelow < enoughBelow) return undefined
    const shareAbove = this.refusedAbove / this.countAbove
    const expected = this.countBelow * shareAbove
    if (expected < leastExpected) return undefined
    const share = this.refusedBelow / this.countBelow
    return this.refusedBelow >= expected / 2 && share < overload ? share : "helped"
  }
}
