// The search dialog: dashboards and topics from the server, pages and actions of
// this page, and what was opened before. A combobox over a listbox: the focus
// stays in the field, the arrows move the pick.

import { parts, topicPath } from "./address";
import { el, icon, setText } from "./dom";
import { addressOf, type Favourites } from "./favourites";
import type { Keys } from "./keys";
import { openDialog } from "./menu";
import { best, marks, rank } from "./searchrank";
import { isSelector } from "./selector";
import { keepList, recallList } from "./settings";
import { decimal } from "./value";

const WAIT = 120; // ms of quiet before the server is asked
const SLOW = 400; // ms after which it is said that the answer is awaited
const MOST = 8; // hits of a group
const RECENT = 6;

export interface Hit {
  group: "Favourites" | "Opened before" | "Dashboards" | "Topics" | "Pages" | "Actions";
  icon: string;
  text: string;
  mono?: boolean;
  note?: string;
  key?: string;
  href?: string;
  act?: () => void;
  typed?: boolean; // only once somebody types
  opened?: string; // how it is remembered under "Opened before"
}

interface Answer {
  dashboards: { slug: string; title: string }[];
  topics: string[];
  total: number;
}

const PAGES: readonly Hit[] = [
  { group: "Pages", icon: "page", text: "Home", href: "/" },
  { group: "Pages", icon: "page", text: "Topics", note: "all of them, with filters", href: "/topics" },
  { group: "Pages", icon: "page", text: "Docs", note: "push, live protocol, API, dashboards", href: "/docs" },
];

/** hitsOf puts together what answers a query: the best group first, no hit twice. */
export function hitsOf(query: string, answer: Answer | null, actions: readonly Hit[], favourites: readonly Hit[], opened: readonly string[]): Hit[] {
  const dashboards = (answer?.dashboards ?? []).slice(0, MOST).map(dashboardHit);
  const topics = (answer?.topics ?? []).slice(0, MOST).map(topicHit);
  if (query === "") {
    const before = opened.map(openedHit).filter((h): h is Hit => h !== null);
    return distinct([...favourites, ...before, ...dashboards, ...PAGES, ...actions.filter((a) => !a.typed)]);
  }
  if (answer && answer.topics.length > 0 && (isSelector(query) || !/\s/.test(query))) {
    const selector = selectorFor(query, answer.topics);
    if (selector) topics.push({ group: "Topics", icon: "board", text: `Dashboard of ${selector}`, mono: true, note: counted(answer.total), href: `/d?match=${encodeURIComponent(selector)}` });
    if (answer.total > MOST) topics.push({ group: "Topics", icon: "search", text: `All ${decimal(answer.total, 0)} topics`, href: `/topics?match=${encodeURIComponent(query)}` });
  }
  const groups = [
    best(query, favourites, (h) => h.text),
    dashboards,
    topics,
    best(query, PAGES, (h) => `${h.text} ${h.note ?? ""}`),
    best(query, actions, (h) => h.text),
  ];
  const score = (list: readonly Hit[]) => (list[0] ? rank(query, list[0].text) : 0);
  return distinct(groups.toSorted((a, b) => score(b) - score(a)).flat());
}

/** selectorFor is the selector behind "Dashboard of": what was typed, or every name with that beginning. */
export function selectorFor(query: string, topics: readonly string[]): string {
  if (isSelector(query)) return query;
  return topics.some((t) => parts(t).name.startsWith(query)) ? `${query}*` : "";
}

function counted(total: number): string {
  return total === 1 ? "1 topic" : `${decimal(total, 0)} topics`;
}

function distinct(hits: Hit[]): Hit[] {
  const seen = new Set<string>();
  return hits.filter((h) => !h.href || (!seen.has(h.href) && seen.add(h.href)));
}

function dashboardHit(d: { slug: string; title: string }): Hit {
  return { group: "Dashboards", icon: "board", text: d.title, href: `/d/${encodeURIComponent(d.slug)}`, opened: `d ${d.slug} ${d.title}` };
}

function topicHit(topic: string): Hit {
  return { group: "Topics", icon: "line", text: topic, mono: true, href: topicPath(topic), opened: `t ${topic}` };
}

/** openedHit reads what is remembered: "t TOPIC" or "d SLUG TITLE". */
export function openedHit(line: string): Hit | null {
  const rest = line.slice(2);
  if (line.startsWith("t ") && rest) return { ...topicHit(rest), group: "Opened before" };
  const space = rest.indexOf(" ");
  if (line.startsWith("d ") && space > 0) return { ...dashboardHit({ slug: rest.slice(0, space), title: rest.slice(space + 1) }), group: "Opened before" };
  return null;
}

