// The legend of a chart as a table: one row for each line, and its figures.

import { lineClass } from "./colours";
import type { Figure } from "./config";
import { el, setClass, setText } from "./dom";
import type { Line } from "./lines";
import { figure, NO_VALUE } from "./value";

export class Legend {
  private readonly rows = el("tbody");
  private readonly table: HTMLTableElement;

  constructor(
    body: HTMLElement,
    private readonly figures: readonly Figure[],
  ) {
    this.table = el("table", "legend");
    this.table.dataset.legend = "";
    const head = el("tr", "", el("th", "", el("span", "sr", "Line")), ...figures.map((f) => el("th", "right", f)));
    this.table.append(el("thead", "", head), this.rows);
    body.querySelector("[data-legend]")?.remove();
    body.append(this.table);
  }

  /** draw fills the rows; at a time that is pointed to, last is the value of then. */
  draw(lines: readonly Line[], more: number, pointed: number): void {
    const wanted = lines.length + (more > 0 ? 1 : 0);
    while (this.rows.rows.length > wanted) this.rows.deleteRow(-1);
    while (this.rows.rows.length < wanted) {
      this.rows.append(el("tr", "", el("th", "", el("i"), el("span")), ...this.figures.map(() => el("td", "right num"))));
    }
    lines.forEach((l, i) => {
      const cells = this.rows.rows[i]!.children;
      setClass(cells[0]!, lineClass(l.order));
      setText(cells[0]!.lastElementChild, l.name);
      this.figures.forEach((f, c) => setText(cells[c + 1]!, this.figureOf(l, f, pointed)));
    });
    if (more === 0) return;
    const cells = this.rows.rows[lines.length]!.children;
    setClass(cells[0]!, "muted");
    setText(cells[0]!.lastElementChild, `+ ${more} more`);
    for (let c = 1; c < cells.length; c++) setText(cells[c]!, "");
  }

  private figureOf(l: Line, f: Figure, pointed: number): string {
    if (f === "last") return l.text(Number.isNaN(pointed) ? l.last : l.at(pointed));
    if (l.count === 0) return NO_VALUE;
    if (f === "min") return figure(l.scale, l.lo);
    if (f === "max") return figure(l.scale, l.hi);
    const mean = l.sum / l.count;
    const finer = l.whole && l.scale.decimals === 0 && !Number.isInteger(mean) && l.hi < 1000;
    return figure(finer ? { ...l.scale, decimals: 1 } : l.scale, mean);
  }
}
