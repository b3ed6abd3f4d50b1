/**
 * Whether refusals are about load at all. A gateway that refuses one request in twenty, however many there are, gains
 * nothing from fewer of them.
 *
 * It is an experiment that runs by itself: the window shrinks, and the share of refusals well below the starting level
 * is compared with the share above. If holding back more than halved it, the refusals were about load, and the next
 * experiment starts from there. If not, the window goes back to where it began, and refusals this frequent change
 * nothing for a while.
 */

/** What is remembered about a request when it is sent. */
export interface Shot {
  /** How often the window had shrunk by then. Requests in flight at a refusal tell little more than it does. */
  readonly era: number
  /** How many were in flight, including this one. */
  readonly level: number
}

/** Levels up to this fraction of the starting level are "below". */
const below = 0.75

/** By the share above, this many refusals must be expected below before the number there says anything. */
const enough = 5
/** And this many outcomes must be known above, */
const least = 8

/** or else this many below: the window may never rise again. */
const most = 100

/** A share of refusals this high is overload, whatever the number of requests. */
const overload = 0.4

/** How long refusals are tolerated, in milliseconds: at first, and at most. Doubled each time anew. */
const shortest = 60_000
const longest = 600_000

/** The weight of one outcome in `recent`. */
const weight = 1 / 16

export class Doubt {
  /** The share of recent requests that was refused. */
  recent = 0
  /** Refusals are tolerated while `recent` is at most this, until `toleratedUntil`. */
  private tolerance = 0
  private toleratedUntil = Number.NEGATIVE_INFINITY
  private toleratedFor = shortest
  /** The running experiment; `undefined` before the first refusal. */
  private experiment: Experiment | undefined

  /** Takes in an outcome. Returns the limit to go back to, if holding back turned out to be of no use. */
  hear(shot: Shot, refused: boolean, limit: number, era: number, now: number): number | undefined {
    this.recent += ((refused ? 1 : 0) - this.recent) * weight
    if (this.experiment === undefined) {
      if (!refused) return undefined
      this.experiment = new Experiment(shot.level, limit, era)
    }
    this.experiment.add(shot, refused)
    const share = this.experiment.helped()
    if (share === undefined) return undefined
    if (share === true) {
      this.toleratedFor = shortest
      this.experiment = Number.isFinite(limit) ? new Experiment(limit, limit, era) : undefined
      return undefined
    }
    const { before } = this.experiment
    this.tolerance = Math.min(2 * share, share + 0.1)
    this.recent = share
    this.toleratedUntil = now + this.toleratedFor
    this.toleratedFor = Math.min(longest, this.toleratedFor * 2)
    this.experiment = Number.isFinite(before) ? new Experiment(before, before, era + 1) : undefined
    return before
  }

  tolerates(now: number): boolean {
    return now < this.toleratedUntil && this.recent <= this.tolerance
  }

  reset(): void {
    this.experiment = undefined
    this.recent = 0
  }
}

class Experiment {
  private countAbove = 0
  private refusedAbove = 0
  private countBelow = 0
  private refusedBelow = 0

  constructor(
    /** How many were in flight when it began. */
    private readonly level: number,
    /** The limit then. */
    readonly before: number,
    private readonly era: number
  ) {}

  add(shot: Shot, refused: boolean): void {
    if (shot.level > Math.max(1, Math.floor(below * this.level))) {
      this.countAbove += 1
      if (refused) this.refusedAbove += 1
    } else if (shot.era > this.era) {
      // Requests sent before the window shrank say nothing about the effect of shrinking.
      this.countBelow += 1
      if (refused) this.refusedBelow += 1
    }
  }

  /** `true`, or the share that is still refused; `undefined` while too little is known. */
  helped(): true | number | undefined {
    if (this.countAbove < least && this.countBelow < most) return undefined
    const shareAbove = this.refusedAbove / this.countAbove
    const expected = this.countBelow * shareAbove
    if (expected < enough) return undefined
    const share = this.refusedBelow / this.countBelow
    return this.refusedBelow >= expected / 2 && share < overload ? share : true
  }
}
