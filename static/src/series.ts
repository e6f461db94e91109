// The readings of one topic that this page holds, in order of their own time,
// column by column in typed arrays, so that a chart reads them without copying.

import type { Row, Value } from "./frame";
import { type Scale, scaleOver } from "./value";

const FIRST = 256;
const MOST = 32_768; // rows; the oldest go first
const MOST_MARKS = 200;
const MOST_THIN = 200;

/** Mark is a time without readings and why: nothing is ever joined across it. */
export interface Mark {
  from: number;
  to: number; // Infinity until the next reading
  text: string;
}

/** Thin is a time in which not every reading came to this screen: one of so many. */
export interface Thin {
  from: number;
  to: number;
  of: number;
}

export interface Extent {
  lo: number;
  hi: number;
  sum: number;
  count: number;
  whole: boolean;
}

export class Series {
  readonly columns: string[] = [];
  readonly units: string[] = [];
  readonly kinds: string[] = [];
  readonly marks: Mark[] = [];
  readonly thin: Thin[] = [];
  /** How many readings the rows of the last message stood for, against how many it had. */
  kept = { rows: 1, of: 1 };
  /** How many readings each one stands for that history was thinned to; 1 when none was left out. */
  coarse = 1;
  private coarseUntil = Number.NEGATIVE_INFINITY;
  /** Rises with every change of the columns, their units or kinds. */
  shape = 0;
  /** Rises with every change of what was there already: a late reading, a mark, a beginning anew. */
  edits = 0;

  private time = new Float64Array(FIRST);
  private readonly columnNumbers: Float64Array[] = []; // NaN where a reading has no number
  private readonly columnWords: ((Value | undefined)[] | null)[] = []; // only of columns that have texts or bools
  private readonly lastValues: Value[] = [];
  private order: number[] = []; // from the columns of the messages to ours
  private start = 0;
  private end = 0;

  get length(): number {
    return this.end - this.start;
  }

  /** The index of the oldest reading. */
  get first(): number {
    return this.start;
  }

  /** The index after the newest reading. */
  get beyond(): number {
    return this.end;
  }

  /** The times of all readings; only those from first to beyond mean something. */
  get times(): Float64Array {
    return this.time;
  }

  /** numbers returns a column; NaN where a reading has no number. Only first to beyond mean something. */
  numbers(column: number): Float64Array {
    return this.columnNumbers[column]!;
  }

  /** hasWords says whether a column holds texts or bools. */
  hasWords(column: number): boolean {
    return this.columnWords[column] !== null && this.columnWords[column] !== undefined;
  }

  /** firstFrom is the time of the first reading at or after a time, Infinity without one. */
  firstFrom(t: number): number {
    const i = this.indexFrom(t);
    return i < this.beyond ? this.time[i]! : Number.POSITIVE_INFINITY;
  }

  /** indexFrom returns the index of the first reading at or after a time. */
  indexFrom(t: number): number {
    let first = this.start;
    let beyond = this.end;
    while (first < beyond) {
      const middle = (first + beyond) >> 1;
      if (this.time[middle]! < t) first = middle + 1;
      else beyond = middle;
    }
    return first;
  }

  get lastTime(): number {
    return this.length > 0 ? this.time[this.end - 1]! : Number.NaN;
  }

  /** describe takes the columns of a message. They may come in another order than before; ours stay. */
  describe(columns: readonly string[], units: readonly string[], kinds: readonly string[] = []): void {
    this.order = columns.map((name, i) => {
      let at = this.columns.indexOf(name);
      if (at < 0) {
        this.shape++;
        at = this.columns.push(name) - 1;
        this.units.push("");
        this.kinds.push("");
        this.columnNumbers.push(new Float64Array(this.time.length).fill(Number.NaN));
        this.columnWords.push(null);
        this.lastValues.push(null);
      }
      const unit = units[i] ?? this.units[at]!;
      const kind = kinds[i] ?? this.kinds[at]!;
      if (unit !== this.units[at] || kind !== this.kinds[at]) this.shape++;
      this.units[at] = unit;
      this.kinds[at] = kind;
      return at;
    });
  }

