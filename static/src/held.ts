// What comes while the page is paused. The picture stands still, so nothing of it
// is put anywhere until the page goes on; of too much only the number is kept, and
// the page asks for a snapshot instead.

import type { Message } from "./frame";

const MOST = 20_000; // readings

export class Held {
  private messages: { message: Message; first: boolean }[] = [];
  private rows = 0;
  /** Whether more came than could be kept. */
  over = false;

  /** take keeps a message and returns how many readings it stands for. */
  take(message: Message, first: boolean): number {
    const rows = message.type === "readings" || message.type === "snapshot" ? message.rows.length : 0;
    this.rows += rows;
    if (this.rows > MOST) {
      this.over = true;
      this.messages = [];
    }
    if (!this.over) this.messages.push({ message, first });
    return message.type === "readings" ? Math.max(message.of, rows) : 0;
  }

  /** release hands out what was kept, in order, and forgets it. */
  release(use: (message: Message, first: boolean) => void): void {
    const { messages } = this;
    this.messages = [];
    this.rows = 0;
    this.over = false;
    for (const { message, first } of messages) use(message, first);
  }

  get size(): number {
    return this.messages.length;
  }
}
