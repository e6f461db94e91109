// What is missing of a panel's readings, in the words that charts draw where they
// are missing: for the panels that show no course of time, one quiet line.

import { el, hide, setText, svg } from "./dom";
import type { Mark, Series } from "./series";
import { decimal } from "./value";

/** Shown is one topic of a panel. */
export interface Shown {
  topic: string;
  series: Pick<Series, "marks">;
}

export interface Said {
  text: string;
  /** All of it, a line for each topic. */
  full: string;
  /** The time after which the newest of them are missing. */
  since: number;
}

const NOTHING: Said = { text: "", full: "", since: Number.NEGATIVE_INFINITY };

/** missingOf is the newest mark of what is missing of one topic within a time. */
export function missingOf(series: Shown["series"], from: number, to: number): Mark | undefined {
  return series.marks.filter((m) => m.to >= from && m.from <= to).at(-1);
}

/** missingIn says it of several topics: the newest, and in how many others. */
export function missingIn(topics: Iterable<Shown>, from: number, to: number): Said {
  const lost: { at: number; text: string; topic: string }[] = [];
  for (const { topic, series } of topics) {
    const mark = missingOf(series, from, to);
    if (mark) lost.push({ at: mark.from, text: mark.text, topic });
  }
  if (lost.length === 0) return NOTHING;
  lost.sort((a, b) => b.at - a.at);
  const others = lost.length - 1;
  return {
    text: others === 0 ? lost[0]!.text : `${lost[0]!.text}, and in ${others === 1 ? "1 other topic" : `${decimal(others, 0)} other topics`}`,
    full: lost.map((l) => `${l.topic}: ${l.text}`).join("\n"),
    since: lost[0]!.at,
  };
}

/** Missing is that line. */
export class Missing {
  private readonly text = el("span");
  private readonly element: HTMLElement;

  constructor(after: HTMLElement) {
    const mark = svg("svg", { width: "12", height: "12", "aria-hidden": "true" }, svg("rect", { width: "12", height: "12", fill: "url(#hatch)" }));
    this.element = el("p", "missing", mark, this.text);
    hide(this.element, true);
    after.after(this.element);
  }

  say(text: string, full: string): void {
    setText(this.text, text);
    if (this.element.title !== full) this.element.title = full;
    hide(this.element, text === "");
  }
}
