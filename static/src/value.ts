// The number rules. They also stand in views/number.go; both are held to
// views/testdata/numbers.json, so that a page shows the same figures before and
// after its script runs.

import { axisFor, decimalsOf } from "./axis";

export const NO_VALUE = "\u2013"; // never 0 for a value that nobody has
const MINUS = "\u2212";
export const THIN = "\u2009";

/** Scale is how one panel prints one unit: one divisor and one number of decimals, so that figures do not jitter. */
export interface Scale {
  divisor: number;
  unit: string;
  decimals: number;
}

interface Step {
  size: number;
  from: number;
  unit: string;
}

function sizes(factor: number, units: string[]): Step[] {
  let size = 1;
  return units.map((unit) => {
    const step = { size, from: size, unit };
    size *= factor;
    return step;
  });
}

function durations(perSecond: number): Step[] {
  return [
    { size: perSecond / 1e9, from: 0, unit: "ns" },
    { size: perSecond / 1e6, from: perSecond / 1e6, unit: "\u00b5s" },
    { size: perSecond / 1e3, from: perSecond / 1e3, unit: "ms" },
    { size: perSecond, from: perSecond, unit: "s" },
    { size: perSecond * 60, from: perSecond * 120, unit: "min" },
    { size: perSecond * 3600, from: perSecond * 7200, unit: "h" },
    { size: perSecond * 86400, from: perSecond * 172800, unit: "days" },
  ];
}

function stepsOf(unit: string): Step[] {
  switch (unit) {
    case "percent":
    case "%":
      return [{ size: 1, from: 0, unit: "%" }];
    case "ratio":
      return [{ size: 0.01, from: 0, unit: "%" }];
    case "bytes":
    case "byte":
    case "B":
    case "By":
      return sizes(1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
    case "bytes/s":
    case "B/s":
    case "By/s":
      return sizes(1000, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]);
    case "bits/s":
    case "bit/s":
      return sizes(1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
    case "ns":
    case "nanoseconds":
      return durations(1e9);
    case "us":
    case "\u00b5s":
    case "microseconds":
      return durations(1e6);
    case "ms":
    case "milliseconds":
      return durations(1e3);
    case "s":
    case "seconds":
      return durations(1);
  }
  // Things are counted in full until they have eight digits.
  const named = (prefix: string) => (unit ? `${prefix} ${unit}` : prefix);
  return [
    { size: 1, from: 0, unit },
    { size: 1e6, from: 1e7, unit: named("M") },
    { size: 1e9, from: 1e10, unit: named("G") },
    { size: 1e12, from: 1e13, unit: named("T") },
  ];
}

/** scaleFor chooses how to print values of a unit whose largest magnitude is most. */
export function scaleFor(unit: string, most: number, whole: boolean): Scale {
  const steps = stepsOf(unit);
  let chosen = steps[0]!;
  for (const s of steps) if ((most > 0 && most >= s.from) || (most === 0 && s.size === 1)) chosen = s;
  let m = most / chosen.size;
  let decimals = 0;
  if ((whole && chosen.size === 1) || m >= 1000 || most === 0) decimals = 0;
  else if (m >= 10 || (chosen.unit === "%" && m >= 1)) decimals = 1;
  else
    for (decimals = 2; m < 1 && decimals < 9; decimals++) m *= 10;
  return { divisor: chosen.size, unit: chosen.unit, decimals };
}

/** scaleOver is scaleFor with one decimal more where the axis over lo to hi needs it to tell its lines apart. */
export function scaleOver(unit: string, lo: number, hi: number, whole: boolean): Scale {
  const s = scaleFor(unit, Math.max(Math.abs(lo), Math.abs(hi)), whole);
  if (lo < hi) s.decimals = Math.max(s.decimals, Math.min(s.decimals + 1, decimalsOf(axisFor(unit, lo, hi, whole).step / s.divisor)));
  return s;
}

/** figure prints a value without its unit. */
export function figure(s: Scale, v: number): string {
  return Number.isNaN(v) ? NO_VALUE : decimal(v / s.divisor, s.decimals);
}

/** withUnit prints a value and its unit. */
export function withUnit(s: Scale, v: number): string {
  return s.unit === "" || Number.isNaN(v) ? figure(s, v) : figure(s, v) + THIN + s.unit;
}

/** decimal rounds in arithmetic that is the same in Go; toFixed differs from it on ties. */
export function decimal(v: number, decimals: number): string {
  const rounded = Math.floor(Math.abs(v) * 10 ** decimals + 0.5);
  if (rounded >= 1e15) return v.toExponential(2).replace(/^-/, MINUS).replace("e-", `e${MINUS}`);
  const digits = String(rounded).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return (v < 0 && rounded > 0 ? MINUS : "") + grouped + (decimals > 0 ? `.${fraction}` : "");
}

/** age prints how long ago something was: 0.4 s, 12 s, 3 min, 1 h 12 min, 94 days. */
export function age(ms: number): string {
  ms = Math.max(Math.trunc(ms), 0);
  if (ms < 9950) return `${decimal(ms / 1000, 1)} s`;
  const seconds = Math.floor((ms + 500) / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.max(Math.floor(ms / 60_000), 1);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** rate prints readings per second, per minute below 0.1/s, per hour below 0.1/min. */
export function rate(perSecond: number): string {
  if (!(perSecond > 0)) return NO_VALUE;
  if (perSecond >= 10) return `${decimal(perSecond, 0)}${THIN}/s`;
  if (perSecond >= 0.1) return `${decimal(perSecond, 1)}${THIN}/s`;
  if (perSecond * 60 >= 0.1) return `${decimal(perSecond * 60, 1)}${THIN}/min`;
  return `${decimal(perSecond * 3600, 1)}${THIN}/h`;
}

/** interval prints the rhythm of a topic: 0.5 s, 1 s, 10 s, 5 min. */
export function interval(ms: number): string {
  if (ms <= 0) return "on change";
  if (ms < 1000 || (ms < 10_000 && ms % 1000 >= 50 && ms % 1000 < 950)) return `${decimal(ms / 1000, 1)} s`;
  if (ms < 60_000) return `${Math.floor((ms + 500) / 1000)} s`;
  return age(ms);
}

/** rhythm prints how often a topic sends. */
export function rhythm(ms: number): string {
  return ms <= 0 ? "on change" : `every ${interval(ms)}`;
}

/** fullText prints a value in full, for tables and copies. */
export function fullText(v: number | string | boolean | null): string {
  return v === null ? NO_VALUE : String(v).replace(/^-(?=\d)/, MINUS);
}
