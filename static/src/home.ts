// The first page: cards of live topics, and the first run, which ends the moment
// somebody's reading arrives.

import type { Board } from "./board";
import { setText } from "./panel";
import { fromTemplate } from "./topics";
import { decimal } from "./value";

const POINTS = 120;
const RATE = 4; // messages per second and topic
const MOST_CARDS = 12;

export function mountHome(main: HTMLElement, board: Board): void {
  const cards = main.querySelector<HTMLElement>("[data-home-cards]");
  const first = main.querySelector<HTMLElement>("[data-home-first]");
  const live = main.querySelector<HTMLElement>("[data-home-live]");
  const template = main.querySelector<HTMLTemplateElement>("[data-home-template]");
  const total = main.querySelector("[data-home-total]");
  const span = Number(main.dataset.span) || 300_000;
  const own = new Set<string>(JSON.parse(main.querySelector("script[data-own]")?.textContent || "[]") as string[]);
  const shown = board.all().map((p) => p.topic);
  // Only the first run listens for everything; afterwards the cards are enough.
  const topics = first && !first.hidden ? ["*"] : shown;
  let known = Number(main.dataset.total) || shown.length;
  board.start(topics.length > 0 ? { topics, window: `${Math.round(span / 1000)}s`, points: POINTS, rate: RATE } : null, (topic) => {
    if (own.has(topic) || !cards || !template || cards.children.length >= MOST_CARDS) return null;
    const made = fromTemplate(board, template, topic, span);
    if (!made) return null;
    cards.append(made.element);
    if (first) first.hidden = true;
    if (live) live.hidden = false;
    known++;
    setText(total, decimal(known, 0));
    return made.panel;
  });
}
