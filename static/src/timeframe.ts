// Which time the page shows: the last span up to now, the same but frozen, or a
// stretch that somebody zoomed to. All panels follow it.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LEAST = 1000; // ms: nobody zooms further in
const MOST_ZOOMS = 32; // remembered ways back

export interface Span {
  ms: number;
  name: string;
}

/** SPANS are what the menu and the keys offer, and what a window that nobody chose grows through. */
export const SPANS: readonly Span[] = [
  { ms: MINUTE, name: "1 min" },
  { ms: 5 * MINUTE, name: "5 min" },
  { ms: 15 * MINUTE, name: "15 min" },
  { ms: 30 * MINUTE, name: "30 min" },
  { ms: HOUR, name: "1 h" },
  { ms: 3 * HOUR, name: "3 h" },
  { ms: 6 * HOUR, name: "6 h" },
  { ms: 12 * HOUR, name: "12 h" },
  { ms: DAY, name: "24 h" },
  { ms: 2 * DAY, name: "2 days" },
  { ms: 7 * DAY, name: "7 days" },
  { ms: 14 * DAY, name: "14 days" },
  { ms: 31 * DAY, name: "31 days" },
];

/** spanName prints a span in its largest whole unit. */
export function spanName(ms: number): string {
  const known = SPANS.find((s) => s.ms === ms);
  if (known) return known.name;
  if (ms % DAY === 0 && ms >= 2 * DAY) return `${ms / DAY} days`;
  if (ms % HOUR === 0) return `${ms / HOUR} h`;
  if (ms % MINUTE === 0) return `${ms / MINUTE} min`;
  return `${Math.round(ms / 1000)} s`;
}

/** durationText writes a span as Go does: 90s, 15m, 24h. */
export function durationText(ms: number): string {
  if (ms % HOUR === 0) return `${ms / HOUR}h`;
  if (ms % MINUTE === 0) return `${ms / MINUTE}m`;
  return `${Math.max(Math.round(ms / 1000), 1)}s`;
}

export type Mode = "live" | "paused" | "zoomed";

export class Timeframe {
  mode: Mode = "live";
  /** When the picture was frozen, ms of the server. */
  pausedAt = 0;
  /** How many readings came since. */
  waiting = 0;
  /** Whether somebody said how much time to show; it does not grow then. */
  chosen = false;
  private from = 0;
  private to = 0;
  private ways: { from: number; to: number }[] = [];
  private readonly listeners = new Set<() => void>();

  constructor(
    private current: number,
    readonly kept: number,
    private readonly now: () => number,
    /** What the live window grows to while nobody has chosen another, in ms. */
    public most = current,
  ) {}

  /** span is the length of the live window, in ms. */
  get span(): number {
    return this.current;
  }

  /** reach is how far back the live window may lead without a choice, in ms. */
  get reach(): number {
    return this.chosen ? this.current : Math.max(this.current, this.most);
  }

  /** window is what is shown, in ms of the server. */
  window(now: number): { from: number; to: number } {
    return { from: this.start(now), to: this.end(now) };
  }

  /** start is where the window begins. */
  start(now: number): number {
    return this.mode === "zoomed" ? this.from : this.end(now) - this.current;
  }

  /** end is where the window ends. */
  end(now: number): number {
    return this.mode === "zoomed" ? this.to : this.mode === "paused" ? this.pausedAt : now;
  }

  setSpan(ms: number): void {
    const span = Math.max(this.kept > 0 ? Math.min(ms, this.kept) : ms, LEAST);
    if (span === this.current && this.mode === "live" && this.chosen) return;
    this.chosen = true;
    this.current = span;
    this.becomeLive();
    this.changed();
  }

  /** grow takes the next span once readings since oldest fill this one, unless somebody chose it. */
  grow(oldest: number): void {
    if (this.chosen || this.mode !== "live" || this.current >= this.most) return;
    const filled = this.now() - oldest;
    if (!(filled > this.current)) return;
    this.current = Math.min(SPANS.find((s) => s.ms >= filled)?.ms ?? this.most, this.most);
    this.changed();
  }

  pause(): void {
    if (this.mode !== "live") return; // a stretch of the past stands still anyway
    this.pausedAt = this.now();
    this.mode = "paused";
    this.waiting = 0;
    this.changed();
  }

  live(): void {
    if (this.mode === "live") return;
    this.becomeLive();
    this.changed();
  }

  toggle(): void {
    if (this.mode === "live") this.pause();
    else this.live();
  }

  /** zoom shows a stretch; its ends may stand in either order. */
  zoom(a: number, b: number): void {
    if (this.mode === "zoomed") {
      this.ways.push({ from: this.from, to: this.to });
      if (this.ways.length > MOST_ZOOMS) this.ways.shift();
    }
    this.show(Math.min(a, b), Math.max(a, b));
  }

  /** back undoes one zoom; the first one leads back to live. */
  back(): void {
    const way = this.ways.pop();
    if (way) this.show(way.from, way.to);
    else this.live();
  }

  /** pan moves the window by ms; past now it is live. */
  pan(by: number): void {
    const { from, to } = this.window(this.now());
    this.show(from + by, to + by);
  }

  /** step moves by half a window, back or on; past now it is live. */
  step(by: -1 | 1): void {
    const { from, to } = this.window(this.now());
    const half = (to - from) / 2;
    if (this.mode === "zoomed" && to + by * half >= this.now()) this.live();
    else if (by < 0 || this.mode !== "live") this.show(from + by * half, to + by * half);
  }

  /** onChange hears of every change of mode, span or stretch; what it returns ends that. */
  onChange(heard: () => void): () => void {
    this.listeners.add(heard);
    return () => this.listeners.delete(heard);
  }

  private show(from: number, to: number): void {
    const now = this.now();
    let [a, b] = [from, to];
    if (b - a < LEAST) {
      const middle = (a + b) / 2;
      [a, b] = [middle - LEAST / 2, middle + LEAST / 2];
    }
    if (b > now) [a, b] = [a - (b - now), now];
    if (this.kept > 0 && a < now - this.kept) [a, b] = [now - this.kept, Math.min(b + (now - this.kept - a), now)];
    this.mode = "zoomed";
    this.waiting = 0;
    this.from = Math.round(a);
    this.to = Math.round(b);
    this.changed();
  }

  private becomeLive(): void {
    this.mode = "live";
    this.waiting = 0;
    this.ways.length = 0;
  }

  private changed(): void {
    for (const heard of this.listeners) heard();
  }
}
