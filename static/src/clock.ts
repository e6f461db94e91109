// The server's clock, so that "now" is the same instant in all panels whatever
// this machine's clock says.

export class Clock {
  private offset: number;
  /** Whether a server has told its time on a connection of which it is known when it was opened. */
  known = false;

  /** serverNow is the server's time when the page was made. */
  constructor(
    serverNow: number,
    private readonly local: () => number = Date.now,
  ) {
    this.offset = serverNow > 0 ? serverNow - local() : 0;
  }

  /** set takes the time of a message that just arrived, on a connection that was begun ms ago: it was said half way between. */
  set(serverNow: number, begunAgo: number): void {
    if (serverNow <= 0) return;
    this.offset = serverNow - (this.local() - Math.min(Math.max(begunAgo, 0), 2000) / 2);
    this.known = true;
  }

  now(): number {
    return this.local() + this.offset;
  }
}
