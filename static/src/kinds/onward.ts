// A picture that only moved on is not drawn anew: what is on the canvas is shifted
// by whole pixels, and what lies right of the last reading is drawn.

import type { Axis } from "../axis";
import { dashOf, type Palette } from "../colours";
import type { Line } from "../lines";
import { lively, type Picture } from "./paint";
import type { Plane } from "./plane";

const ENDS = 2; // widths of a line: how far the end of a line reaches around its reading

export class Onward {
  /** By how many device pixels the picture is to be shifted. */
  by = 0;
  /** From where on it is to be drawn, in device pixels; 0 when all of it is. */
  since = 0;
  private changes = -1;
  private palette: Palette | null = null;
  private lines: readonly Line[] | null = null;
  private axis: Axis | null = null;
  private perMs = 0;
  private pixel = 0; // of the left edge, counted from the beginning of time
  private edge = 0; // where the line ends that ends first
  private readonly edits: number[] = [];
  private readonly fars: number[] = [];

  /** plan decides how the canvas comes to show a picture. */
  plan(u: Plane, p: Palette, at: Picture): void {
    const { bbox } = u;
    const perMs = bbox.width / (at.view.to - at.view.from);
    const pixel = Math.floor(at.view.from * perMs);
    this.by = pixel - this.pixel;
    const same =
      u.changes === this.changes && p === this.palette && at.lines === this.lines && at.axis === this.axis && perMs === this.perMs && this.by >= 0 && this.by < bbox.width / 2 && simple(u, at) && this.unchanged(at.lines);
    const reach = Math.ceil(p.stroke * ENDS * devicePixelRatio) + 2;
    this.since = same ? Math.floor(this.edge - this.by) - reach : 0;
    if (this.since <= bbox.left + reach) this.since = 0;
    this.changes = u.changes;
    this.palette = p;
    this.lines = at.lines;
    this.axis = at.axis;
    this.perMs = perMs;
    this.pixel = pixel;
    this.edge = Number.POSITIVE_INFINITY;
    if (!simple(u, at)) this.lines = null;
    for (let i = 0; i < at.lines.length; i++) {
      const l = at.lines[i]!;
      this.edits[i] = l.series.edits;
      this.fars[i] = l.far;
    }
  }

  /** ended takes where a line that was drawn ends; NaN when nothing of it was. */
  ended(x: number): void {
    if (x === x) this.edge = Math.min(this.edge, x);
    else this.lines = null;
  }

  private unchanged(lines: readonly Line[]): boolean {
    for (let i = 0; i < lines.length; i++) if (lines[i]!.series.edits !== this.edits[i] || lines[i]!.far !== this.fars[i]) return false;
    return true;
  }
}

/** simple says whether a picture has lines alone, each of which fills whole pixels. */
function simple(u: Plane, at: Picture): boolean {
  const { left, width } = u.bbox;
  if (at.stack || at.thresholds.length > 0 || !at.view.live || !lively(at.state) || !Number.isInteger(left) || !Number.isInteger(width)) return false;
  for (const l of at.lines) {
    const { series } = l;
    if (series.marks.length > 0 || series.thin.length > 0 || dashOf(l.order).length > 0) return false;
    if (series.beyond - Math.max(series.indexFrom(at.view.from) - 1, series.first) <= width) return false;
  }
  return true;
}
