// The values at the ends of the lines: each label stands at the height of its
// line's end, pushed apart where lines end close together, joined by a leader.

import { lineClass } from "./colours";
import { setText } from "./dom";

const SPACING = 17; // px
const WALL_SPACING = 22; // px: the letters of a wall screen are larger
const MOST = 6; // lines; with more, the largest five are listed
const PLACES_EVERY = 1000; // ms

export interface RailItem {
  order: number; // the line's colour
  name: string;
  figure: string;
  value: number; // which of many are the largest
  y: number; // px from the top of the plot where the line ends; NaN when it is not drawn
}

interface Label {
  row: HTMLElement;
  figure: HTMLElement;
  name: HTMLElement;
  lead: SVGLineElement;
}

export class Rail {
  readonly element = document.createElement("div");
  private readonly leads = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  private readonly labels: Label[] = [];
  private readonly more = document.createElement("div");
  private shown: number[] = [];
  private known = -1;
  private longest = -1; // characters of a name: the rail is as wide as they need
  private placed = Number.NEGATIVE_INFINITY;

  constructor() {
    this.element.className = "rail live";
    this.element.setAttribute("aria-hidden", "true");
    this.leads.setAttribute("class", "leads");
    this.more.className = "more";
    this.element.append(this.leads, this.more);
  }

  /** draw shows values at once and moves labels at most once a second. height is the plot's, in px; more lines are not drawn at all. */
  draw(items: readonly RailItem[], height: number, at: number, more: number): void {
    if (at - this.placed >= PLACES_EVERY || this.known !== items.length) {
      this.placed = at;
      this.known = items.length;
      this.place(items, height, more);
    }
    for (let i = 0; i < this.shown.length; i++) setText(this.labels[i]!.figure, items[this.shown[i]!]!.figure);
  }

  private place(items: readonly RailItem[], height: number, more: number): void {
    const depth = (i: number) => (Number.isNaN(items[i]!.y) ? height : Math.min(Math.max(items[i]!.y, 0), height));
    let order = items.map((_, i) => i).sort((a, b) => depth(a) - depth(b) || a - b);
    const left = order.length > MOST ? order.length - (MOST - 1) : 0;
    if (left) {
      const least = (i: number) => (Number.isNaN(items[i]!.value) ? Number.NEGATIVE_INFINITY : items[i]!.value);
      const kept = new Set([...order].sort((a, b) => least(b) - least(a)).slice(0, MOST - 1));
      order = order.filter((i) => kept.has(i));
    }
    const hidden = left + more;
    const spacing = document.documentElement.dataset.view === "wall" ? WALL_SPACING : SPACING;
    this.shown = order;
    const longest = Math.max(0, ...order.map((i) => items[i]!.name.length));
    if (longest !== this.longest) this.element.style.setProperty("--longest", String((this.longest = longest)));
    const places = spread(order.map(depth), spacing, height - (hidden ? 1.5 * spacing : 0));
    while (this.labels.length < order.length) this.grow();
    this.labels.forEach((label, i) => {
      const item = items[order[i] ?? -1];
      label.row.hidden = !item;
      label.lead.setAttribute("visibility", item && !Number.isNaN(item.y) ? "visible" : "hidden");
      if (!item) return;
      label.row.style.top = `${places[i]! - spacing / 2}px`;
      label.row.className = `entry ${lineClass(item.order)}`;
      if (label.name.textContent !== item.name) label.name.textContent = item.name;
      label.lead.setAttribute("class", `lead ${lineClass(item.order)}`);
      label.lead.setAttribute("y1", String(depth(order[i]!)));
      label.lead.setAttribute("y2", String(places[i]));
    });
    this.more.hidden = hidden === 0;
    if (hidden) this.more.textContent = `+ ${hidden} more`;
  }

  private grow(): void {
    const row = document.createElement("div");
    const figure = document.createElement("b");
    const name = document.createElement("span");
    row.append(figure, name);
    const lead = document.createElementNS("http://www.w3.org/2000/svg", "line");
    lead.setAttribute("x1", "3");
    lead.setAttribute("x2", "12");
    this.leads.append(lead);
    this.element.insertBefore(row, this.more);
    this.labels.push({ row, figure, name, lead });
  }
}

/** spread pushes sorted places apart by at least space, within 0 to height as far as they fit. */
export function spread(places: number[], space: number, height: number): number[] {
  const out: number[] = [];
  for (const p of places) out.push(out.length === 0 ? p : Math.max(p, out[out.length - 1]! + space));
  for (let i = out.length - 1, limit = height; i >= 0; i--, limit -= space) out[i] = Math.min(out[i]!, limit);
  return out;
}
