// Thresholds: which level a value has reached, and what that is called.

export type Level = "" | "warn" | "critical";

export interface Threshold {
  at: number;
  level: "warn" | "critical";
  name?: string;
  /** The threshold is reached when the value is below it. */
  below?: boolean;
}

/** reached says whether a value has crossed a threshold; one that is exactly there has. */
export function reached(t: Threshold, value: number): boolean {
  return t.below ? value <= t.at : value >= t.at;
}

/** worst returns the worst threshold that a value has reached; of two of the same level the later one, as views/line.go does. */
export function worst(thresholds: readonly Threshold[], value: number): Threshold | null {
  let found: Threshold | null = null;
  for (const t of thresholds) if (reached(t, value) && (!found || rank(t.level) >= rank(found.level))) found = t;
  return found;
}

/** rank orders levels: the worse, the higher. */
export function rank(l: Level): number {
  return l === "critical" ? 2 : l === "warn" ? 1 : 0;
}

/** nameOf is what a chip says of a threshold. */
export function nameOf(t: Threshold): string {
  return t.name || t.level;
}