  /** add takes one reading; a late one is put where it belongs. */
  add(row: Row): void {
    const t = row[0];
    if (this.end === this.time.length) this.makeRoom();
    let at = this.end;
    while (at > this.start && this.time[at - 1]! > t) at--;
    const late = at < this.end;
    if (late) {
      this.edits++;
      this.shift(at);
    }
    this.time[at] = t;
    for (let c = 0; c < this.columns.length; c++) {
      this.columnNumbers[c]![at] = Number.NaN;
      const words = this.columnWords[c];
      if (words) words[at] = undefined;
    }
    this.end++;
    for (let i = 0; i < this.order.length; i++) {
      const v = row[i + 1];
      if (v !== undefined && v !== null) this.put(this.order[i]!, at, v, late);
    }
    for (const m of this.marks) if (m.to === Number.POSITIVE_INFINITY && t > m.from) m.to = t;
  }

  /** mark says that readings are missing after the last one. */
  mark(text: string, now: number): void {
    const from = this.length > 0 ? this.lastTime : now;
    this.edits++;
    this.marks.push({ from, to: Number.POSITIVE_INFINITY, text });
  }

  /** thinned says that the readings between two times are those that were kept of so many. */
  thinned(from: number, to: number, of: number): void {
    this.edits++;
    const last = this.thin.at(-1);
    if (last && from - last.to < 5000 && Math.abs(last.of - of) / of < 0.5) last.to = Math.max(last.to, to);
    else this.thin.push({ from: last && from - last.to < 2000 ? last.to : from, to, of });
    if (this.thin.length > MOST_THIN) this.thin.shift();
  }

  /** thinnedTo says that what is held so far was kept of so many times as many readings: they lie further apart than they came. */
  thinnedTo(of: number): void {
    this.edits++;
    this.coarse = Math.max(of, 1);
    this.coarseUntil = this.lastTime;
  }

  /** trim forgets readings and marks before a time, but never the last reading. */
  trim(before: number): void {
    while (this.end - this.start > 1 && this.time[this.start]! < before) this.start++;
    while (this.marks.length > 0 && (this.marks[0]!.to < before || this.marks.length > MOST_MARKS)) this.marks.shift();
    while (this.thin.length > 0 && this.thin[0]!.to < before) this.thin.shift();
    if (before > this.coarseUntil) this.coarse = 1;
  }

  /** clear forgets all readings and marks; the columns stay. */
  clear(): void {
    this.edits++;
    this.start = this.end = 0;
    this.marks.length = 0;
    this.thin.length = 0;
    this.coarse = 1;
    this.columnWords.fill(null);
    this.lastValues.fill(null);
  }

  /** last returns the newest value of a column, however old. */
  last(column: number): Value {
    return this.lastValues[column] ?? null;
  }

  /** isState says whether a column is read rather than drawn: it has texts or bools, or was described as a state. */
  isState(column: number): boolean {
    return this.kinds[column] === "state" || typeof this.last(column) === "string" || typeof this.last(column) === "boolean";
  }

  /** extent covers the numbers of some columns since a time; null when there are none. */
  extent(columns: readonly number[], from: number): Extent | null {
    const e: Extent = { lo: Number.POSITIVE_INFINITY, hi: Number.NEGATIVE_INFINITY, sum: 0, count: 0, whole: true };
    for (let i = this.end - 1; i >= this.start && this.time[i]! >= from; i--) {
      for (const c of columns) {
        const v = this.columnNumbers[c]?.[i];
        if (v === undefined || Number.isNaN(v)) continue;
        if (v < e.lo) e.lo = v;
        if (v > e.hi) e.hi = v;
        e.sum += v;
        e.count++;
        e.whole = e.whole && Number.isInteger(v);
      }
    }
    return e.count > 0 ? e : null;
  }

  /** scale prints the figures of a column; all columns of one unit share it, so that their figures line up. */
  scale(column: number, from: number): Scale {
    const unit = this.units[column] ?? "";
    let lo = Number.POSITIVE_INFINITY;
    let hi = Number.NEGATIVE_INFINITY;
    let whole = true;
    this.units.forEach((other, c) => {
      if (other !== unit || this.isState(c)) return;
      const seen = this.extent([c], from);
      const last = this.last(c);
      const only = typeof last === "number" ? last : 0;
      lo = Math.min(lo, seen ? seen.lo : only);
      hi = Math.max(hi, seen ? seen.hi : only);
      whole &&= seen ? seen.whole : Number.isInteger(only);
    });
    return lo <= hi ? scaleOver(unit, lo, hi, whole) : scaleOver(unit, 0, 0, true);
  }

