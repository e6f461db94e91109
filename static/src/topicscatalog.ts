// Every topic that the list of topics may show: those of the page, those that
// appear while it is open, and, where the server has more than the page lists,
// the rest of its catalog.

import type { Value } from "./frame";
import { problemOf } from "./search";

const PAGE = 500; // topics per answer
const MOST = 10_000; // topics; beyond them a selector has to narrow the list

/** Listed is what the server says of one topic. */
export interface Listed {
  topic: string;
  columns: { name: string; unit?: string; kind?: string }[];
  last: Value[] | null; // t, then a value for each column
  rate: number;
  interval: number;
  hidden?: boolean;
}

interface Answer {
  topics: Listed[];
  total: number;
  next?: string;
}

export class Catalog {
  readonly topics = new Map<string, Listed | null>();
  /** How many topics the server has, as far as it said. */
  total = 0;
  /** What went wrong with the last request, for people. */
  problem = "";
  private loading: Promise<void> | null = null;

  constructor(
    private readonly withHidden: boolean,
    private readonly changed: () => void,
  ) {}

  /** add takes a topic that showed itself. */
  add(topic: string): void {
    if (this.topics.has(topic)) return;
    this.topics.set(topic, null);
    this.total = Math.max(this.total, this.topics.size);
    this.changed();
  }

  /** complete says whether all that the server has is here. */
  complete(): boolean {
    return this.topics.size >= this.total;
  }

  /** load asks for what the selector picks; one request after the other, and only one such row of them at a time. */
  load(selector: string): Promise<void> {
    this.loading ??= this.pages(selector).finally(() => {
      this.loading = null;
      this.changed();
    });
    return this.loading;
  }

  /** check asks how many topics there are, and for them if that changed. */
  async check(selector: string): Promise<void> {
    try {
      const response = await fetch(`/api/v1/topics?${this.query(selector, 1, "")}`, { headers: { Accept: "application/json" } });
      if (response.ok && ((await response.json()) as Answer).total !== this.total) await this.load(selector);
    } catch {
      // The connection says it already.
    }
  }

  private query(selector: string, limit: number, after: string): URLSearchParams {
    const query = new URLSearchParams({ match: selector, limit: String(limit) });
    if (after) query.set("after", after);
    if (this.withHidden) query.set("hidden", "1");
    return query;
  }

  private async pages(selector: string): Promise<void> {
    let after = "";
    const seen = new Set<string>();
    this.problem = "";
    do {
      let answer: Answer;
      try {
        const response = await fetch(`/api/v1/topics?${this.query(selector, PAGE, after)}`, { headers: { Accept: "application/json" } });
        if (!response.ok) {
          this.problem = await problemOf(response);
          return;
        }
        answer = (await response.json()) as Answer;
      } catch {
        this.problem = "The server does not answer. Shown is what this page knows.";
        return;
      }
      for (const listed of answer.topics) {
        this.topics.set(listed.topic, listed);
        seen.add(listed.topic);
      }
      this.total = Math.max(answer.total, seen.size);
      after = answer.next ?? "";
    } while (after && seen.size < MOST);
  }
}
