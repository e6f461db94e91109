// How a panel is, out of how its topics are. The rule also stands in
// views/freshness.go: worse wins.

import type { Freshness, State } from "./freshness";
import type { Lines, View } from "./lines";
import { nameOf, rank, type Threshold } from "./thresholds";
import { interval } from "./value";

export interface Health {
  state: State | "error" | "forbidden";
  /** What the chip looks like: a state, warn, critical or thinned. */
  chip: string;
  /** What the chip says. */
  word: string;
  /** What it says where there is room for the time of the last reading. */
  long: string;
  /** warn or critical, while live. */
  level: string;
  /** Whether its values are of now. */
  lively: boolean;
  /** How many topics have readings. */
  heard: number;
  /** The time of the newest reading, NaN when there is none. */
  last: number;
  /** ms since any of its topics was heard. */
  silence: number;
  problem: string;
}

/** healthOf judges the topics of a panel together. */
export function healthOf(lines: Lines, view: View, link: "live" | "again" | "stopped"): Health {
  const h: Health = { state: "empty", chip: "empty", word: "", long: "no reading yet", level: "", lively: false, heard: 0, last: Number.NaN, silence: Number.POSITIVE_INFINITY, problem: "" };
  let stale = 0;
  let live = 0;
  let beat = 0;
  let thinned = 1;
  let youngest: Freshness = { state: "empty", word: "no reading yet" };
  for (const f of lines.feeds) {
    if (f.problem) {
      h.problem = f.problem;
      if (f.problemCode === "forbidden" || f.problemCode === "unauthorized") h.state = "forbidden";
      else if (h.state !== "forbidden") h.state = "error";
    }
    if (f.series.length === 0) continue;
    h.heard++;
    const own = f.alone(view.now);
    if (own.state === "stale") stale++;
    else if (own.state === "live") live++;
    if (f.interval > 0 && (beat === 0 || f.interval < beat)) beat = f.interval;
    if (f.thinned > thinned) thinned = f.thinned;
    const silence = f.silence(view.now);
    if (silence < h.silence) {
      h.silence = silence;
      youngest = own;
    }
    if (!(f.series.lastTime <= h.last)) h.last = f.series.lastTime;
  }
  // A topic that may not be seen hides nothing of those that may.
  if (h.problem && h.heard === 0) return say(h, h.state, h.state, h.state === "error" ? "error" : "");
  if (link === "stopped") return say(h, "stopped", "stopped", "not connected");
  if (link === "again") return say(h, "again", "again", "reconnecting");
  if (h.heard === 0) return say(h, "empty", "empty", "", "no reading yet");
  if (!view.live) {
    h.lively = true;
    return say(h, "live", "live", beat > 0 ? interval(beat) : "on change", youngest.word);
  }
  if (stale === h.heard) return say(h, "stale", "stale", youngest.word);
  h.lively = true;
  const state = live > 0 ? "live" : stale > 0 ? "live" : "quiet";
  // A table lets stale topics leave: what it shows is live.
  if (stale > 0 && lines.kind !== "table") return say(h, state, "stale", `${stale} of ${h.heard} stale`);
  if (thinned > 1.05) {
    const text = `1 in ${Math.max(Math.round(thinned), 2)}`;
    return say(h, state, "thinned", text, `${text}, ${youngest.word}`);
  }
  const worst = lines.numbers.reduce<Threshold | null>((found, l) => (l.reached && (!found || rank(l.reached.level) > rank(found.level)) ? l.reached : found), null);
  if (worst) {
    h.level = worst.level;
    return say(h, state, worst.level, nameOf(worst));
  }
  return say(h, state, state, interval(beat), youngest.word);
}

function say(h: Health, state: Health["state"], chip: string, word: string, long = word): Health {
  h.state = state;
  h.chip = chip;
  h.word = word;
  h.long = long;
  return h;
}