  /** nearest returns the index of the reading nearest to a time, -1 when it is further than within ms. */
  nearest(t: number, within: number): number {
    let best = -1;
    for (let i = this.end - 1; i >= this.start; i--) {
      if (best < 0 || Math.abs(this.time[i]! - t) < Math.abs(this.time[best]! - t)) best = i;
      if (this.time[i]! < t) break;
    }
    return best >= 0 && Math.abs(this.time[best]! - t) <= within ? best : -1;
  }

  /** row returns the reading at an index of nearest or newest. */
  row(i: number): { time: number; values: Value[] } {
    return { time: this.time[i]!, values: this.columns.map((_, c) => this.value(c, i)) };
  }

  /** newest returns the indexes of the last n readings, newest first. */
  newest(n: number): number[] {
    const found: number[] = [];
    for (let i = this.end - 1; i >= this.start && found.length < n; i--) found.push(i);
    return found;
  }

  /** value returns one value, null when the reading has none. */
  value(column: number, i: number): Value {
    const word = this.columnWords[column]?.[i];
    if (word !== undefined) return word;
    const n = this.columnNumbers[column]![i]!;
    return Number.isNaN(n) ? null : n;
  }

  /** broken says whether a mark lies between two times. */
  broken(before: number, after: number): boolean {
    for (const m of this.marks) if (m.from >= before && m.from < after) return true;
    return false;
  }

  /** interval is the median time between the last readings; 0 when there are too few or they are too irregular. */
  interval(): number {
    const gaps: number[] = [];
    for (let i = this.end - 1; i > this.start && gaps.length < 20; i--) gaps.push(this.time[i]! - this.time[i - 1]!);
    if (gaps.length < 4) return 0;
    gaps.sort((a, b) => a - b);
    const median = gaps[gaps.length >> 1]!;
    const high = gaps[Math.floor(gaps.length * 0.9)]!;
    return high > Math.max(4 * median, median + 1000) ? 0 : median;
  }

  /** rate counts readings per second over the last minute, or since the first one when it is younger. */
  rate(now: number): number {
    const count = this.end - this.indexFrom(now - 60_000);
    if (count < 2) return 0;
    const covered = Math.min(60_000, Math.max(now - this.time[this.start]!, 1000));
    return (count / covered) * 1000 * (this.kept.of / this.kept.rows);
  }

  private put(column: number, at: number, v: Value, late: boolean): void {
    if (typeof v === "number") {
      this.columnNumbers[column]![at] = v;
      const words = this.columnWords[column];
      if (words) words[at] = undefined;
    } else {
      let words = this.columnWords[column];
      if (!words) {
        words = [];
        this.columnWords[column] = words;
        this.shape++;
      }
      words[at] = v;
    }
    if (!late || this.lastValues[column] === null) this.lastValues[column] = v;
  }

  private shift(at: number): void {
    this.time.copyWithin(at + 1, at, this.end);
    for (const n of this.columnNumbers) n.copyWithin(at + 1, at, this.end);
    for (const w of this.columnWords) w?.splice(at, 0, undefined);
  }

  /** makeRoom moves the rows to the front, into larger arrays when they fill more than half. */
  private makeRoom(): void {
    if (this.length >= MOST) this.start = this.end - MOST / 2;
    const { start, end } = this;
    const size = this.length > this.time.length / 2 ? this.time.length * 2 : this.time.length;
    const moved = (from: Float64Array) => {
      const to = new Float64Array(size).fill(Number.NaN);
      to.set(from.subarray(start, end));
      return to;
    };
    this.time = moved(this.time);
    this.columnNumbers.forEach((n, c) => {
      this.columnNumbers[c] = moved(n);
    });
    this.columnWords.forEach((w, c) => {
      if (w) this.columnWords[c] = w.slice(start, end);
    });
    this.start = 0;
    this.end = end - start;
  }
}