/** remembered returns the list with a line first, and no line twice. */
export function remembered(list: readonly string[], line: string): string[] {
  return [line, ...list.filter((l) => l !== line)].slice(0, RECENT);
}

export class Search {
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private readonly none: HTMLElement | null;
  private options: { element: HTMLElement; hit: Hit }[] = [];
  private at = -1;
  private answer: Answer | null = null;
  private asked = "\u0000";
  private failed = "";
  private asking: AbortController | null = null;
  private timer = 0;

  private constructor(
    private readonly dialog: HTMLDialogElement,
    private readonly favourites: Favourites,
    private readonly actions: () => Hit[],
  ) {
    this.input = dialog.querySelector<HTMLInputElement>("[data-search-input]")!;
    this.list = dialog.querySelector<HTMLElement>("[data-found]")!;
    this.none = dialog.querySelector<HTMLElement>("[data-found-none]");
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (e) => this.press(e));
    dialog.addEventListener("close", () => {
      window.clearTimeout(this.timer);
      this.asking?.abort();
    });
  }

  /** mount brings the dialog, its buttons and its keys to life. */
  static mount(root: ParentNode, keys: Keys, favourites: Favourites, actions: () => Hit[]): Search | null {
    const dialog = root.querySelector<HTMLDialogElement>("[data-search-dialog]");
    if (!dialog?.querySelector("[data-search-input]") || !dialog.querySelector("[data-found]")) return null;
    const search = new Search(dialog, favourites, actions);
    for (const button of root.querySelectorAll("[data-search-open]")) button.addEventListener("click", () => search.open());
    keys.register("search", () => search.open());
    keys.register("palette", () => (dialog.open ? dialog.close() : search.open()));
    return search;
  }

  open(): void {
    this.input.value = "";
    this.asked = "\u0000";
    this.answer = null;
    openDialog(this.dialog);
    this.input.focus();
    this.show();
    void this.ask("");
  }

  private typed(): void {
    window.clearTimeout(this.timer);
    this.show();
    this.timer = window.setTimeout(() => void this.ask(this.query()), WAIT);
  }

  private query(): string {
    return this.input.value.trim();
  }

  private async ask(query: string): Promise<void> {
    if (query === this.asked) return;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const slow = window.setTimeout(() => this.list.setAttribute("aria-busy", "true"), SLOW);
    try {
      const response = await fetch(`/api/v1/search?q=${encodeURIComponent(query)}`, { signal: asking.signal, headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(await problemOf(response));
      this.answer = (await response.json()) as Answer;
      this.asked = query;
      this.failed = "";
    } catch (e) {
      if (asking.signal.aborted) return;
      this.answer = null;
      this.failed = e instanceof TypeError ? "The server does not answer." : (e as Error).message;
    } finally {
      window.clearTimeout(slow);
      if (this.asking === asking) this.list.removeAttribute("aria-busy");
    }
    if (this.dialog.open) this.show();
  }

  /** show lists what is known now; an answer to an older query stays until the next comes, as far as it still fits. */
  private show(): void {
    const query = this.query();
    let { answer } = this;
    if (answer && this.asked !== query) {
      answer = { ...answer, dashboards: best(query, answer.dashboards, (d) => d.title), topics: isSelector(query) ? answer.topics : best(query, answer.topics, (t) => t) };
      answer.total = answer.topics.length;
    }
    const favourites = this.favourites.all().map((f): Hit => ({ group: "Favourites", icon: f.kind === "topic" ? "line" : "board", text: f.title, mono: f.kind === "topic", href: addressOf(f) }));
    const hits = hitsOf(query, answer, this.actions(), favourites, recallList("opened"));
    const had = this.options[this.at]?.hit;
    this.options = [];
    this.list.replaceChildren(...this.groups(hits, query));
    const settled = this.asked === query || this.failed !== "";
    const text = this.failed ? `${this.failed} Pages and actions are still here.` : hits.length === 0 && settled ? `Nothing matches ${query}.` : "";
    if (this.none) {
      this.none.hidden = text === "";
      setText(this.none, text);
    }
    this.input.setAttribute("aria-expanded", String(hits.length > 0));
    // The pick stays on what it was while an answer comes in; a new query begins at its best hit.
    const again = had && settled ? this.options.findIndex((o) => o.hit.href === had.href && o.hit.text === had.text) : -1;
    this.pick(again > 0 && this.at > 0 ? again : 0);
  }

  private groups(hits: readonly Hit[], query: string): HTMLElement[] {
    const names = [...new Set(hits.map((h) => h.group))];
    return names.map((name) => {
      const group = el("div", "");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", name);
      const label = el("p", "label", name);
      label.setAttribute("aria-hidden", "true");
      group.append(label, ...hits.filter((h) => h.group === name).map((h) => this.option(h, query)));
      return group;
    });
  }

  private option(hit: Hit, query: string): HTMLElement {
    const element: HTMLElement = hit.href ? el("a", "hit") : el("div", "hit");
    element.id = `hit-${this.options.length}`;
    element.setAttribute("role", "option");
    element.setAttribute("aria-selected", "false");
    element.tabIndex = -1;
    if (hit.href) element.setAttribute("href", hit.href);
    const text = el("span", hit.mono ? "text mono" : "text");
    text.append(...marked(hit.text, query, hit.mono === true));
    element.append(icon(hit.icon), text);
    if (hit.note) element.append(el("span", "note", hit.note));
    if (hit.key) element.append(el("kbd", "no-touch", hit.key));
    const i = this.options.length;
    element.addEventListener("pointermove", () => this.pick(i, false));
    element.addEventListener("click", (e) => {
      const other = e.ctrlKey || e.metaKey || e.shiftKey;
      if (hit.href && !other && window.location.pathname + window.location.search === hit.href) e.preventDefault();
      this.done(hit, other);
    });
    this.options.push({ element, hit });
    return element;
  }

  private press(e: KeyboardEvent): void {
    const last = this.options.length - 1;
    switch (e.key) {
      case "ArrowDown":
        this.pick(this.at >= last ? 0 : this.at + 1);
        break;
      case "ArrowUp":
        this.pick(this.at <= 0 ? last : this.at - 1);
        break;
      case "PageDown":
        this.pick(Math.min(this.at + MOST, last));
        break;
      case "PageUp":
        this.pick(Math.max(this.at - MOST, 0));
        break;
      case "Enter":
        if (e.isComposing) return;
        this.go(e.ctrlKey || e.metaKey);
        break;
      default:
        return;
    }
    e.preventDefault();
  }

  private pick(at: number, scroll = true): void {
    this.options[this.at]?.element.setAttribute("aria-selected", "false");
    this.at = this.options.length > 0 ? at : -1;
    const element = this.options[this.at]?.element;
    element?.setAttribute("aria-selected", "true");
    if (scroll) element?.scrollIntoView({ block: "nearest" });
    if (element) this.input.setAttribute("aria-activedescendant", element.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  private go(other: boolean): void {
    const hit = this.options[this.at]?.hit;
    if (!hit) return;
    this.done(hit, other && hit.href !== undefined);
    if (!hit.href) return;
    if (other) window.open(hit.href, "_blank", "noopener");
    else window.location.assign(hit.href);
  }

  private done(hit: Hit, stays: boolean): void {
    if (hit.opened) keepList("opened", remembered(recallList("opened"), hit.opened));
    if (stays) return;
    this.dialog.close();
    hit.act?.();
  }
}

/** marked is a text with the parts that the query is about standing out, and a topic's labels muted. */
function marked(text: string, query: string, topic: boolean): Node[] {
  const brace = topic ? text.indexOf("{") : -1;
  const name = brace < 0 ? text : text.slice(0, brace);
  const nodes = pieces(text, query, 0, name.length);
  if (brace >= 0) nodes.push(el("span", "labels", ...pieces(text, query, brace, text.length)));
  return nodes;
}

function pieces(text: string, query: string, from: number, to: number): Node[] {
  const nodes: Node[] = [];
  let at = from;
  for (const [a, b] of marks(query, text)) {
    const [begin, end] = [Math.max(a, from), Math.min(b, to)];
    if (begin >= end) continue;
    nodes.push(document.createTextNode(text.slice(at, begin)), el("b", "", text.slice(begin, end)));
    at = end;
  }
  nodes.push(document.createTextNode(text.slice(at, to)));
  return nodes;
}

/** problemOf is what an answer says is wrong, for people. */
export async function problemOf(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    if (body.error?.message) return `${body.error.message[0]!.toUpperCase()}${body.error.message.slice(1)}.`;
  } catch {
    // No words in it; its status has to do.
  }
  return `The server answered ${response.status}.`;
}
