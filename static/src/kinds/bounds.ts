// The ends of gauges and bars. The same rule stands in views/bars.go.

import { axisFor } from "../axis";
import type { Config } from "../config";
import { svg } from "../dom";
import type { Line } from "../lines";
import type { Level } from "../thresholds";

export interface Bounds {
  lo: number;
  hi: number;
}

/** boundsOf is what the bars of a panel cover. */
export function boundsOf(config: Config, lines: readonly Line[]): Bounds {
  const unit = lines[0]?.unit ?? "";
  let lo = 0;
  let hi = Number.NEGATIVE_INFINITY;
  for (const l of lines) {
    const v = l.number;
    if (Number.isNaN(v)) continue;
    lo = Math.min(lo, v);
    hi = Math.max(hi, v);
  }
  if (unit === "percent" || unit === "%") hi = Math.max(hi, 100);
  else if (unit === "ratio") hi = Math.max(hi, 1);
  else if (hi > Number.NEGATIVE_INFINITY) hi = axisFor(unit, lo, hi, false).hi;
  if (!Number.isNaN(config.min)) lo = config.min;
  if (!Number.isNaN(config.max)) hi = config.max;
  return { lo, hi: hi > lo ? hi : lo + 1 };
}

/** placeIn is where a value stands between two bounds, of 1000. */
export function placeIn(b: Bounds, v: number): number {
  return Math.round(Math.min(Math.max((v - b.lo) / (b.hi - b.lo), 0), 1) * 1000);
}

/** Bar is a value as a length, with ticks where thresholds are. */
export class Bar {
  readonly element = svg("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  private readonly fill = svg("rect", { class: "fill", height: "10" });
  private ticks = "";

  constructor(private readonly config: Config) {
    this.element.append(svg("rect", { class: "track", width: "1000", height: "10" }), this.fill);
  }

  draw(b: Bounds, v: number, level: Level): void {
    const from = b.lo >= 0 ? 0 : placeIn(b, Math.min(0, v));
    const to = placeIn(b, Math.max(0, v));
    const known = !Number.isNaN(v);
    this.set("x", known ? from : 0);
    this.set("width", known ? Math.max(to - from, 0) : 0);
    const name = `fill ${level}`.trim();
    if (this.fill.getAttribute("class") !== name) this.fill.setAttribute("class", name);
    const key = `${b.lo} ${b.hi}`;
    if (key === this.ticks) return;
    this.ticks = key;
    for (const old of this.element.querySelectorAll(".tick")) old.remove();
    for (const t of this.config.thresholds) {
      if (!(t.at > b.lo && t.at < b.hi)) continue;
      const x = String(placeIn(b, t.at));
      this.element.append(svg("line", { class: `tick ${t.level}`, x1: x, x2: x, y1: "0", y2: "10" }));
    }
  }

  private set(name: string, value: number): void {
    const text = String(value);
    if (this.fill.getAttribute(name) !== text) this.fill.setAttribute(name, text);
  }
}
