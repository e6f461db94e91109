// What this page tells the server about itself: messages that did not follow the
// one before, which must stay none, how often a lost connection came back, and how
// long readings took from the store to the screen.

import type { Way } from "./transport";

const EVERY = 30_000; // ms
const SOONEST = 1000; // ms between two reports, when something is wrong
const MOST = 100; // violations in one report: the server takes no more
const LE = [25, 50, 100, 250, 500, 1000, 2500]; // ms

export interface Seen {
  violations: number;
  resumes: number;
}

export class Report {
  private counts = new Array<number>(LE.length + 1).fill(0);
  private told: Seen = { violations: 0, resumes: 0 };
  private at: number;

  /** now is of a clock that never goes back, in ms. */
  constructor(now: number) {
    this.at = now;
  }

  /** painted takes how long one message took to the screen, in ms. */
  painted(took: number): void {
    const at = LE.findIndex((le) => took <= le);
    this.counts[at < 0 ? LE.length : at]!++;
  }

  /** due says whether something should be told now. */
  due(seen: Seen, now: number): boolean {
    if (now - this.at >= EVERY) return true;
    return seen.violations > this.told.violations && now - this.at >= SOONEST;
  }

  /** take is what happened since the last report; "" when nothing did. */
  take(way: Way, seen: Seen, now: number): string {
    this.at = now;
    const violations = Math.min(seen.violations - this.told.violations, MOST);
    const resumes = seen.resumes - this.told.resumes;
    if (violations === 0 && resumes === 0 && this.counts.every((n) => n === 0)) return "";
    const report = JSON.stringify({ transport: way, violations, resumes, painted: { le: LE, counts: this.counts } });
    this.told = { ...seen };
    this.counts = new Array<number>(LE.length + 1).fill(0);
    return report;
  }
}

/** send hands a report to the browser, which delivers it even when the page ends. What is lost on the way is not worth asking for. */
export function send(report: string): void {
  if (report) navigator.sendBeacon("/live/report", new Blob([report], { type: "application/json" }));
}
