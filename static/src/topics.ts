// The list of topics: what is typed filters it at once, facets narrow it, rows
// update in place, and a topic that is new on the server gets its row by itself.

import { parts, topicPath } from "./address";
import type { Board } from "./board";
import { attribute, el, hide, setText } from "./dom";
import type { Keys } from "./keys";
import { type Facet, Facets, type Item } from "./topicsfacets";
import { Catalog, type Listed } from "./topicscatalog";
import { selectorOf, testFor, unionOf } from "./topicsfilter";
import { decimal, rate } from "./value";

const SHOWN = 200; // rows at once; more on demand
const SETTLE = 100; // ms of quiet in the field before the list changes
const EVERY = 2000; // ms between counts, and between sortings by what moves
const FLOWS = 900; // topics that one socket surely brings
const CHECK_EVERY = 15_000; // ms
const MOST_PICKED = 20; // topics of one dashboard
const LIVE = { points: 120, rate: 4 }; // messages per second and topic: a table needs no more

type Row = ReturnType<Board["row"]>;
type Order = "topic" | "value" | "rate" | "age";

/** mountTopics takes over the list; it is null-safe for pages without one. */
export function mountTopics(main: HTMLElement, board: Board, keys: Keys): void {
  const body = main.querySelector<HTMLElement>("[data-topics-rows]");
  const template = main.querySelector<HTMLTemplateElement>("[data-topics-template]");
  if (body && template) new Explorer(main, board, keys, body, template);
}

/** rowFrom makes an empty row for a topic out of the template that the server rendered. */
export function rowFrom(template: HTMLTemplateElement, topic: string): HTMLElement | null {
  const element = (template.content.cloneNode(true) as DocumentFragment).firstElementChild;
  if (!(element instanceof HTMLElement)) return null;
  const { name, labels } = parts(topic);
  element.dataset.topic = topic;
  const link = element.matches("[data-link]") ? element : element.querySelector("[data-link]");
  link?.setAttribute("href", topicPath(topic));
  setText(element.querySelector(".name"), name);
  setText(element.querySelector(".labels"), labels);
  return element;
}

class Explorer {
  private readonly catalog: Catalog;
  private readonly facets = new Facets();
  private readonly rows = new Map<string, Row>();
  private readonly picked = new Set<string>();
  private readonly field: HTMLInputElement | null;
  private readonly match: string;
  private order: Order = "topic";
  private down = false;
  private most = SHOWN;
  private widened = false;
  private timer = 0;
  private readonly more = el("button", "btn more-rows");

  constructor(
    private readonly main: HTMLElement,
    private readonly board: Board,
    keys: Keys,
    private readonly body: HTMLElement,
    private readonly template: HTMLTemplateElement,
  ) {
    this.match = main.dataset.match || "*";
    const withHidden = new URLSearchParams(window.location.search).get("hidden") === "1";
    this.catalog = new Catalog(withHidden, () => this.soon(SETTLE));
    this.field = main.querySelector<HTMLInputElement>("[data-search]");
    hiddenLink(main.querySelector<HTMLAnchorElement>("[data-hidden-link]"), withHidden);
    for (const row of board.rows()) {
      this.rows.set(row.topic, row);
      this.catalog.topics.set(row.topic, null);
      this.pickable(row.element, row.topic);
    }
    this.catalog.total = Math.max(Number(main.dataset.total) || 0, this.rows.size);
    board.feeds.onNew((feed) => this.catalog.add(feed.topic));
    // A selector leaves hidden topics out; those that were asked for are followed by name.
    const hidden = board.rows().filter((row) => row.element.hasAttribute("data-hidden")).map((row) => row.topic);
    if (hidden.length > 0) board.follow({ topics: hidden, ...LIVE });
    if (!this.catalog.complete()) void this.catalog.load(this.match);

    this.field?.addEventListener("input", () => this.typed());
    this.field?.form?.addEventListener("submit", (e) => this.submit(e));
    keys.register("search", () => {
      this.field?.focus();
      this.field?.select();
    });
    keys.register("list.down", () => this.step(1));
    keys.register("list.up", () => this.step(-1));
    keys.register("list.pick", () => this.pick());
    keys.also("list.open");
    this.sortable();
    this.more.type = "button";
    this.more.hidden = true;
    this.more.addEventListener("click", () => {
      this.most += SHOWN;
      this.show();
    });
    this.body.closest("[data-topics-list]")?.append(this.more);
    window.setInterval(() => {
      if (document.visibilityState !== "hidden") this.show();
    }, EVERY);
    // A selector brings so many topics and no more; those that appear beyond them are asked for.
    window.setInterval(() => {
      if (document.visibilityState !== "hidden" && this.catalog.total > FLOWS) void this.catalog.check(this.widened ? "*" : this.match);
    }, CHECK_EVERY);
    this.show();
  }

