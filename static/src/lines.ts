// Which values of which topics a panel shows, in which order and colour. The
// rules of order, names and limit also stand in views/pick.go and views/names.go.

import type { Config } from "./config";
import type { Feed } from "./feed";
import type { Value } from "./frame";
import { joinable } from "./freshness";
import { lineNames } from "./names";
import { isSelector, Selector } from "./selector";
import type { Series } from "./series";
import { type Level, type Threshold, worst } from "./thresholds";
import { figure, type Scale, scaleOver } from "./value";

const RANK_EVERY = 5000; // ms between two choices of the largest lines: a rank that flickers says nothing
const THINNED_APART = 6; // times the average distance
const LOOK_BACK = 1000; // readings in which the last value of a column is looked for

/** View is the time that a panel shows now. */
export interface View {
  now: number;
  from: number;
  to: number;
  /** Whether the right edge is now, and moves. */
  live: boolean;
}

/** Line is one value of one topic in a panel. */
export class Line {
  name = "";
  /** Chooses the colour and stays for the life of the line in its panel. */
  order = 0;
  unit = "";
  series: Series;
  last: Value = null;
  lastTime = Number.NaN;
  // What its numbers say of the shown time; count 0 when there are none.
  lo = Number.POSITIVE_INFINITY;
  hi = Number.NEGATIVE_INFINITY;
  sum = 0;
  count = 0;
  whole = true;
  first = Number.NaN;
  firstTime = Number.NaN;
  until = Number.NaN;
  reached: Threshold | null = null;
  scale: Scale = { divisor: 1, unit: "", decimals: 0 };

  constructor(
    readonly feed: Feed,
    readonly column: number,
    readonly columnName: string,
  ) {
    this.series = feed.series;
  }

  /** state says whether this is read rather than drawn. */
  get state(): boolean {
    return this.feed.series.isState(this.column);
  }

  /** number is the last value, NaN when there is none or it is a word. */
  get number(): number {
    return typeof this.last === "number" && !this.state ? this.last : Number.NaN;
  }

  get level(): Level {
    return this.reached?.level ?? "";
  }

  /** far is the time from which on two readings are not joined, 0 for never. */
  get far(): number {
    const { interval } = this.feed;
    const { coarse } = this.series;
    // Of each stretch that was thinned the lowest, the highest and the last stay, which may lie anywhere in it.
    return interval > 0 && coarse > 1.05 ? Math.max(joinable(interval), THINNED_APART * coarse * interval) : joinable(interval);
  }

  /** text is the last value without its unit. */
  text(v: Value = this.last): string {
    if (typeof v === "number" && !this.state) return figure(this.scale, v);
    return v === null ? figure(this.scale, Number.NaN) : String(v);
  }

  /** measure looks at what the view shows of this line. */
  measure(view: View, thresholds: readonly Threshold[]): void {
    const own = this.feed.series;
    this.series = view.live || !this.feed.past?.columns.includes(this.columnName) ? own : this.feed.past;
    const { series } = this;
    const column = series === own ? this.column : series.columns.indexOf(this.columnName);
    const { times } = series;
    const numbers = series.numbers(column);
    this.lo = Number.POSITIVE_INFINITY;
    this.hi = Number.NEGATIVE_INFINITY;
    this.sum = this.count = 0;
    this.whole = true;
    this.first = this.firstTime = this.until = Number.NaN;
    const beyond = view.live ? series.beyond : series.indexFrom(view.to + 1);
    for (let i = series.indexFrom(view.from); i < beyond; i++) {
      const v = numbers[i]!;
      if (v !== v) continue;
      if (this.count === 0) {
        this.first = v;
        this.firstTime = times[i]!;
      }
      if (v < this.lo) this.lo = v;
      if (v > this.hi) this.hi = v;
      this.sum += v;
      this.count++;
      this.until = times[i]!;
      if (this.whole && v !== Math.trunc(v)) this.whole = false;
    }
    this.last = view.live ? own.last(this.column) : null;
    this.lastTime = Number.NaN;
    for (let i = beyond - 1; i >= Math.max(series.first, beyond - LOOK_BACK); i--) {
      const v = series.value(column, i);
      if (v === null) continue;
      if (!view.live) this.last = v;
      this.lastTime = times[i]!;
      break;
    }
    this.reached = this.number === this.number ? worst(thresholds, this.number) : null;
  }

  /** columnHere is the column in the series that is shown. */
  get columnHere(): number {
    return this.series === this.feed.series ? this.column : this.series.columns.indexOf(this.columnName);
  }

  /** at returns the value at a time: that of the nearest reading, if one is near enough. */
  at(t: number): Value {
    const i = this.series.nearest(t, this.far || Number.POSITIVE_INFINITY);
    return i < 0 ? null : this.series.value(this.columnHere, i);
  }
}

/** Lines are all that one panel shows. */
export class Lines {
  /** Values that are numbers, at most as many as the panel's limit, and how many more there are. */
  numbers: Line[] = [];
  /** Values that are texts or bools, or were described as states. */
  words: Line[] = [];
  more = 0;
  /** Feeds whose topic the panel's config picks, in order. */
  feeds: Feed[] = [];
  /** topics are the texts of the config. */
  get topics(): readonly string[] {
    return this.config.topics;
  }

  get kind(): Config["kind"] {
    return this.config.kind;
  }

  private readonly selectors: { selector: Selector; wide: boolean }[];
  private readonly known = new Map<string, Line>();
  private readonly taken: (string | undefined)[] = [];
  private all: Line[] = [];
  private shape = -1;
  private ranked = Number.NEGATIVE_INFINITY;

