// Areas on top of each other: the tops of all layers at the times of any of
// their readings. A topic that has no reading at a time of another one keeps its
// value as long as its line would be joined.

import type { Line } from "../lines";

export class Stack {
  /** The times, in ms; only the first length mean something. */
  times = new Float64Array(1024);
  /** The tops of each layer, beside times; NaN where the layer has no reading. */
  tops: Float64Array[] = [];
  length = 0;
  /** The layers from the bottom up: the one that is largest on the whole is below. */
  layers: Line[] = [];
  hi = Number.NEGATIVE_INFINITY;
  private ranked = "";
  private cursor = new Int32Array(16);

  /** take makes the layers of a window; at least apart ms lie between two times. */
  take(lines: readonly Line[], from: number, to: number, apart: number): void {
    this.rank(lines);
    const { layers } = this;
    const n = layers.length;
    if (this.cursor.length < n) this.cursor = new Int32Array(n * 2);
    while (this.tops.length < n) this.tops.push(new Float64Array(this.times.length));
    for (let l = 0; l < n; l++) this.cursor[l] = Math.max(layers[l]!.series.indexFrom(from) - 1, layers[l]!.series.first);
    this.length = 0;
    this.hi = Number.NEGATIVE_INFINITY;
    for (let last = Number.NEGATIVE_INFINITY; ; ) {
      let t = Number.POSITIVE_INFINITY;
      for (let l = 0; l < n; l++) {
        const { series } = layers[l]!;
        const i = this.cursor[l]!;
        if (i < series.beyond && series.times[i]! < t) t = series.times[i]!;
      }
      if (t === Number.POSITIVE_INFINITY || last > to) break;
      for (let l = 0; l < n; l++) {
        const { series } = layers[l]!;
        while (this.cursor[l]! < series.beyond && series.times[this.cursor[l]!]! <= t) this.cursor[l]!++;
      }
      if (t - last < apart && this.length > 0) this.length--; // the later one of a pixel stands for it
      else last = t;
      this.put(t);
    }
  }

  private put(t: number): void {
    if (this.length === this.times.length) this.grow();
    const at = this.length++;
    this.times[at] = t;
    let sum = 0;
    let any = false;
    for (let l = 0; l < this.layers.length; l++) {
      const v = valueBefore(this.layers[l]!, this.cursor[l]! - 1, t);
      const has = v === v;
      if (has) sum += v;
      any ||= has;
      this.tops[l]![at] = has ? sum : Number.NaN;
    }
    if (any && sum > this.hi) this.hi = sum;
  }

  /** base is where a layer stands: on the next one below it that has a reading. */
  base(layer: number, at: number): number {
    for (let l = layer - 1; l >= 0; l--) {
      const top = this.tops[l]![at]!;
      if (top === top) return top;
    }
    return 0;
  }

  /** rank puts the largest below, and keeps that order until lines come or go: layers that change places say nothing. */
  private rank(lines: readonly Line[]): void {
    const key = lines.map((l) => `${l.feed.topic} ${l.columnName}`).join("\n");
    if (key === this.ranked && this.layers.length === lines.length) return;
    if (lines.every((l) => l.count > 0)) this.ranked = key;
    const mean = (l: Line) => (l.count > 0 ? l.sum / l.count : 0);
    this.layers = [...lines].sort((a, b) => mean(b) - mean(a));
  }

  private grow(): void {
    const moved = (from: Float64Array) => {
      const to = new Float64Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.times = moved(this.times);
    this.tops = this.tops.map(moved);
  }
}

/** valueBefore is a line's value at a time: that of the reading at an index or, if it has none, of one shortly before. */
function valueBefore(line: Line, index: number, t: number): number {
  const { series, far } = line;
  const numbers = series.numbers(line.columnHere);
  const least = Math.max(series.first, index - 8);
  for (let i = index; i >= least; i--) {
    const v = numbers[i]!;
    if (v !== v) continue;
    return far > 0 && t - series.times[i]! > far ? Number.NaN : v;
  }
  return Number.NaN;
}
