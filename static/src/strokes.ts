// Turns readings into the spots of a line, in place: no array is made for a
// picture. More readings than pixels become the lowest and the highest of each
// pixel, so that no peak is lost.

import type { Series } from "./series";

const RUN_UP = 3; // px left of what is drawn in which a line begins, so that it enters as it should

/** Box is where a picture stands and what it covers. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
  from: number; // ms
  to: number;
  lo: number;
  hi: number;
}

export class Strokes {
  /** Where spots are; in a dense picture the columns of pixels, each as wide as one. */
  xs = new Float64Array(2048);
  /** Their heights; in a dense picture the highest place of each column. */
  ys = new Float64Array(2048);
  /** In a dense picture the lowest place of each column. */
  lows = new Float64Array(2048);
  /** More readings than pixels: spots are columns that reach from ys to lows. */
  dense = false;
  /** How many spots there are. */
  length = 0;
  /** The index of the first spot of each unbroken run. */
  runs = new Int32Array(256);
  count = 0;
  /** The last spot that was put, NaN when there is none. */
  tipX = Number.NaN;
  tipY = Number.NaN;

  clear(): void {
    this.length = this.count = 0;
    this.tipX = this.tipY = Number.NaN;
    this.dense = false;
  }

  /** endOf is the index after the last spot of a run. */
  endOf(run: number): number {
    return run + 1 < this.count ? this.runs[run + 1]! : this.length;
  }

  /** take makes the spots of one column. Readings further apart than far ms, 0 for any, and over a mark are not joined. With since only what lies right of it, in device pixels, is certain to be whole. */
  take(series: Series, column: number, box: Box, far: number, since = 0): void {
    this.clear();
    const { times, marks } = series;
    const numbers = series.numbers(column);
    // One reading before the window, so that the line enters from the edge.
    let start = Math.max(series.indexFrom(box.from) - 1, series.first);
    const beyond = Math.min(series.indexFrom(box.to) + 1, series.beyond);
    const perMs = box.width / (box.to - box.from);
    const perUnit = box.height / (box.hi - box.lo);
    const bottom = box.top + box.height;
    this.dense = beyond - start > box.width;
    // A dense picture moves by whole pixels, so that a column keeps its readings and nothing shimmers.
    const from = this.dense ? Math.floor(box.from * perMs) / perMs : box.from;
    if (since > box.left) start = Math.max(series.indexFrom(from + (since - RUN_UP - box.left) / perMs) - 1, start);
    let mark = 0;
    let before = Number.NaN;
    let beforeX = 0;
    let beforeY = 0;
    for (let i = start; i < beyond; i++) {
      const v = numbers[i]!;
      if (v !== v) continue;
      const t = times[i]!;
      let broken = before !== before;
      if (!broken) {
        broken = far > 0 && t - before > far;
        while (mark < marks.length && marks[mark]!.from < before) mark++;
        if (mark < marks.length && marks[mark]!.from < t) broken = true;
      }
      const y = bottom - (v - box.lo) * perUnit;
      if (broken) this.begin();
      if (!this.dense) this.put(box.left + (t - from) * perMs, y, y);
      else {
        const x = box.left + Math.floor((t - from) * perMs + 1e-6);
        if (broken) this.put(x, y, y);
        else if (x === beforeX) this.widen(y);
        else {
          // Columns that no reading fell into lie on the way, and neighbours touch.
          for (let at = beforeX + 1; at < x; at++) {
            const on = beforeY + ((y - beforeY) * (at - beforeX)) / (x - beforeX);
            this.touch(at, on);
          }
          this.touch(x, y);
        }
        beforeX = x;
        beforeY = y;
      }
      this.tipX = box.left + (t - box.from) * perMs;
      this.tipY = y;
      before = t;
    }
  }

  /** begin starts a run at the next spot. */
  private begin(): void {
    if (this.count === this.runs.length) {
      const more = new Int32Array(this.runs.length * 2);
      more.set(this.runs);
      this.runs = more;
    }
    this.runs[this.count++] = this.length;
  }

  private put(x: number, high: number, low: number): void {
    if (this.length === this.xs.length) this.grow();
    this.xs[this.length] = x;
    this.ys[this.length] = high;
    this.lows[this.length++] = low;
  }

  /** widen lets the last column reach a place too. */
  private widen(y: number): void {
    const last = this.length - 1;
    if (y < this.ys[last]!) this.ys[last] = y;
    if (y > this.lows[last]!) this.lows[last] = y;
  }

  /** touch puts a column at a place, as long as it takes to touch the one before it. */
  private touch(x: number, y: number): void {
    const last = this.length - 1;
    this.put(x, Math.min(y, this.lows[last]!), Math.max(y, this.ys[last]!));
  }

  private grow(): void {
    for (const name of ["xs", "ys", "lows"] as const) {
      const more = new Float64Array(this[name].length * 2);
      more.set(this[name]);
      this[name] = more;
    }
  }
}

/**
 * columns draws a dense line: what a pixel holds is a rectangle, which is many
 * times cheaper than a path of its readings.
 */
export function columns(ctx: CanvasRenderingContext2D, s: Strokes, width: number): void {
  for (let i = 0; i < s.length; i++) ctx.fillRect(s.xs[i]!, s.ys[i]! - width / 2, 1, s.lows[i]! - s.ys[i]! + width);
}

/** trace draws the runs as lines. A run of one spot draws nothing: it is a dot. */
export function trace(ctx: CanvasRenderingContext2D, s: Strokes): void {
  const { xs, ys } = s;
  for (let run = 0; run < s.count; run++) {
    const end = s.endOf(run);
    let i = s.runs[run]!;
    if (end - i < 2) continue;
    ctx.moveTo(xs[i]!, ys[i]!);
    for (i++; i < end; i++) ctx.lineTo(xs[i]!, ys[i]!);
  }
}

/** area fills below the runs, a rectangle for each pixel: its upper edge lies under the line. */
export function area(ctx: CanvasRenderingContext2D, s: Strokes, left: number, right: number, bottom: number): void {
  const { xs, ys } = s;
  if (s.dense) {
    for (let i = 0; i < s.length; i++) if (xs[i]! >= left && xs[i]! < right) ctx.fillRect(xs[i]!, s.lows[i]!, 1, bottom - s.lows[i]!);
    return;
  }
  for (let run = 0; run < s.count; run++) {
    const end = s.endOf(run);
    let i = s.runs[run]!;
    if (end - i < 2) continue;
    const last = Math.min(Math.floor(xs[end - 1]!), right - 1);
    for (let x = Math.max(Math.ceil(xs[i]! - 0.5), left); x <= last; x++) {
      const middle = x + 0.5;
      while (i < end - 2 && xs[i + 1]! < middle) i++;
      const share = Math.min(Math.max((middle - xs[i]!) / (xs[i + 1]! - xs[i]! || 1), 0), 1);
      const y = ys[i]! + (ys[i + 1]! - ys[i]!) * share;
      ctx.fillRect(x, y, 1, bottom - y);
    }
  }
}