  constructor(private readonly config: Config) {
    this.selectors = config.topics.map((text) => ({ selector: new Selector(text), wide: isSelector(text) }));
  }

  /** wants says whether the panel shows a topic. */
  wants(topic: string): boolean {
    return this.selectors.some(({ selector }) => selector.match(topic));
  }

  /** join takes a feed in, if the config picks it, and says whether it did. */
  join(feed: Feed): boolean {
    if (this.feeds.includes(feed) || !this.wants(feed.topic)) return false;
    this.feeds.push(feed);
    const place = (f: Feed) => this.selectors.findIndex(({ selector }) => selector.match(f.topic));
    const places = new Map(this.feeds.map((f) => [f, place(f)]));
    this.feeds.sort((a, b) => places.get(a)! - places.get(b)! || (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0));
    this.shape = -1;
    return true;
  }

  /** leave forgets a feed. */
  leave(feed: Feed): void {
    this.feeds = this.feeds.filter((f) => f !== feed);
    this.shape = -1;
  }

  /** update brings all lines up to what the view shows. */
  update(view: View): void {
    let shape = this.feeds.length;
    for (const f of this.feeds) shape += f.series.shape * 1009;
    const rebuilt = shape !== this.shape;
    if (rebuilt) {
      this.shape = shape;
      this.build();
    }
    const { thresholds } = this.config;
    for (const line of this.all) line.measure(view, thresholds);
    if (rebuilt || (this.more > 0 && view.now - this.ranked > RANK_EVERY)) {
      this.ranked = view.now;
      this.choose();
    }
    this.rescale();
  }

  private build(): void {
    this.all = [];
    for (const feed of this.feeds) {
      const { columns } = feed.series;
      const wanted = this.config.columns.length > 0 ? this.config.columns : columns;
      for (const name of wanted) {
        const column = columns.indexOf(name);
        if (column < 0) continue;
        const key = `${feed.topic}\u0000${name}`;
        let line = this.known.get(key);
        if (!line || line.feed !== feed || line.column !== column) {
          line = new Line(feed, column, name);
          this.known.set(key, line);
        }
        line.unit = line.state ? "" : this.config.unit || feed.series.units[column] || "";
        this.all.push(line);
      }
    }
    for (const [key, line] of this.known) if (!this.all.includes(line)) this.known.delete(key);
  }

  /** choose takes the largest lines, names them and gives each a colour of its own that it keeps. */
  private choose(): void {
    const { limit, kind } = this.config;
    this.words = this.all.filter((l) => l.state);
    let numbers = this.all.filter((l) => !l.state);
    this.more = 0;
    if (kind !== "table" && kind !== "bars" && numbers.length > limit) {
      this.more = numbers.length - limit;
      const kept = new Set([...numbers].sort(byValue).slice(0, limit));
      numbers = numbers.filter((l) => kept.has(l));
    }
    this.numbers = numbers;
    const shown = new Set(numbers.map(keyOf));
    this.taken.forEach((key, i) => {
      if (key !== undefined && !shown.has(key)) this.taken[i] = undefined;
    });
    for (const line of numbers) {
      const key = keyOf(line);
      let at = this.taken.indexOf(key);
      if (at < 0) {
        at = this.taken.findIndex((k) => k === undefined);
        if (at < 0) at = this.taken.length;
        this.taken[at] = key;
      }
      line.order = at;
    }
    for (const list of [this.numbers, this.words]) {
      const names = lineNames(
        list.map((l) => [l.feed.topic, l.columnName] as const),
        this.config.names,
        this.config.kind === "bars" || this.config.kind === "timeline",
      );
      list.forEach((l, i) => {
        l.name = names[i]!;
      });
    }
  }

  /** rescale gives all lines of one unit the same scale, so that their figures line up. */
  private rescale(): void {
    const done = this.numbers;
    for (let i = 0; i < done.length; i++) {
      const { unit } = done[i]!;
      let lo = Number.POSITIVE_INFINITY;
      let hi = Number.NEGATIVE_INFINITY;
      let whole = true;
      let before = -1;
      for (let j = 0; j < done.length; j++) {
        const l = done[j]!;
        if (l.unit !== unit) continue;
        if (j < i) {
          before = j;
          break;
        }
        const last = l.number === l.number ? l.number : 0;
        lo = Math.min(lo, l.count > 0 ? l.lo : last);
        hi = Math.max(hi, l.count > 0 ? l.hi : last);
        whole &&= l.count > 0 ? l.whole : last === Math.trunc(last);
      }
      if (before >= 0) done[i]!.scale = done[before]!.scale;
      else done[i]!.scale = this.scaleOf(done[i]!, unit, lo, hi, whole);
    }
  }

  private scaleOf(line: Line, unit: string, lo: number, hi: number, whole: boolean): Scale {
    const fresh = scaleOver(unit, lo, hi, whole);
    if (this.config.decimals >= 0) fresh.decimals = this.config.decimals;
    const { scale } = line;
    return scale.divisor === fresh.divisor && scale.unit === fresh.unit && scale.decimals === fresh.decimals ? scale : fresh;
  }
}

function keyOf(l: Line): string {
  return `${l.feed.topic}\u0000${l.columnName}`;
}

/** byValue puts the largest value first and lines without one last. */
export function byValue(a: Line, b: Line): number {
  const [x, y] = [a.number, b.number];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
  return y - x || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}
