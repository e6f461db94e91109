// A feed is one topic on this page: what it sent, how it is, and who looks at it.

import { type Freshness, Hearing, joinable, judge } from "./freshness";
import type { Message, Row } from "./frame";
import { storedAt } from "./latency";
import type { Drawn } from "./schedule";
import { Series } from "./series";
import { decimal } from "./value";

/** Known is what the server left of a topic in data-feeds. */
export interface Known {
  topic: string;
  columns: string[];
  units: string[];
  kinds: string[];
  interval: number;
  after: string;
  rows: Row[];
}

/** Place is what a feed needs to know of the page. */
export interface Place {
  now(): number;
  link(): "live" | "again" | "stopped";
  /** clock prints a time of day in the viewer's zone. */
  clock(ms: number): string;
}

const MARGIN = 60_000; // ms beyond what is shown that are kept for readings that come late
const PENDING = 32; // messages that wait to be drawn and are still timed
const WHY: Record<string, string> = { trimmed: "trimmed", slow: "too slow", outage: "outage" };

export class Feed {
  readonly series = new Series();
  /** What shows this feed. */
  readonly watchers = new Set<Drawn>();
  /** Usual ms between readings; 0 when it sends on change. */
  interval = 0;
  /** The readings of a stretch that was zoomed to, finer than what is held; null while there are none. */
  past: Series | null = null;
  /** Why this topic is not shown; empty when it is. */
  problem = "";
  problemCode = "";
  /** How many readings each one stands for that came last; 1 when all come. */
  thinned = 1;
  private readonly hearing = new Hearing();
  private storeAway = 0; // since when the store does not answer, in ms; 0 while it does
  private restarted = false;
  private readonly pending = new Float64Array(PENDING);
  private waiting = 0;

  constructor(
    readonly topic: string,
    private readonly place: Place,
  ) {}

  /** start takes what the page was made with. */
  start(known: Known): void {
    this.interval = known.interval;
    this.series.describe(known.columns, known.units, known.kinds);
    for (const row of known.rows) this.series.add(row);
    const { series } = this;
    // The page does not say of how many readings its rows were kept; how far apart they lie does.
    const covered = series.length > 2 && known.interval > 0 ? (series.lastTime - series.times[series.first]!) / known.interval / (series.length - 1) : 1;
    if (covered > 1.3) series.thinnedTo(covered);
    this.hearing.known(this.series.lastTime, this.place.now());
  }

  /** message takes a frame about this topic. first says that it answers this page's subscription. */
  message(m: Message, first: boolean): void {
    const now = this.place.now();
    switch (m.type) {
      case "snapshot":
        if (m.interval > 0) this.interval = m.interval;
        // After a reset what was drawn stays where it was and nothing joins it.
        if (this.series.length > 0 && !this.restarted) this.series.clear();
        this.series.describe(m.columns, m.units);
        this.take(this.restarted ? m.rows.filter((row) => !(row[0] <= this.series.lastTime)) : m.rows, m.of, false);
        this.hearing.known(this.series.lastTime, now);
        this.restarted = false;
        break;
      case "readings":
        if (m.columns) this.series.describe(m.columns, m.units ?? []);
        if (m.interval !== undefined) this.interval = m.interval;
        this.take(m.rows, m.of, true);
        if (first) this.hearing.known(this.series.lastTime, now);
        else if (m.rows.length > 0) {
          this.hearing.live(this.series.lastTime, now);
          if (this.waiting < PENDING) this.pending[this.waiting++] = storedAt(m.id);
        }
        break;
      case "gap":
        this.series.mark(`${m.lost === null ? "lost" : `${decimal(m.lost, 0)} lost`}, ${WHY[m.why] ?? m.why}`, now);
        break;
      case "reset":
        this.series.mark(`store replaced ${this.place.clock(now)}`, now);
        this.restarted = true;
        break;
      case "stale":
        this.storeAway = m.since || now;
        return;
      case "error":
        this.problem = m.message;
        this.problemCode = m.code;
        return;
      default:
        return;
    }
    this.problem = this.problemCode = "";
    this.storeAway = 0;
    if (this.interval <= 0 && !this.series.kinds.includes("state")) this.interval = this.series.interval();
  }

