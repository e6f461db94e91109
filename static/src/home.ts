// The first page: live dashboards and topics, favourites, and the first run,
// which ends the moment somebody's reading arrives.

import type { Board } from "./board";
import { hide, setText } from "./dom";
import type { Keys } from "./keys";
import { Selector } from "./selector";
import { listOf } from "./settings";
import { rowFrom } from "./topics";
import { decimal } from "./value";

const POINTS = 120;
const RATE = 4; // messages per second and topic
const MOST_ROWS = 12;

export function mountHome(main: HTMLElement, board: Board, keys: Keys): void {
  const rows = main.querySelector<HTMLElement>("[data-topics-rows]");
  const template = main.querySelector<HTMLTemplateElement>("[data-topics-template]");
  const first = main.querySelector<HTMLElement>("[data-home-first]");
  const own = listOf(main.querySelector("script[data-own]")?.textContent ?? "").map((text) => new Selector(text));
  const known = new Set(board.rows().map((r) => r.topic));
  let total = Math.max(Number(main.dataset.total) || 0, known.size);

  board.feeds.onNew((feed) => {
    const { topic } = feed;
    if (own.some((s) => s.match(topic)) || known.has(topic) || !rows || !template) return;
    known.add(topic);
    total++;
    setText(main.querySelector("[data-home-total]"), decimal(total, 0));
    if (rows.children.length < MOST_ROWS) {
      const element = rowFrom(template, topic);
      if (!element) return;
      rows.append(element);
      board.row(element, topic);
    }
    hide(first, true);
    hide(main.querySelector("[data-home-live]"), false);
  });
  // While there is room the page listens for everything; afterwards what it shows is enough.
  if (!rows || rows.children.length < MOST_ROWS || (first && !first.hidden)) board.follow({ topics: ["*"], points: POINTS, rate: RATE });

  if (!rows) return;
  const links = () => [...rows.querySelectorAll<HTMLElement>("[data-link]")];
  const step = (by: number) => {
    const all = links();
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  };
  keys.register("list.down", () => step(1));
  keys.register("list.up", () => step(-1));
  keys.also("list.open");
}
