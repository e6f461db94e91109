// One row for each topic, one column for each value. A topic that went silent leaves.

import type { Feed } from "../feed";
import { attribute, el, hide, setClass, setText } from "../dom";
import type { State } from "../freshness";
import type { Line, View } from "../lines";
import { missingOf } from "../missing";
import { lineNames } from "../names";
import { decimal, figure, NO_VALUE, type Scale, scaleOver } from "../value";
import type { Around, Body } from "./body";
import { Fit } from "./fit";
import { type Cells, compareCells, heading, nextOrder, type Order } from "./tableorder";

const EVERY = 1000; // ms between two orders of the rows

interface Column {
  name: string;
  word: boolean;
  scale: Scale;
}

interface Row extends Cells {
  missing: string;
  lines: (Line | null)[];
}

export class Table implements Body {
  private readonly head = el("tr");
  private readonly rows = el("tbody");
  private readonly more = el("p", "more");
  private readonly fit: Fit;
  private order: Order = { by: 0, down: true };
  private chosen = false;
  private drawn = Number.NEGATIVE_INFINITY;
  private list: Row[] = [];
  private columns: Column[] = [];

  constructor(
    body: HTMLElement,
    private readonly around: Around,
  ) {
    const table = el("table", "lines", el("thead", "", this.head), this.rows);
    body.replaceChildren(table, this.more);
    this.fit = new Fit(body, table, this.more, () => this.rows.rows, () => {
      this.drawn = Number.NEGATIVE_INFINITY;
      around.touch();
    });
  }

  end(): void {
    this.fit.end();
  }

  draw(view: View, state: State): number {
    if (view.now - this.drawn >= EVERY || !view.live || this.list.length === 0) {
      this.drawn = view.now;
      this.arrange(view, state);
    }
    this.fill(view, state === "live" || state === "quiet");
    return EVERY;
  }

  private arrange(view: View, state: State): void {
    const { lines, config } = this.around;
    const names: string[] = [];
    const byFeed = new Map<Feed, Map<string, Line>>();
    for (const l of [...lines.numbers, ...lines.words]) {
      if (!names.includes(l.columnName)) names.push(l.columnName);
      if (view.live && state !== "stale" && l.feed.alone(view.now).state === "stale") continue;
      const row = byFeed.get(l.feed) ?? new Map<string, Line>();
      byFeed.set(l.feed, row.set(l.columnName, l));
    }
    if (config.columns.length > 0) names.sort((a, b) => config.columns.indexOf(a) - config.columns.indexOf(b));
    const feeds = [...byFeed.keys()];
    const called = lineNames(
      feeds.map((f) => [f.topic, feeds.length === 1 ? f.topic : ""] as const),
      {},
    );
    this.columns = names.map((name) => this.columnOf(name, feeds, byFeed));
    this.list = feeds.map((f, i) => {
      const own = names.map((name) => byFeed.get(f)!.get(name) ?? null);
      return { name: called[i]!, missing: missingOf(f.series, view.from, view.to)?.text ?? "", lines: own, values: own.map((l) => (l ? (l.state ? (l.last === null ? null : String(l.last)) : Number.isNaN(l.number) ? null : l.number) : null)) };
    });
    if (!this.chosen) this.order = this.columns[0] && !this.columns[0].word ? { by: 0, down: true } : { by: -1, down: false };
    this.list.sort((a, b) => compareCells(a, b, this.order));
    this.title();
    const left = this.list.length - this.fit.most(this.list.length, config.limit);
    hide(this.more, left === 0);
    setText(this.more, left > 0 ? `+ ${decimal(left, 0)} more` : "");
    this.list.length -= left;
  }

  private columnOf(name: string, feeds: readonly Feed[], byFeed: ReadonlyMap<Feed, ReadonlyMap<string, Line>>): Column {
    const { config } = this.around;
    let [lo, hi, whole, unit] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true, ""];
    for (const f of feeds) {
      const l = byFeed.get(f)!.get(name);
      if (!l || Number.isNaN(l.number)) continue;
      unit = l.unit;
      lo = Math.min(lo, l.number);
      hi = Math.max(hi, l.number);
      whole &&= Number.isInteger(l.number);
    }
    const scale = lo <= hi ? scaleOver(unit, lo, hi, whole) : { divisor: 1, unit: "", decimals: 0 };
    if (config.decimals >= 0) scale.decimals = config.decimals;
    return { name: Object.hasOwn(config.names, name) ? config.names[name]! : name, word: lo > hi, scale };
  }

  private title(): void {
    while (this.head.children.length > this.columns.length + 1) this.head.lastElementChild!.remove();
    while (this.head.children.length < this.columns.length + 1) {
      const at = this.head.children.length - 1;
      const button = el("button", "sort");
      button.type = "button";
      button.addEventListener("click", () => {
        this.chosen = true;
        this.order = nextOrder(this.order, at, at >= 0 && !this.columns[at]!.word);
        this.drawn = Number.NEGATIVE_INFINITY;
        this.around.touch();
      });
      this.head.append(el("th", "", button));
    }
    [...this.head.children].forEach((th, i) => {
      const c = i > 0 ? this.columns[i - 1]! : null;
      setText(th.firstElementChild, c ? heading(c.name, c.word ? "" : c.scale.unit) : "Name");
      setClass(th, c && !c.word ? "right" : "");
      attribute(th, "aria-sort", this.order.by === i - 1 ? (this.order.down ? "descending" : "ascending") : "none");
    });
  }

  private fill(view: View, lively: boolean): void {
    while (this.rows.rows.length > this.list.length) this.rows.deleteRow(-1);
    while (this.rows.rows.length < this.list.length) this.rows.append(el("tr", "", el("td", "name")));
    const pointed = this.around.pointed();
    const inside = pointed >= view.from && pointed <= view.to;
    this.list.forEach((r, i) => {
      const { cells } = this.rows.rows[i]!;
      setText(cells[0]!, r.name);
      setClass(cells[0]!, r.missing ? "name lost" : "name");
      if (cells[0]!.title !== r.missing) cells[0]!.title = r.missing;
      while (cells.length > this.columns.length + 1) cells[cells.length - 1]!.remove();
      this.columns.forEach((c, n) => {
        if (!cells[n + 1]) this.rows.rows[i]!.append(el("td"));
        const cell = cells[n + 1]!;
        const l = r.lines[n];
        const v = l ? (inside ? l.at(pointed) : l.last) : null;
        setText(cell, v === null ? NO_VALUE : typeof v === "number" && !l!.state ? figure(c.scale, v) : String(v));
        setClass(cell, c.word ? "" : `right ${n === 0 && lively && l ? l.level : ""}`.trim());
      });
    });
  }
}
