// Where this page is in each topic. It proves the chain of messages (each says
// where the one before it ended) and gives the cursors to go on from after a
// connection is lost.

import type { Message } from "./frame";
import { isSelector } from "./selector";

export class Resume {
  private readonly cursors = new Map<string, string>();
  private readonly confirmed = new Set<string>();

  /** How often a message did not follow the one before it. Stays 0 unless a server is wrong. */
  violations = 0;

  /** start sets the place that a page was rendered at. */
  start(topic: string, cursor: string): void {
    if (cursor) this.cursors.set(topic, cursor);
  }

  /** forget drops the places in these topics: what is asked for next begins with snapshots. */
  forget(topics: readonly string[]): void {
    if (topics.some(isSelector)) this.cursors.clear();
    for (const topic of topics) this.cursors.delete(topic);
  }

  /** connected begins a new connection: nothing is confirmed on it yet, the places stay. */
  connected(): void {
    this.confirmed.clear();
  }

  /** confirms reports whether a message is the first one of its topic on this connection. */
  confirms(topic: string): boolean {
    return !this.confirmed.has(topic);
  }

  /** accept takes note of a message, after its rows were used. */
  accept(m: Message): void {
    switch (m.type) {
      case "snapshot":
        this.move(m.topic, m.id);
        break;
      case "readings":
        this.follow(m.topic, m.prev);
        this.move(m.topic, m.id);
        break;
      case "gap":
        this.follow(m.topic, m.from);
        this.move(m.topic, m.to);
        break;
      case "reset":
        // Its snapshot follows; until then there is no place to go on from.
        this.cursors.delete(m.topic);
        this.confirmed.delete(m.topic);
        break;
    }
  }

  /**
   * after returns the cursors of these topics, or of all when a selector stands
   * for them: as many as fit into most bytes. The others begin with a snapshot.
   */
  after(topics: readonly string[], most: number): Record<string, string> {
    const wanted = topics.some(isSelector) ? this.cursors.keys() : topics;
    const after: Record<string, string> = {};
    for (const topic of wanted) {
      const cursor = this.cursors.get(topic);
      if (!cursor) continue;
      most -= 3 * topic.length + cursor.length + 6; // what escapes and UTF-8 may make of it
      if (most < 0) break;
      after[topic] = cursor;
    }
    return after;
  }

  private follow(topic: string, prev: string): void {
    const cursor = this.cursors.get(topic);
    if (cursor === undefined) return;
    // A cursor may be bare, without what comes after its entry; and the first message of a connection answers the one that was sent.
    const bare = !this.confirmed.has(topic) || !prev.includes(":") || !cursor.includes(":");
    const follows = prev === cursor || (bare && entryOf(prev) === entryOf(cursor));
    if (!follows) this.violations++;
  }

  private move(topic: string, id: string): void {
    this.confirmed.add(topic);
    if (id) this.cursors.set(topic, id);
  }
}

/** entryOf is the part of a cursor that names an entry of the stream. */
function entryOf(cursor: string): string {
  return cursor.split(":", 1)[0]!;
}
