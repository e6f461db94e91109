// The crosshair of a chart: where the pointer is, which reading is nearest, and
// a small card beside the line where there is no rail to show the value.

import type uPlot from "uplot";
import { joinable } from "./freshness";
import type { Value } from "./frame";
import type { Series } from "./series";
import { clock } from "./times";

const BESIDE = 12; // px off the line, never on it

export class Tip {
  /** The index of the reading under the crosshair in its series; -1 when there is none. */
  row = -1;
  private readonly card = document.createElement("div");
  private readonly time = document.createElement("span");
  private readonly figure = document.createElement("b");
  private x = Number.NaN; // px in the area
  private at = 0; // px of the reading

  constructor(
    private readonly area: HTMLElement,
    touch: () => void,
  ) {
    this.card.className = "tooltip";
    this.card.hidden = true;
    this.card.append(this.time, this.figure);
    area.append(this.card);
    const move = (e: PointerEvent) => {
      this.x = e.clientX - area.getBoundingClientRect().left;
      touch();
    };
    area.addEventListener("pointermove", move);
    area.addEventListener("pointerdown", move);
    area.addEventListener("pointerleave", () => {
      this.x = Number.NaN;
      touch();
    });
  }

  /** follow finds the reading under the pointer. */
  follow(plot: uPlot, series: Series, now: number, interval: number): void {
    this.row = -1;
    if (Number.isNaN(this.x)) return;
    const left = plot.bbox.left / devicePixelRatio;
    const t = plot.posToVal(this.x - left, "x");
    if (this.x < left || t > now) return;
    this.row = series.nearest(t, joinable(interval) || Number.POSITIVE_INFINITY);
    if (this.row >= 0) this.at = left + plot.valToPos(series.row(this.row).time, "x");
  }

  /** show puts the card beside the line; without a figure the rail says it all but the time. */
  show(row: { time: number; values: Value[] } | null, figure: string): void {
    this.card.hidden = !row;
    if (!row) return;
    this.time.textContent = clock(row.time);
    this.figure.textContent = figure;
    const left = this.at + BESIDE + this.card.offsetWidth > this.area.clientWidth ? this.at - BESIDE - this.card.offsetWidth : this.at + BESIDE;
    this.card.style.transform = `translateX(${Math.round(left)}px)`;
  }
}
