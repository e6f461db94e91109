// What is wrong with the store, above the panels: who looks at old readings, or
// waits for new ones, must know why.

import { el, icon } from "./dom";
import type { Store } from "./frame";

const SAID_WITHIN = 1000; // ms after a welcome in which a store in trouble is told

/** storeWords says how the store is, as a sentence and what follows from it; null when it is well. */
export function storeWords(m: Store, since: string): [what: string, then: string] | null {
  switch (m.state) {
    case "ok":
      return null;
    case "away":
      return [`The store has not answered since ${since}.`, "What you see is from then, and goes on by itself once the store is back."];
    case "read_only":
      return [`The store has been read-only since ${since}:`, "new readings are refused."];
    case "full":
      return [`The store has been full since ${since}:`, "new readings are refused."];
    default:
      return [`The store has refused new readings since ${since}:`, `${m.message || m.state}.`];
  }
}

export class StoreBanner {
  private told: Store | null = null;
  private element: HTMLElement | null = null;
  private said = "";
  private welcomed = Number.NaN;

  /** clock prints a time of the server in the viewer's zone, to the minute. */
  constructor(
    private readonly main: HTMLElement,
    private readonly clock: (ms: number) => string,
  ) {}

  hear(m: Store): void {
    this.told = m;
    this.welcomed = Number.NaN;
    this.show();
  }

  /** welcome begins a connection: a store in trouble is told at once on it, a good one not at all. */
  welcome(now: number): void {
    if (this.told) this.welcomed = now;
  }

  /** look is called now and then. */
  look(now: number): void {
    if (now - this.welcomed >= SAID_WITHIN) this.told = null;
    this.show();
  }

  private show(): void {
    const words = this.told && storeWords(this.told, this.clock(this.told.since));
    const said = words?.join(" ") ?? "";
    if (said === this.said) return;
    this.said = said;
    this.element?.remove();
    this.element = null;
    if (!words) return;
    this.element = el("aside", "banner trouble", icon("warn"), el("span", "", el("strong", "", words[0]), ` ${words[1]}`));
    this.element.setAttribute("role", "alert");
    this.element.title = said; // an embed has room for one line
    this.main.before(this.element);
  }
}
