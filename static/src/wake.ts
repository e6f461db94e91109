// Whether this machine slept, or this page stood still. Both leave a connection
// that looks alive and is not, and nothing says so for a long time.

const APART = 2000; // ms by which the two clocks may come apart between two looks
export const STILL = 5000; // ms without a look, where there should be one every second

/** Jumps tells when the machine's clock was set, or went on while the page's stood still. */
export class Jumps {
  private apart: number;

  constructor(
    private readonly wall: () => number = () => Date.now(),
    private readonly steady: () => number = () => performance.now(),
  ) {
    this.apart = wall() - steady();
  }

  /** by is how far the machine's clock jumped since the last look, in ms; 0 while both go on together. */
  by(): number {
    const apart = this.wall() - this.steady();
    const by = apart - this.apart;
    this.apart = apart; // a clock that is corrected little by little does not jump
    return Math.abs(by) >= APART ? by : 0;
  }
}

export class Wake {
  private looked: number;
  private readonly jumps: Jumps;

  constructor(
    wall: () => number = () => Date.now(),
    private readonly steady: () => number = () => performance.now(),
  ) {
    this.jumps = new Jumps(wall, steady);
    this.looked = steady();
  }

  /**
   * slept is asked every second while the page is shown, and whenever something
   * may have woken it. watched says that it was asked every second until now.
   */
  slept(watched: boolean): boolean {
    const now = this.steady();
    const still = now - this.looked;
    this.looked = now;
    return this.jumps.by() > 0 || (watched && still >= STILL);
  }
}
