// The list of topics: rows update in place, and a topic that is new on the server
// gets its row without a reload.

import type { Board } from "./board";
import { onKey } from "./keys";
import { type Panel, setText } from "./panel";
import { decimal, rate } from "./value";

const POINTS = 120;
const RATE = 4; // messages per second and topic: a table needs no more
const COUNT_EVERY = 2000; // ms

/** topicPath is the address of a topic's page: see TopicPath in views/address.go. */
export function topicPath(topic: string): string {
  const brace = topic.indexOf("{");
  const name = brace < 0 ? topic : topic.slice(0, brace);
  const labels = brace < 0 ? "" : topic.slice(brace);
  return `/t/${name.split("/").map(encodeURIComponent).join("/")}${encodeURIComponent(labels).replaceAll("'", "%27")}`;
}

/** fromTemplate makes an empty panel for a topic out of the template that the server rendered. */
export function fromTemplate(board: Board, template: HTMLTemplateElement, topic: string, span: number): { element: HTMLElement; panel: Panel } | null {
  const element = (template.content.cloneNode(true) as DocumentFragment).firstElementChild;
  if (!(element instanceof HTMLElement)) return null;
  const link = element.matches("[data-link]") ? element : element.querySelector("[data-link]");
  link?.setAttribute("href", topicPath(topic));
  const brace = topic.indexOf("{");
  setText(element.querySelector(".name"), brace < 0 ? topic : topic.slice(0, brace));
  setText(element.querySelector(".labels"), brace < 0 ? "" : topic.slice(brace));
  const now = board.now();
  const panel = board.add(element, { topic, columns: [], units: [], kinds: [], interval: 0, now, span, after: "", rows: [] });
  return { element, panel };
}

export function mountTopics(main: HTMLElement, board: Board): void {
  const rows = main.querySelector<HTMLElement>("[data-topics-rows]");
  const template = main.querySelector<HTMLTemplateElement>("[data-topics-template]");
  const match = main.dataset.match || "*";
  const span = Number(main.dataset.span) || 300_000;
  const search = main.querySelector<HTMLInputElement>("[data-search]");
  onKey("/", () => search?.focus());
  onKey("j", () => step(rows, 1));
  onKey("k", () => step(rows, -1));
  if (!rows || !template) return;

  const names = new Map<HTMLElement, string>();
  for (const panel of board.all()) names.set(panel.element, panel.topic);

  board.start({ topics: [match], window: `${Math.round(span / 1000)}s`, points: POINTS, rate: RATE }, (topic) => {
    const made = fromTemplate(board, template, topic, span);
    if (!made) return null;
    let after: Element | null = null;
    for (const row of rows.children) if ((names.get(row as HTMLElement) ?? "") < topic) after = row;
    if (after) after.after(made.element);
    else rows.prepend(made.element);
    names.set(made.element, topic);
    main.querySelector<HTMLElement>("[data-topics-list]")!.hidden = false;
    main.querySelector<HTMLElement>("[data-topics-empty]")!.hidden = true;
    count();
    return made.panel;
  });

  const total = Number(main.dataset.total) || 0;
  const first = rows.children.length;
  const counter = main.querySelector("[data-topics-count]");
  const count = () => {
    const listed = rows.children.length;
    const all = total + listed - first;
    let sum = 0;
    for (const panel of board.all()) sum += panel.series.rate(board.now());
    const text = all > listed ? `${decimal(listed, 0)} of ${decimal(all, 0)}` : decimal(listed, 0);
    setText(counter, sum > 0 ? `${text}, ${rate(sum)}` : text);
  };
  window.setInterval(count, COUNT_EVERY);
}

/** step moves the focus along the list. */
function step(rows: HTMLElement | null, by: number): void {
  if (!rows) return;
  const links = [...rows.querySelectorAll<HTMLElement>("[data-link]")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
}
