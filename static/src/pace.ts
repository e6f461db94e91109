// How often panels that are many have their turn: less often where frames come
// late, and as before once they have been in time for a while.

const ROUND = 110; // ms in which every panel has its turn
const ROUND_LATE = 225; // ms of it while frames come late
const LATE = 25; // ms from asking for a frame to its coming: one was missed
const FORGIVEN = 0.01; // of a late frame, by each that is in time
const ENOUGH = 3; // late frames that are not forgiven yet
const MOST = 12; // of them, also those that are to be forgiven once turns come less often

export class Pace {
  /** In how many ms every panel has its turn. */
  round = ROUND;
  private strain = 0; // late frames that are not forgiven yet

  /** came hears how many ms a frame took to come. */
  came(after: number): void {
    this.strain = after > LATE ? Math.min(this.strain + 1, MOST) : Math.max(this.strain - FORGIVEN, 0);
    if (this.strain > ENOUGH && this.round === ROUND) {
      this.round = ROUND_LATE;
      this.strain = MOST;
    } else if (this.strain === 0) this.round = ROUND;
  }
}
