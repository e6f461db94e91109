// One request after the other: what is left where everything between here and the
// server waits for an answer to be whole. Each request goes on after what the one
// before it brought, so nothing is lost between them.

import { type Message, messageOf } from "./frame";
import { endOf } from "./stream";
import { CUT, type Ear, type End, post, type Transport } from "./transport";

const APART = 250; // ms from one request to the next, however much there is to say

export class Poll implements Transport {
  private readonly abort = new AbortController();
  private timer = 0;

  constructor(
    private readonly url: string,
    private readonly wants: () => object[],
    private readonly ear: Ear,
  ) {
    this.ask().then(
      (how) => this.ended(how),
      () => this.ended(CUT),
    );
  }

  /** tell can tell nothing: what is wanted stands in each request. */
  tell(): boolean {
    return false;
  }

  end(): void {
    window.clearTimeout(this.timer);
    this.abort.abort();
  }

  private async ask(): Promise<End> {
    const { signal } = this.abort;
    for (let known = ""; ; ) {
      const asked = performance.now();
      // Known is what the server told that still holds: without it, and when it does not hold any more, the answer comes at once.
      const answer = await fetch(known ? `${this.url}?state=${encodeURIComponent(known)}` : this.url, post(this.wants(), signal));
      if (!answer.ok) return CUT;
      const { frames, state, close } = (await answer.json()) as { frames?: unknown; state?: unknown; close?: unknown };
      known = typeof state === "string" ? state : "";
      if (signal.aborted) return CUT;
      this.ear.begins(asked);
      for (const m of messagesOf(frames)) {
        this.ear.message(m);
        if (signal.aborted) return CUT;
      }
      if (close) return endOf(close);
      await new Promise<void>((resolve) => {
        this.timer = window.setTimeout(resolve, asked + APART - performance.now());
      });
    }
  }

  private ended(how: End): void {
    this.end();
    this.ear.ended(how);
  }
}

function messagesOf(frames: unknown): Message[] {
  return Array.isArray(frames) ? frames.map(messageOf).filter((m) => m !== null) : [];
}
