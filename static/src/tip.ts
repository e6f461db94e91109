// The crosshair of one chart: a dashed line at the time that all panels show,
// and a small card beside it where there is no rail for the value.

import { el, setText } from "./dom";
import { clock, type Zone } from "./times";

const BESIDE = 12; // px off the line, never on it

export class Tip {
  private readonly line = el("div", "cross");
  private readonly time = el("span");
  private readonly figure = el("b");
  private readonly card = el("div", "tooltip", this.time, this.figure);

  constructor(private readonly area: HTMLElement) {
    this.line.hidden = this.card.hidden = true;
    area.append(this.line, this.card);
  }

  /** show puts the line at x (px in the area, NaN for nowhere). The card stands only where the pointer does; without a figure it says the time alone. */
  show(x: number, top: number, height: number, t: number, figure: string, here: boolean, zone: Zone): void {
    const hidden = Number.isNaN(x);
    if (hidden && this.line.hidden) return;
    this.line.hidden = hidden;
    this.card.hidden = hidden || !here;
    if (hidden) return;
    this.line.style.height = `${height}px`;
    this.line.style.transform = `translate(${Math.round(x)}px, ${top}px)`;
    if (!here) return;
    setText(this.time, clock(t, zone));
    setText(this.figure, figure);
    const { offsetWidth } = this.card;
    const left = x + BESIDE + offsetWidth > this.area.clientWidth ? x - BESIDE - offsetWidth : x + BESIDE;
    this.card.style.transform = `translateX(${Math.round(left)}px)`;
  }
}
