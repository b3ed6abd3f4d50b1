/**
 * Whether refusals are about load at all. A gateway that refuses one request in twenty, however many there are, is not
 * helped by fewer of them.
 *
 * It is an experiment that runs by itself: the window shrinks, and the share that is refused well below where it began
 * is held against the share above. If holding back made it less than half, the refusals were about load, and the next
 * experiment begins from there. If not, the window goes back to where it began, and refusals as frequent as these
 * change nothing for a while.
 */

/** What is remembered of a request from when it was sent. */
export interface Shot {
  /** How often the window had shrunk by then. What was on its way at a refusal tells little more than that one. */
  readonly era: number
  /** How many were in flight, with this one. */
  readonly level: number
}

/** Levels up to this part of the first one are "below". */
const below = 0.75

/** So many refusals must be expected below, by the share above, before their number says anything. */
const enough = 5
/** And so many outcomes be known above. */
const least = 8

/** But so many below are not waited for longer than: the window may never come up again. */
const most = 100

/** From this share of refusals on it is overload, whatever the number of requests. */
const overload = 0.4

/** How long refusals are tolerated, in milliseconds: at first, and at most. Each time that it is found again, it is twice as long. */
const shortest = 60_000
const longest = 600_000

/** Recent: the weight of one outcome among those before it. */
const weight = 1 / 16

export class Doubt {
  /** The share that was refused lately. */
  recent = 0
  /** Up to this recent share refusals are tolerated, until that moment. */
  private tolerance = 0
  private toleratedUntil = Number.NEGATIVE_INFINITY
  private toleratedFor = shortest
  /** The experiment that runs; `undefined` before the first refusal. */
  private experiment: Experiment | undefined

  /** An outcome. What comes back is the limit to return to, where holding back turned out to be of no use. */
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
      // What was sent before the window shrank says nothing of what shrinking does.
      this.countBelow += 1
      if (refused) this.refusedBelow += 1
    }
  }

  /** `true`, or the share that is refused all the same; `undefined` while too little is known. */
  helped(): true | number | undefined {
    if (this.countAbove < least && this.countBelow < most) return undefined
    const shareAbove = this.refusedAbove / this.countAbove
    const expected = this.countBelow * shareAbove
    if (expected < enough) return undefined
    const share = this.refusedBelow / this.countBelow
    return this.refusedBelow >= expected / 2 && share < overload ? share : true
  }
}
