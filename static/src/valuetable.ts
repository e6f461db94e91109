// The readings of a panel as a table, for everyone who cannot see the picture,
// and as text to take along.

import { el, setText } from "./dom";
import type { Line, Lines, View } from "./lines";
import { dated, type Zone } from "./times";
import { fullText } from "./value";

const ROWS = 50;
const EVERY = 1000; // ms

interface Moment {
  t: number;
  /** What is missing from here on; empty when it is a reading. */
  missing: string;
}

export class ValueTable {
  readonly element = el("div", "scroll");
  private readonly head = el("tr");
  private readonly rows = el("tbody");
  private drawn = Number.NEGATIVE_INFINITY;

  constructor(title: string) {
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "region");
    this.element.setAttribute("aria-label", `${title}, values`);
    this.element.append(el("table", "tbl values", el("thead", "", this.head), this.rows));
  }

  draw(lines: Lines, view: View, zone: Zone): void {
    if (view.live && view.now - this.drawn < EVERY) return;
    this.drawn = view.now;
    const shown = [...lines.numbers, ...lines.words];
    this.head.replaceChildren(el("th", "", "Time"), ...shown.map((l) => el("th", "right", l.scale.unit && !l.state ? `${l.name}` : l.name)));
    const moments = momentsOf(lines, shown, view);
    while (this.rows.rows.length > moments.length) this.rows.deleteRow(-1);
    moments.forEach((m, i) => {
      const row = this.rows.rows[i] ?? this.rows.insertRow();
      const want = m.missing ? 2 : shown.length + 1;
      while (row.cells.length > want) row.deleteCell(-1);
      while (row.cells.length < want) row.insertCell().className = row.cells.length === 1 ? "soft" : "right num";
      if (row.cells[1]) row.cells[1].colSpan = m.missing ? Math.max(shown.length, 1) : 1;
      setText(row.cells[0]!, dated(m.t, view.now, zone));
      if (m.missing) setText(row.cells[1]!, m.missing);
      else shown.forEach((l, c) => setText(row.cells[c + 1]!, textAt(l, m.t)));
    });
  }
}

/** momentsOf lists the newest times of a view, newest first, and where readings are missing. */
export function momentsOf(lines: Lines, shown: readonly Line[], view: View, most = ROWS): Moment[] {
  const times = new Set<number>();
  for (const l of shown) {
    const { series } = l;
    const beyond = view.live ? series.beyond : series.indexFrom(view.to + 1);
    for (let i = beyond - 1; i >= Math.max(series.first, beyond - most); i--) times.add(series.times[i]!);
  }
  const list: Moment[] = [...times].map((t) => ({ t, missing: "" }));
  for (const f of lines.feeds) for (const m of f.series.marks) if (m.from >= view.from && m.from <= view.to) list.push({ t: m.from, missing: m.text });
  return list.sort((a, b) => b.t - a.t || (a.missing ? -1 : 1)).slice(0, most);
}

/** textAt is a line's value at exactly a time, empty when it has no reading then. */
function textAt(l: Line, t: number): string {
  const i = l.series.indexFrom(t);
  if (i >= l.series.beyond || l.series.times[i] !== t) return "";
  const v = l.series.value(l.columnHere, i);
  return v === null ? "" : fullText(v);
}

/** copyOf is what a panel shows as lines of text with tabs, ready for a spreadsheet. */
export function copyOf(title: string, lines: Lines, view: View, zone: Zone): string {
  const shown = [...lines.numbers, ...lines.words];
  const head = `${title}\t${dated(view.from, view.now, zone)} to ${dated(view.to, view.now, zone)}, ${zone.label(view.to)}`;
  return [head, ...shown.map((l) => `${l.name}\t${l.last === null ? "" : String(l.last)}\t${l.state ? "" : l.unit}`.trimEnd())].join("\n");
}
