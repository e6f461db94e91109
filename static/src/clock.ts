// The server's clock, so that "now" is the same instant in all panels whatever
// this machine's clock says, and whatever it is set to meanwhile.

import { Jumps } from "./wake";

export class Clock {
  private offset: number;
  private error = Number.POSITIVE_INFINITY; // ms by which offset may be wrong
  private readonly jumps: Jumps;

  /** serverNow is the server's time when the page was made. */
  constructor(
    serverNow: number,
    private readonly local: () => number = () => Date.now(),
    steady: () => number = () => performance.now(),
  ) {
    this.jumps = new Jumps(local, steady);
    this.offset = serverNow > 0 ? serverNow - local() : 0;
  }

  /** known says whether a server has told its time since this machine's clock last jumped. */
  get known(): boolean {
    return this.error < Number.POSITIVE_INFINITY;
  }

  /**
   * set takes the time of a message that just arrived and was asked for so many ms
   * ago: it was said half way between. What is known better stays. It says whether
   * the clock changed.
   */
  set(serverNow: number, askedAgo: number): boolean {
    if (serverNow <= 0) return false;
    const error = Math.max(askedAgo, 0) / 2;
    const offset = serverNow - (this.now() - this.offset - error);
    if (error >= this.error && Math.abs(offset - this.offset) <= error + this.error) return false;
    this.offset = offset;
    this.error = error;
    return true;
  }

  /** atLeast takes a time of the server that has passed already: as far as it may be wrong, the clock follows. */
  atLeast(serverThen: number): void {
    const behind = serverThen - this.now();
    if (behind <= 0 || behind > this.error) return;
    this.offset += behind;
    this.error -= behind;
  }

  now(): number {
    const by = this.jumps.by();
    if (by !== 0) {
      // It was set, or, if it is ahead, the machine slept: until a server tells, time goes on as if nothing was.
      this.offset -= by;
      if (by > 0) this.error = Number.POSITIVE_INFINITY;
    }
    return this.local() + this.offset;
  }
}
