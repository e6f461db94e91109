// The readings of a stretch that somebody zoomed to, finer than what the page
// holds. Where the server does not answer, what the page holds is shown, and said.

import type { Feed } from "./feed";
import type { Row } from "./frame";
import { Series } from "./series";

const POINTS = 1200;
const AT_ONCE = 4; // requests
const AFTER = 150; // ms that the stretch must stand still

interface Answer {
  columns?: unknown;
  units?: unknown;
  rows?: unknown;
  /** How many readings the rows stand for. */
  of?: unknown;
}

const texts = (v: unknown): string[] => (Array.isArray(v) ? v.filter((s) => typeof s === "string") : []);

export class Past {
  private abort: AbortController | null = null;
  private timer = 0;

  constructor(
    private readonly arrived: (feed: Feed) => void,
    private readonly failed: () => void,
  ) {}

  /** show fetches a stretch for these feeds, once it stands still. */
  show(feeds: readonly Feed[], from: number, to: number): void {
    this.stop();
    this.timer = window.setTimeout(() => void this.fetch([...feeds], from, to), AFTER);
  }

  /** stop forgets what is under way. */
  stop(): void {
    window.clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  private async fetch(waiting: Feed[], from: number, to: number): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    let failures = 0;
    const work = async () => {
      for (let feed = waiting.shift(); feed && !abort.signal.aborted; feed = waiting.shift()) {
        if (!(await this.one(feed, from, to, abort.signal)) && !abort.signal.aborted) failures++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (failures > 0 && !abort.signal.aborted) this.failed();
  }

  private async one(feed: Feed, from: number, to: number, signal: AbortSignal): Promise<boolean> {
    const query = new URLSearchParams({ topic: feed.topic, from: String(from), to: String(to), points: String(POINTS), rates: "1" });
    try {
      const answer = await fetch(`/api/v1/readings?${query}`, { signal, headers: { Accept: "application/json" } });
      if (!answer.ok) return false;
      const body = (await answer.json()) as Answer;
      const columns = texts(body.columns).slice(1);
      const rows = Array.isArray(body.rows) ? (body.rows as Row[]) : [];
      if (signal.aborted) return true;
      const series = new Series();
      series.describe(columns, texts(body.units).slice(1));
      for (const row of rows) if (Array.isArray(row) && typeof row[0] === "number") series.add(row);
      series.marks.push(...feed.series.marks);
      if (typeof body.of === "number" && rows.length > 0) series.thinnedTo(body.of / rows.length);
      feed.past = series.length > 0 ? series : null;
      this.arrived(feed);
      return true;
    } catch {
      return false;
    }
  }
}