  private typed(): void {
    this.most = SHOWN;
    // What the page was asked for may leave out what is typed now.
    if (!this.widened && this.match !== "*") {
      this.widened = true;
      this.board.follow({ topics: ["*"], ...LIVE });
      this.catalog.total = Number.POSITIVE_INFINITY;
      void this.catalog.load("*");
    }
    this.soon(SETTLE);
  }

  private submit(e: SubmitEvent): void {
    // The list has it already; a reload would only lose the place.
    if (!this.catalog.complete() || testFor(this.text()) === null) return;
    e.preventDefault();
    const url = new URL(window.location.href);
    if (this.text()) url.searchParams.set("match", this.text());
    else url.searchParams.delete("match");
    history.replaceState(history.state, "", url);
    this.show();
    this.links()[0]?.focus();
  }

  private text(): string {
    return this.field?.value.trim() ?? (this.match === "*" ? "" : this.match);
  }

  /** soon shows the list again once things are quiet. */
  private soon(ms: number): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.show(), ms);
  }

  private show(): void {
    const text = this.text();
    const test = testFor(text);
    this.tell(test ? this.catalog.problem : "This selector is not finished: name{label=\"value\"}, with * for anything.");
    if (!test) return;
    const items: Item[] = [];
    for (const [topic] of this.catalog.topics) if (test(topic) || topic === text) items.push({ topic, state: this.stateOf(topic) });
    this.showFacets(this.facets.count(items));
    const list = items.filter((item) => this.facets.test(item)).map((item) => item.topic);
    this.sort(list);
    this.place(list.slice(0, this.most));
    hide(this.more, list.length <= this.most);
    if (list.length > this.most) setText(this.more, `Show ${decimal(Math.min(SHOWN, list.length - this.most), 0)} more of ${decimal(list.length, 0)}`);
    this.count(list);
    this.offer(list, text);
    hide(this.main.querySelector("[data-topics-list]"), list.length === 0);
    this.nothing(list.length === 0, text);
  }

  /** stateOf says what the facets call the state of a topic. */
  private stateOf(topic: string): string {
    const feed = this.board.feeds.get(topic);
    const listed = this.catalog.topics.get(topic);
    if (feed) {
      const { state } = feed.judge(this.board.now());
      if (state === "live" || state === "quiet") return "live";
      return state === "empty" ? "no reading" : "stale";
    }
    const t = Number(listed?.last?.[0]);
    if (!t) return "no reading";
    return listed!.interval > 0 && this.board.now() - t > Math.max(3 * listed!.interval, 2000) ? "stale" : "live";
  }

  private sort(list: string[]): void {
    const sign = this.down ? -1 : 1;
    if (this.order === "topic") {
      list.sort((a, b) => (a < b ? -sign : a > b ? sign : 0));
      return;
    }
    const now = this.board.now();
    const measure = new Map<string, number>();
    for (const topic of list) measure.set(topic, this.measure(topic, now));
    // Who has no figure comes last, whichever way the list is turned.
    list.sort((a, b) => {
      const [x, y] = [measure.get(a)!, measure.get(b)!];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || (a < b ? -1 : 1);
      return sign * (x - y) || (a < b ? -1 : 1);
    });
  }

  private measure(topic: string, now: number): number {
    const feed = this.board.feeds.get(topic);
    const listed = this.catalog.topics.get(topic);
    switch (this.order) {
      case "value": {
        const values = feed ? feed.series.columns.map((_, i) => feed.series.last(i)) : (listed?.last?.slice(1) ?? []);
        const first = values.find((v) => typeof v === "number");
        return typeof first === "number" ? first : Number.NaN;
      }
      case "rate":
        return feed ? feed.series.rate(now) : (listed?.rate ?? Number.NaN);
      default: {
        const at = feed && feed.series.length > 0 ? feed.series.row(feed.series.newest(1)[0]!).time : Number(listed?.last?.[0] ?? Number.NaN);
        return now - at;
      }
    }
  }

  /** place brings the rows of the table into order with as few moves as it takes. */
  private place(list: readonly string[]): void {
    const shown = new Set(list);
    for (const row of [...this.body.children]) if (row instanceof HTMLElement && !shown.has(row.dataset.topic ?? "")) row.remove();
    let before: Element | null = this.body.firstElementChild;
    const fresh: string[] = [];
    for (const topic of list) {
      let row = this.rows.get(topic);
      if (!row) {
        const element = rowFrom(this.template, topic);
        if (!element) return;
        if (!this.board.feeds.get(topic)) fresh.push(topic);
        element.toggleAttribute("data-hidden", this.catalog.topics.get(topic)?.hidden === true);
        this.body.insertBefore(element, before);
        row = this.board.row(element, topic);
        this.begin(row, this.catalog.topics.get(topic));
        this.rows.set(topic, row);
        this.pickable(element, topic);
        continue;
      }
      if (before && row.element === before) before = before.nextElementSibling;
      else this.body.insertBefore(row.element, before);
    }
    // A selector brings at most a thousand topics to one socket; those beyond are asked for when they are looked at.
    if (fresh.length > 0) this.board.follow({ topics: fresh, ...LIVE });
    if (this.rows.size > 4 * SHOWN) this.forget(shown);
  }

  /** begin shows what the catalog knows of a topic until its own readings come. */
  private begin(row: Row, listed: Listed | null | undefined): void {
    if (!listed?.last || row.feed.series.length > 0) return;
    const { columns, last } = listed;
    row.feed.start({
      topic: listed.topic,
      columns: columns.map((c) => c.name),
      units: columns.map((c) => c.unit ?? ""),
      kinds: columns.map((c) => c.kind ?? ""),
      interval: listed.interval,
      after: "",
      // A counter comes live as its rate; its stand would be another figure.
      rows: [[Number(last[0]), ...columns.map((c, i) => (c.kind === "counter" ? null : (last[i + 1] ?? null)))]],
    });
  }

  /** forget drops rows that are not shown, so that going through thousands does not keep them all. */
  private forget(shown: ReadonlySet<string>): void {
    for (const [topic, row] of this.rows) {
      if (shown.has(topic) || this.picked.has(topic)) continue;
      this.board.drop(row.element);
      this.rows.delete(topic);
    }
  }

  private count(list: readonly string[]): void {
    const now = this.board.now();
    let sum = 0;
    for (const topic of list) sum += this.board.feeds.get(topic)?.series.rate(now) ?? this.catalog.topics.get(topic)?.rate ?? 0;
    const total = this.catalog.total === Number.POSITIVE_INFINITY ? this.catalog.topics.size : this.catalog.total;
    const text = list.length < total ? `${decimal(list.length, 0)} of ${decimal(total, 0)}` : decimal(list.length, 0);
    setText(this.main.querySelector("[data-topics-count]"), sum > 0 ? `${text}, ${rate(sum)}` : text);
  }

  /** offer leads to a dashboard of what is picked, else of what the field picks. */
  private offer(list: readonly string[], text: string): void {
    const link = this.main.querySelector<HTMLAnchorElement>("[data-open-picked]");
    if (!link) return;
    const chosen = [...this.picked].filter((t) => this.catalog.topics.has(t)).slice(0, MOST_PICKED);
    const selector = this.facets.picked.size === 0 ? selectorOf(text) : "";
    const union = unionOf(chosen, this.catalog.topics.keys());
    const asked = union ? [union] : chosen.length > 0 ? chosen : selector && selector !== "*" ? [selector] : text || this.facets.picked.size > 0 ? list.slice(0, MOST_PICKED) : [];
    hide(link, asked.length === 0 || list.length === 0);
    attribute(link, "href", `/d?${asked.map((m) => `match=${encodeURIComponent(m)}`).join("&")}`);
    setText(link.querySelector("[data-open-picked-text]"), chosen.length > 0 ? `Open ${chosen.length} picked as dashboard` : "Open as dashboard");
  }

  private tell(text: string): void {
    const place = this.main.querySelector<HTMLElement>("[data-explorer-problem]");
    hide(place, text === "");
    setText(place, text);
    if (this.field) attribute(this.field, "aria-invalid", String(text !== "" && text !== this.catalog.problem));
  }

  /** nothing says that the filter leaves nothing, in the words of the server's own page where nothing is there at all. */
  private nothing(empty: boolean, text: string): void {
    const place = this.main.querySelector<HTMLElement>("[data-topics-empty]");
    if (!place) return;
    const narrowed = text !== "" || this.facets.picked.size > 0;
    hide(place, !empty);
    if (!empty || !narrowed || this.catalog.topics.size === 0) return;
    setText(place.querySelector("h2, h3"), "Nothing matches");
    const p = place.querySelector("p");
    p?.replaceChildren(...(text ? [el("span", "mono", text), " picks no topic here. A topic that it picks appears here by itself."] : ["No topic has all that is picked."]));
    for (const other of place.querySelectorAll(".code, p ~ p")) if (!other.querySelector("a")) hide(other, true);
  }

  private showFacets(facets: readonly Facet[]): void {
    const place = this.main.querySelector<HTMLElement>("[data-facets]");
    if (!place) return;
    const drawn = JSON.stringify(facets);
    if (place.dataset.drawn === drawn) return;
    place.dataset.drawn = drawn;
    const focused = document.activeElement instanceof HTMLInputElement && place.contains(document.activeElement) ? document.activeElement.value : "";
    place.replaceChildren(
      ...facets.map((facet) => {
        const group = el("fieldset", "facet", el("legend", "", facet.name));
        for (const choice of facet.choices) {
          const box = el("input");
          box.type = "checkbox";
          box.name = facet.key;
          box.checked = choice.picked;
          box.value = `${facet.key} ${choice.value}`;
          box.addEventListener("change", () => {
            this.facets.toggle(facet.key, choice.value);
            this.most = SHOWN;
            this.show();
          });
          group.append(el("label", "pick", box, el("span", "mono nowrap", choice.value), el("span", "count", decimal(choice.count, 0))));
        }
        if (facet.more > 0 && !this.facets.open.has(facet.key)) {
          const more = el("button", "facet-more", `+ ${decimal(facet.more, 0)} more`);
          more.type = "button";
          more.addEventListener("click", () => {
            this.facets.open.add(facet.key);
            this.show();
          });
          group.append(more);
        }
        return group;
      }),
    );
    if (focused) for (const box of place.querySelectorAll("input")) if (box.value === focused) box.focus();
  }

  private sortable(): void {
    const heads = [...this.main.querySelectorAll<HTMLElement>("th[data-sort]")];
    const show = () => {
      for (const th of heads) {
        if (th.dataset.sort === this.order) th.setAttribute("aria-sort", this.down ? "descending" : "ascending");
        else th.removeAttribute("aria-sort");
      }
    };
    for (const th of heads) {
      const button = el("button", "sort", ...th.childNodes);
      button.type = "button";
      button.addEventListener("click", () => {
        const order = th.dataset.sort as Order;
        // Names begin at the first, figures at the largest, ages at the youngest.
        this.down = this.order === order ? !this.down : order === "value" || order === "rate";
        this.order = order;
        show();
        this.show();
      });
      th.replaceChildren(button);
    }
    show();
  }

  private pickable(element: HTMLElement, topic: string): void {
    const cell = element.querySelector("td.topic");
    if (!cell) return;
    const box = el("input", "pick-row no-phone");
    box.type = "checkbox";
    box.name = "pick";
    box.checked = this.picked.has(topic);
    box.tabIndex = -1; // X picks; a stop at every box would double the way through the list
    box.setAttribute("aria-label", `Pick ${topic}`);
    box.addEventListener("change", () => {
      if (box.checked) this.picked.add(topic);
      else this.picked.delete(topic);
      element.classList.toggle("picked", box.checked);
      this.show();
    });
    cell.prepend(box);
  }

  private pick(): void | false {
    const row = document.activeElement?.closest<HTMLElement>("tr[data-topic]");
    const box = row?.querySelector<HTMLInputElement>(".pick-row");
    if (!row || !box) return false;
    box.click();
    this.board.say(box.checked ? `Picked ${row.dataset.topic}` : `${row.dataset.topic} is not picked any more`);
  }

  private links(): HTMLElement[] {
    return [...this.body.querySelectorAll<HTMLElement>("[data-link]")];
  }

  /** step moves the focus along the list. */
  private step(by: number): void {
    const links = this.links();
    const at = links.indexOf(document.activeElement as HTMLElement);
    links[Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  }
}

/** hiddenLink turns the link below the list to this list with hidden topics, or without them. */
function hiddenLink(link: HTMLAnchorElement | null, shown: boolean): void {
  if (!link) return;
  const url = new URL(window.location.href);
  if (shown) url.searchParams.delete("hidden");
  else url.searchParams.set("hidden", "1");
  link.href = url.pathname + url.search;
  link.textContent = shown ? "Leave hidden topics out" : "Show hidden topics";
}