  /** trim forgets what is older than the page shows. */
  trim(from: number): void {
    this.series.trim(from - MARGIN);
  }

  /** judge says how alive this topic is for this screen. */
  judge(now: number): Freshness {
    return judge({ silence: this.hearing.silence(now), interval: this.interval, link: this.place.link(), storeAway: this.away() });
  }

  /** alone is how alive the topic is itself, whatever this screen's connection does. */
  alone(now: number): Freshness {
    return judge({ silence: this.hearing.silence(now), interval: this.interval, link: "live", storeAway: this.away() });
  }

  private away(): string {
    return this.storeAway > 0 ? this.place.clock(this.storeAway).slice(0, 5) : "";
  }

  /** silence is how long ago it was heard, in ms; NaN when it never was. */
  silence(now: number): number {
    return this.hearing.silence(now);
  }

  /** due says whether this topic should have sent by now, so that silence may mean a dead connection. */
  due(now: number): boolean {
    return this.interval > 0 && this.hearing.silence(now) > joinable(this.interval);
  }

  /** drawn is told once what came is on the screen: each message's time in the store goes to timed. */
  drawn(timed: (storedAt: number) => void): void {
    for (let i = 0; i < this.waiting; i++) timed(this.pending[i]!);
    this.waiting = 0;
  }

  /** undrawn forgets what waits to be timed, when nobody looked. */
  undrawn(): void {
    this.waiting = 0;
  }

  private take(rows: Row[], of: number, live: boolean): void {
    const { series } = this;
    for (const row of rows) series.add(row);
    if (rows.length === 0) return;
    series.kept = { rows: rows.length, of: Math.max(of, rows.length) };
    const ratio = series.kept.of / rows.length;
    // What a snapshot leaves out is finer than a pixel; what is left out of the flow may be seen.
    this.thinned = live ? ratio : 1;
    if (!live) series.thinnedTo(ratio);
    if (live && ratio > 1) series.thinned(rows[0]![0], rows[rows.length - 1]![0], ratio);
  }
}

/** Feeds are the topics of the page, by their canonical spelling. */
export class Feeds {
  private readonly byTopic = new Map<string, Feed>();
  private readonly listeners = new Set<(feed: Feed) => void>();

  constructor(private readonly place: Place) {}

  get(topic: string): Feed | undefined {
    return this.byTopic.get(topic);
  }

  all(): IterableIterator<Feed> {
    return this.byTopic.values();
  }

  get size(): number {
    return this.byTopic.size;
  }

  /** start takes what the page, or another one like it, was made with. What is known already stays. */
  start(known: Known): Feed {
    let feed = this.byTopic.get(known.topic);
    if (!feed) {
      feed = new Feed(known.topic, this.place);
      this.byTopic.set(known.topic, feed);
      feed.start(known);
    }
    return feed;
  }

  /** message takes a frame about a topic and returns its feed; null when it says nothing about one. */
  message(m: Message, first: boolean): Feed | null {
    if (!("topic" in m) || m.topic === undefined) return null;
    let feed = this.byTopic.get(m.topic);
    const isNew = !feed;
    if (!feed) {
      if (m.type !== "snapshot" && m.type !== "readings" && m.type !== "error") return null;
      feed = new Feed(m.topic, this.place);
      this.byTopic.set(m.topic, feed);
    }
    feed.message(m, first);
    if (isNew && m.type !== "error") for (const heard of [...this.listeners]) heard(feed);
    return feed;
  }

  /** onNew hears of topics of which the page had nothing; what it returns ends that. */
  onNew(heard: (feed: Feed) => void): () => void {
    this.listeners.add(heard);
    return () => this.listeners.delete(heard);
  }

  /** drop forgets a topic that nothing shows any more. */
  drop(topic: string): void {
    this.byTopic.delete(topic);
  }
}
