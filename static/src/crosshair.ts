// One time for all panels: where the pointer stands on one of them. A drag
// chooses a stretch of time, with Shift it moves the time along.

import { el } from "./dom";
import type { Panel } from "./panel";
import type { Timeframe } from "./timeframe";

const FROM = 6; // px: less is a click that shook

export class Crosshair {
  /** The time that all panels point at, NaN for none. */
  time = Number.NaN;
  /** The panel on which the pointer stands, if it was put there. */
  on: Panel | null = null;
  private readonly selection = el("div", "selection");
  private drag: { panel: Panel; x: number; at: number; moves: boolean; from: number; to: number } | null = null;

  constructor(
    main: HTMLElement,
    private readonly timeframe: Timeframe,
    private readonly panelOf: (e: Element) => Panel | null,
    private readonly moved: () => void,
    private readonly now: () => number,
  ) {
    main.addEventListener("pointermove", (e) => this.move(e));
    main.addEventListener("pointerdown", (e) => this.press(e));
    main.addEventListener("pointerup", (e) => this.release(e));
    main.addEventListener("pointercancel", () => this.stop());
    main.addEventListener("pointerleave", () => this.point(Number.NaN));
    main.addEventListener("dblclick", (e) => {
      if (this.over(e)) timeframe.live();
    });
    document.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || !this.drag) return;
      this.stop();
      e.stopPropagation();
    });
  }

  /** point puts the crosshair at a time, NaN takes it away. */
  point(t: number, on: Panel | null = null): void {
    if (Object.is(t, this.time) && on === this.on) return;
    this.time = t;
    this.on = on;
    this.moved();
  }

  private over(e: MouseEvent): Panel | null {
    const panel = e.target instanceof Element ? this.panelOf(e.target) : null;
    return panel?.plot && e.target instanceof Node && panel.plot.contains(e.target) ? panel : null;
  }

  private move(e: PointerEvent): void {
    const { drag } = this;
    if (!drag) {
      const panel = this.over(e);
      this.point(panel ? panel.timeAt(e.clientX) : Number.NaN, panel);
      return;
    }
    const plot = drag.panel.plot;
    if (!plot) return this.stop();
    if (drag.moves) {
      const perPixel = (drag.to - drag.from) / Math.max(plot.clientWidth, 1);
      const by = (drag.x - e.clientX) * perPixel;
      const { from, to } = this.timeframe.window(this.now());
      if (Math.abs(e.clientX - drag.x) >= FROM) this.timeframe.pan(drag.from + by - from + (drag.to - drag.from - (to - from)));
      return;
    }
    const box = plot.getBoundingClientRect();
    const [a, b] = [Math.min(drag.x, e.clientX), Math.max(drag.x, e.clientX)].map((x) => Math.min(Math.max(x - box.left, 0), box.width)) as [number, number];
    this.selection.style.transform = `translateX(${a}px)`;
    this.selection.style.width = `${b - a}px`;
    if (!this.selection.isConnected && b - a >= FROM) plot.append(this.selection);
    this.point(drag.panel.timeAt(e.clientX), drag.panel);
  }

  private press(e: PointerEvent): void {
    const panel = e.button === 0 ? this.over(e) : null;
    const at = panel?.timeAt(e.clientX) ?? Number.NaN;
    if (!panel || Number.isNaN(at)) return;
    const { from, to } = this.timeframe.window(this.now());
    this.drag = { panel, x: e.clientX, at, moves: e.shiftKey, from, to };
    this.point(at, panel);
    if (e.pointerType === "mouse") panel.plot?.setPointerCapture(e.pointerId);
    if (e.shiftKey) e.preventDefault();
  }

  private release(e: PointerEvent): void {
    const { drag } = this;
    this.stop();
    if (!drag || drag.moves || Math.abs(e.clientX - drag.x) < FROM) return;
    const box = drag.panel.plot?.getBoundingClientRect();
    if (!box) return;
    // The picture may have moved on since the drag began; what is under the pointer now counts, and what was then.
    const end = drag.panel.timeAt(Math.min(Math.max(e.clientX, box.left), box.right));
    const to = Number.isNaN(end) ? drag.from : end;
    if (Math.abs(to - drag.at) > 0) this.timeframe.zoom(drag.at, to);
  }

  private stop(): void {
    this.drag = null;
    this.selection.remove();
  }
}
