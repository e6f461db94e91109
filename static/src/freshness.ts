// How alive a topic is, as a shape and a word. The rule for what is stale also
// stands in views/chart.go.

import { age } from "./value";

export type State = "live" | "stale" | "quiet" | "again" | "stopped" | "empty";

export interface Freshness {
  state: State;
  word: string;
}

/** joinable is how far apart two readings may be and still be joined: three intervals, at least 2 s; 0 for any distance. */
export function joinable(interval: number): number {
  return interval > 0 ? Math.max(3 * interval, 2000) : 0;
}

export interface Signs {
  /** ms since the topic was last heard; NaN when it never was. */
  silence: number;
  /** Usual ms between readings; 0 when it sends on change. */
  interval: number;
  /** Whether this screen has its connection. */
  link: "live" | "again" | "stopped";
  /** Since when the server says that the store does not answer, as hours and minutes; "" while it does. */
  storeAway: string;
}

const QUIET_AFTER = 10_000;

/** judge decides; worse wins. */
export function judge(s: Signs): Freshness {
  if (s.link === "stopped") return { state: "stopped", word: "not connected" };
  if (s.link === "again") return { state: "again", word: "reconnecting" };
  if (Number.isNaN(s.silence)) return { state: "empty", word: "no reading yet" };
  if (s.storeAway) return { state: "stale", word: `stale since ${s.storeAway}` };
  const word = `${age(s.silence)} ago`;
  if (s.interval > 0 && s.silence > joinable(s.interval)) return { state: "stale", word };
  if (s.interval <= 0 && s.silence > QUIET_AFTER) return { state: "quiet", word };
  return { state: "live", word };
}

/** Hearing tells when a topic was last heard, so that a sender whose clock is wrong is not called silent. */
export class Hearing {
  private at = Number.NaN; // ms of the server's clock
  private settledAt = 0;

  /** known takes the time of a reading from history: from the page, a snapshot, or what a resume brought. */
  known(t: number, now: number): void {
    this.settledAt = now + 2000;
    if (!Number.isNaN(t)) this.at = Number.isNaN(this.at) ? Math.min(t, now) : Math.max(this.at, Math.min(t, now));
  }

  /** live takes a reading that has just arrived. While a resume is still catching up its own time counts. */
  live(t: number, now: number): void {
    if (now < this.settledAt) this.at = Number.isNaN(this.at) ? Math.min(t, now) : Math.max(this.at, Math.min(t, now));
    else this.at = now;
  }

  silence(now: number): number {
    return Math.max(now - this.at, 0);
  }
}
