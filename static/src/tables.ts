// Pictures as tables: the changes of a state, and the last readings.

import type { Series } from "./series";
import { clock, type Zone } from "./times";
import { age, fullText } from "./value";

const CHANGES = 8;
const READINGS = 20;
const EVERY = 1000; // ms

function cell(kind: "td" | "th", text: string, className: string): HTMLElement {
  const e = document.createElement(kind);
  e.textContent = text;
  e.className = className;
  return e;
}

/** localise shows the times that the server rendered on the viewer's clock. */
export function localise(root: ParentNode, zone: Zone): void {
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[datetime]")) {
    const ms = Date.parse(time.dateTime);
    if (!Number.isNaN(ms)) time.textContent = clock(ms, zone);
  }
}

/** ChangesTable lists when a state became what it was, newest first. */
export class ChangesTable {
  private shown = "";

  constructor(private readonly table: HTMLElement) {}

  /** draw shows the changes of a column; -1 hides the table, because the topic is drawn. */
  draw(series: Series, column: number, now: number, zone: Zone): void {
    const hidden = column < 0 || series.length === 0;
    const around = this.table.closest<HTMLElement>(".changes") ?? this.table;
    around.hidden = hidden;
    const body = this.table.querySelector("tbody");
    if (hidden || !body) return;
    const changes: { text: string; since: number; until: number }[] = [];
    for (const i of series.newest(series.length).reverse()) {
      const v = series.value(column, i);
      if (v === null) continue;
      const text = String(v);
      const before = changes.at(-1);
      if (before?.text === text) continue;
      const since = series.row(i).time;
      if (before) before.until = since;
      changes.push({ text, since, until: now });
    }
    const rows = changes.slice(-CHANGES).reverse();
    const key = `${zone.name} ${rows.map((r) => `${r.text} ${r.since} ${age(r.until - r.since)}`).join()}`;
    if (key === this.shown) return;
    this.shown = key;
    body.replaceChildren(
      ...rows.map((r) => {
        const tr = document.createElement("tr");
        tr.append(cell("td", r.text, "num"), cell("td", clock(r.since, zone), "right soft"), cell("td", age(r.until - r.since), "right soft"));
        return tr;
      }),
    );
  }
}

/** ReadingsTable keeps the table of the last readings while it is open. */
export class ReadingsTable {
  private drawn = 0;

  constructor(private readonly details: HTMLDetailsElement) {}

  draw(series: Series, zone: Zone): void {
    const table = this.details.querySelector("table");
    const at = performance.now();
    if (!this.details.open || !table?.tHead || !table.tBodies[0]) return;
    if (at - this.drawn < EVERY && this.drawn > 0) return;
    this.drawn = at;
    const head = document.createElement("tr");
    head.append(cell("th", "Time", ""), ...series.columns.map((name) => cell("th", name, "right")));
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren(
      ...series.newest(READINGS).map((i) => {
        const row = series.row(i);
        const tr = document.createElement("tr");
        tr.append(cell("td", clock(row.time, zone), "soft"), ...row.values.map((v) => cell("td", fullText(v), "right num")));
        return tr;
      }),
    );
  }
}
