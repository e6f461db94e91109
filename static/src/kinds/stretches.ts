// States over time: the stretches in which a state stayed the same. The same
// rule stands in views/timeline.go.

import type { Series } from "../series";

export interface Stretch {
  from: number; // ms
  to: number;
  class: string; // up, warn, critical, other1 to other4, none
  text: string;
}

const UP = new Set(["true", "up", "ok", "healthy", "running", "open", "on", "1", "success"]);
const CRITICAL = new Set(["down", "failed", "error", "critical", "false", "0"]);
const WARN = new Set(["warn", "warning", "slow", "degraded", "pending"]);
const HUES = 4;

/** wordClass says what a state is known to mean; "" for all other words. */
export function wordClass(word: string): string {
  const small = word.toLowerCase();
  if (UP.has(small)) return "up";
  if (CRITICAL.has(small)) return "critical";
  return WARN.has(small) ? "warn" : "";
}

/**
 * stretches cuts the time from from to to. A reading holds until the next one;
 * where a topic that sends every interval ms falls silent for longer than far
 * ms, it holds for one interval and the rest has no reading; so it is before
 * readings that are missing, which says what is. others remembers the hues of words that are neither good nor bad.
 */
export function stretches(series: Series, column: number, from: number, to: number, interval: number, far: number, others: Map<string, number>): Stretch[] {
  const list: Stretch[] = [];
  const add = (begin: number, end: number, kind: string, text: string) => {
    const [a, b] = [Math.max(begin, from), Math.min(end, to)];
    if (b <= a) return;
    const last = list.at(-1);
    if (last?.text === text && last.class === kind) last.to = b;
    else list.push({ from: a, to: b, class: kind, text });
  };
  let began = false;
  const show = (t: number, word: string, until: number) => {
    const lost = series.marks.filter((m) => m.from >= t && m.from < until).at(-1);
    let kind = wordClass(word);
    if (kind === "") {
      if (!others.has(word)) others.set(word, (others.size % HUES) + 1);
      kind = `other${others.get(word)}`;
    }
    if (lost) {
      // What it was in the readings that are missing nobody knows.
      add(t, Math.min(lost.from + interval, until), kind, word);
      add(Math.min(lost.from + interval, until), until, "none", lost.text);
    } else if (far > 0 && until - t > far) {
      add(t, t + interval, kind, word);
      add(t + interval, until, "none", "no reading");
    } else add(t, until, kind, word);
  };
  let heldAt = Number.NaN;
  let held = "";
  for (let i = Math.max(series.indexFrom(from) - 1, series.first); i < series.beyond; i++) {
    const t = series.times[i]!;
    const v = series.value(column, i);
    if (v === null) continue;
    if (t > to) break;
    if (!began && t > from) add(from, t, "none", "no reading");
    began = true;
    if (held !== "") show(heldAt, held, t);
    heldAt = t;
    held = String(v);
  }
  if (held !== "") show(heldAt, held, to);
  if (!began) add(from, to, "none", "no reading");
  return list;
}

/** notable is what a lane says: its last exception, else what it is now. */
export function notable(list: readonly Stretch[]): Stretch | null {
  for (let i = list.length - 1; i >= 0; i--) {
    const s = list[i]!;
    if (s.class === "warn" || s.class === "critical" || (s.class === "none" && list.length > 1 && i > 0)) return s;
  }
  return list.at(-1) ?? null;
}
