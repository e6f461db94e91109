// The axis of values; the same rules stand in views/axis.go and both are held to
// views/testdata/axes.json.

import { figure, type Scale, scaleFor } from "./value";

export interface Axis {
  lo: number;
  hi: number;
  step: number;
}

const MOST_LABEL = 100_000; // from here on a label has more digits than anyone reads

const BYTES = new Set(["bytes", "byte", "B", "By"]);

/** axisFor covers lo to hi with three to five steps on round numbers. */
export function axisFor(unit: string, lo: number, hi: number, whole: boolean): Axis {
  if (!(lo <= hi) || !Number.isFinite(hi - lo)) return { lo: 0, hi: 1, step: 0.5 };
  const { divisor } = scaleFor(unit, Math.max(Math.abs(lo), Math.abs(hi)), whole);
  lo /= divisor;
  hi /= divisor;
  const air = (hi - lo) / 10;
  if (lo >= 0 && fromZero(unit, hi * divisor, whole)) {
    lo = 0;
  } else if (air > 0) {
    lo = airBelow(lo, air);
    hi = -airBelow(-hi, air);
  }
  if (hi === lo) {
    if (hi === 0) hi = 1;
    else {
      const around = Math.abs(hi) / 10;
      lo -= around;
      hi += around;
    }
  }
  let step = stepFor((hi - lo) / 4, unit);
  if (whole && divisor === 1) {
    step = Math.max(step, 1); // nothing lies between two whole numbers
    if (step === 2.5) step = 5;
  }
  return { lo: Math.floor(lo / step) * step * divisor, hi: Math.ceil(hi / step) * step * divisor, step: step * divisor };
}

/** airBelow leaves air under a value, but none of the other sign. */
function airBelow(v: number, air: number): number {
  return v >= 0 ? Math.max(v - air, 0) : v - air;
}

function fromZero(unit: string, hi: number, whole: boolean): boolean {
  if (unit === "percent" || unit === "%" || unit === "ratio" || unit === "count" || BYTES.has(unit)) return true;
  if (unit.length > 2 && unit.endsWith("/s")) return true;
  return whole && hi < 1e6;
}

function stepFor(raw: number, unit: string): number {
  if (BYTES.has(unit)) {
    let step = 1 / 1024;
    while (step < raw) step *= 2;
    return step;
  }
  let power = 1;
  while (power > raw) power /= 10;
  while (power * 10 <= raw) power *= 10;
  for (const factor of [1, 2, 2.5, 5]) if (power * factor >= raw) return power * factor;
  return power * 10;
}

/** axisScale prints an axis in the unit of the figures beside it, unless its labels became too long: bounds may lie far beyond what is read. */
export function axisScale(a: Axis, figures: Scale, unit: string, whole: boolean): Scale {
  const most = Math.max(Math.abs(a.lo), Math.abs(a.hi));
  return most < MOST_LABEL * figures.divisor ? figures : scaleFor(unit, most, whole);
}

/** ticks returns the values of the axis' lines from the lowest to the highest. */
export function ticks(a: Axis): number[] {
  const n = Math.round((a.hi - a.lo) / a.step);
  return Array.from({ length: n + 1 }, (_, i) => a.lo + i * a.step);
}

/** labels prints the ticks with as many decimals as their step needs. */
export function labels(a: Axis, s: Scale): string[] {
  const decimals = decimalsOf(a.step / s.divisor);
  return ticks(a).map((tick) => figure({ ...s, decimals }, tick));
}

/** decimalsOf counts the decimals that a step needs to be printed exactly. */
export function decimalsOf(step: number): number {
  let decimals = 0;
  for (; decimals < 9 && Math.abs(step - Math.round(step)) > 1e-6 * Math.max(1, step); step *= 10) decimals++;
  return decimals;
}
