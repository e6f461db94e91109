// The server's clock, so that "now" is the same instant in all panels whatever
// this machine's clock says.

export class Clock {
  private offset: number;

  /** serverNow is the server's time when the page was made. */
  constructor(serverNow: number) {
    this.offset = serverNow > 0 ? serverNow - Date.now() : 0;
  }

  /** set takes the time of a message that just arrived. */
  set(serverNow: number): void {
    if (serverNow > 0) this.offset = serverNow - Date.now();
  }

  now(): number {
    return Date.now() + this.offset;
  }
}
