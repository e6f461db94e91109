// Lines of panels that have no room for axes, as SVG paths. The rule of what is
// kept and what is joined also stands in views/sparkline.go; both are held to
// views/testdata/strokes.json.

import type { Line, View } from "./lines";

const BOX = 1000;

export interface Frame {
  from: number;
  to: number;
  lo: number;
  hi: number;
  joinable: number; // readings further apart than this many ms are not joined; 0 joins all
}

export type Spot = [x: number, y: number];

/** strokes turns one column into the unbroken runs of its line, at most four spots for each unit of width. missing says whether readings are missing between two times. */
export function strokes(f: Frame, times: ArrayLike<number>, values: ArrayLike<number>, missing: (before: number, after: number) => boolean = () => false): Spot[][] {
  const runs: Spot[][] = [];
  let run: Spot[] = [];
  let bucket: Spot[] = [];
  let last = Number.NEGATIVE_INFINITY;
  const flush = () => {
    run.push(...extremes(bucket));
    bucket = [];
  };
  for (let i = 0; i < times.length; i++) {
    const t = times[i]!;
    const v = values[i]!;
    if (t < f.from || t > f.to || Number.isNaN(v)) continue;
    const x = Math.floor(((t - f.from) / (f.to - f.from)) * BOX + 0.5);
    const y = Math.floor(BOX - ((v - f.lo) / (f.hi - f.lo)) * BOX + 0.5);
    const broken = last !== Number.NEGATIVE_INFINITY && ((f.joinable > 0 && t - last > f.joinable) || missing(last, t));
    if (bucket.length > 0 && (broken || bucket[0]![0] !== x)) flush();
    if (broken) {
      runs.push(run);
      run = [];
    }
    bucket.push([x, y]);
    last = t;
  }
  if (bucket.length > 0) {
    flush();
    runs.push(run);
  }
  return runs;
}

function extremes(spots: Spot[]): Spot[] {
  if (spots.length < 3) return spots;
  let low = 0;
  let high = 0;
  spots.forEach((s, i) => {
    if (s[1] < spots[low]![1]) low = i;
    if (s[1] > spots[high]![1]) high = i;
  });
  const kept: Spot[] = [spots[0]!];
  for (const i of [Math.min(low, high), Math.max(low, high), spots.length - 1]) {
    const s = spots[i]!;
    const before = kept[kept.length - 1]!;
    if (s[0] !== before[0] || s[1] !== before[1]) kept.push(s);
  }
  return kept;
}

/** linePath draws the runs; a run of one spot becomes a dot by the round cap of its stroke. */
export function linePath(runs: Spot[][]): string {
  return runs.map((run) => run.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x} ${y}`).join("") + (run.length === 1 ? "h0" : "")).join("");
}

/** areaPath fills the runs down to the bottom. */
export function areaPath(runs: Spot[][]): string {
  return runs
    .filter((run) => run.length > 1)
    .map((run) => `M${run[0]![0]} ${BOX}${run.map(([x, y]) => `L${x} ${y}`).join("")}L${run[run.length - 1]![0]} ${BOX}Z`)
    .join("");
}

/** tipPath is the dot at the last reading. */
export function tipPath(runs: Spot[][]): string {
  const tip = runs.at(-1)?.at(-1);
  return tip ? `M${tip[0]} ${tip[1]}h0` : "";
}

/** sparkRange covers lo to hi with air, at least a five-hundredth of the values, so that rounding does not look like change. */
export function sparkRange(lo: number, hi: number): { lo: number; hi: number } {
  const middle = (lo + hi) / 2;
  const half = Math.max((hi - lo) * 0.58, Math.abs(middle) * 0.001) || 1;
  return { lo: middle - half, hi: middle + half };
}

/** Spark keeps the three paths of a sparkline that the server rendered. */
export class Spark {
  private readonly area: SVGPathElement | null;
  private readonly line: SVGPathElement | null;
  private readonly tip: SVGPathElement | null;

  constructor(svg: Element) {
    [this.area = null, this.line = null, this.tip = null] = svg.querySelectorAll("path");
  }

  /** draw shows one line over the time of a view. */
  draw(line: Line, view: View): void {
    if (line.count === 0) return;
    const { series } = line;
    const first = Math.max(series.indexFrom(view.from) - 1, series.first);
    const times = series.times.subarray(first, series.beyond);
    const values = series.numbers(line.columnHere).subarray(first, series.beyond);
    const runs = strokes({ from: view.from, to: view.to, joinable: line.far, ...sparkRange(line.lo, line.hi) }, times, values, (before, after) => series.broken(before, after));
    this.area?.setAttribute("d", areaPath(runs));
    this.line?.setAttribute("d", linePath(runs));
    this.tip?.setAttribute("d", tipPath(runs));
  }
}
