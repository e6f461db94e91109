// Which kind of connection to use. The WebSocket is the best one; where something
// between here and the server does not let it through, though it lets plain HTTP
// through, the next kind is used, and the better ones are tried again in the
// background, ever more rarely.

import type { Way } from "./transport";

const WAYS: readonly Way[] = ["websocket", "sse", "poll"];
const PATIENCE: Record<Way, number> = { websocket: 1500, sse: 2000, poll: 5000 }; // ms until it is asked whether it is blocked
const TRIES = 2; // refusals until a way counts as blocked
const ROUNDS = 4; // a connection takes up to so many times what one answer of plain HTTP takes
const SOON = 5000; // ms until the first try on a page that began with a lesser way
const FIRST = 30_000; // ms until the first try otherwise; then twice as long each time
const MOST = 600_000;

export class Choice {
  way: Way;
  private tries = 0;
  private tried = 0; // how often a better way was tried in vain
  private remembered: boolean;

  /** remembered is the way that this tab used last, if any. */
  constructor(remembered: string) {
    this.way = WAYS.find((way) => way === remembered) ?? "websocket";
    this.remembered = this.way !== "websocket";
  }

  /** patience is how long a connection may take until one asks whether it is blocked, in ms. */
  get patience(): number {
    return PATIENCE[this.way];
  }

  /** opened hears that the way works. */
  opened(): void {
    this.tries = 0;
  }

  /** refused hears that a connection ended before its first message though plain HTTP answers, and says whether the way changed. */
  refused(): boolean {
    return ++this.tries >= TRIES && this.next();
  }

  /** late hears that a connection has been opening for ms, and in how many plain HTTP answers, and says whether the way changed. */
  late(ms: number, answered: number): boolean {
    return ms >= Math.max(this.patience, ROUNDS * answered) && this.next();
  }

  /** better is the way to try in the background. */
  better(): Way {
    return WAYS[this.tried % Math.max(WAYS.indexOf(this.way), 1)]!;
  }

  /** tryIn is when to try it, in ms. */
  tryIn(): number {
    if (this.remembered) return SOON;
    return Math.min(FIRST * 2 ** Math.min(this.tried, 10), MOST);
  }

  /** failed hears that a better way is still blocked. */
  failed(): void {
    if (this.remembered) this.remembered = false;
    else this.tried++;
  }

  /** found hears that a better way works now. */
  found(way: Way): void {
    this.begin(way);
  }

  private next(): boolean {
    // After the last comes the first: if none works, it is not the way.
    this.begin(WAYS[(WAYS.indexOf(this.way) + 1) % WAYS.length]!);
    return true;
  }

  private begin(way: Way): void {
    this.way = way;
    this.tries = this.tried = 0;
    this.remembered = false;
  }
}
