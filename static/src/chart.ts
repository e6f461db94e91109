// uPlot in the clothes of Readout: a horizontal grid only, the right edge is now,
// the line stops where readings stop and is never joined over a gap.

import uPlot from "uplot";
import { type Axis, axisFor, labels, ticks } from "./axis";
import { dashOf, faded, type Palette, readPalette } from "./colours";
import { joinable, type State } from "./freshness";
import { Rail, type RailItem } from "./rail";
import type { Series } from "./series";
import { roundTimes, stepFor, timeLabel } from "./times";
import { figure, type Scale, scaleFor } from "./value";
import { Tip } from "./tip";

const COMPACT_BELOW = 160; // px of the panel's height: a chart becomes a number with its line
const LABELS_APART = 80; // px between two labels of the time axis
const MINUTES_FROM = 120_000; // ms of span from which labels are whole minutes
const EDGE = 20; // px at both ends of the time axis where a label would be cut

type Column = (number | null | undefined)[];

export class Chart {
  private plot: uPlot | null = null;
  private readonly area = document.createElement("div");
  private readonly rail = new Rail();
  private readonly tip: Tip;
  private palette: Palette | null = null;
  private columns: number[] = [];
  private axis: Axis = { lo: 0, hi: 1, step: 0.5 };
  private fitted = 0; // when the axis was last as large as the readings needed
  private scale: Scale = { divisor: 1, unit: "", decimals: 0 };
  private data: [number[], ...Column[]] = [[]];
  private lone: [t: number, v: number, order: number][] = []; // readings that no line reaches
  private compact = false;
  private width = 0;
  private height = 0;
  private state: State = "live";
  private now = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly panel: HTMLElement,
    private readonly series: Series,
    private readonly span: number,
    touch: () => void,
  ) {
    this.area.className = "plot-area";
    this.tip = new Tip(this.area, touch);
    new ResizeObserver(() => {
      this.measure();
      touch();
    }).observe(host);
    document.fonts.ready.then(() => this.restyle(touch), touch);
  }

  /** restyle asks for the colours again. */
  restyle(touch: () => void): void {
    this.palette = null;
    this.plot?.destroy();
    this.plot = null;
    touch();
  }

  /** draw brings the picture up to now and returns when it moves on by a pixel, in ms. */
  draw(now: number, interval: number, state: State): number {
    this.now = now;
    this.state = state;
    const columns = this.series.columns.map((_, c) => c).filter((c) => !this.series.isState(c));
    if (columns.length === 0) return Number.POSITIVE_INFINITY;
    if (columns.join() !== this.columns.join()) {
      this.columns = columns;
      this.plot?.destroy();
      this.plot = null;
    }
    this.fit(now);
    this.collect(now, joinable(interval));
    if (!this.plot && !this.build()) return Number.POSITIVE_INFINITY;
    const plot = this.plot!;
    this.tip.follow(plot, this.series, now, interval);
    plot.batch(() => {
      plot.setData(this.data as uPlot.AlignedData, false);
      plot.setScale("x", { min: now - this.span, max: now });
    });
    this.drawRail(plot);
    this.host.setAttribute("aria-label", this.sentence());
    return Math.max(this.span / Math.max(plot.bbox.width / devicePixelRatio, 1) / 2, 33);
  }

  /** fit grows the axis at once and lets it shrink only after a full window, so that it never breathes. */
  private fit(now: number): void {
    const unit = this.series.units[this.columns[0]!] ?? "";
    const seen = this.series.extent(this.columns, now - this.span);
    if (!seen) return;
    const own = axisFor(unit, seen.lo, seen.hi, seen.whole);
    const first = this.fitted === 0;
    const larger = own.lo < this.axis.lo || own.hi > this.axis.hi;
    const needed = own.lo <= this.axis.lo && own.hi >= this.axis.hi;
    if (first || larger || needed || now - this.fitted > this.span) {
      this.axis = larger && !first ? axisFor(unit, Math.min(own.lo, seen.lo), Math.max(own.hi, seen.hi), seen.whole) : own;
      if (own.lo >= this.axis.lo && own.hi <= this.axis.hi) this.axis = own;
      this.fitted = now;
    }
    this.scale = scaleFor(unit, Math.max(Math.abs(this.axis.lo), Math.abs(this.axis.hi)), seen.whole);
  }

  /** collect prepares the columns for uPlot: null ends a line, undefined is a reading without this value. */
  private collect(now: number, far: number): void {
    const { times, numbers } = this.series.window(now - this.span);
    const xs: number[] = [];
    const ys: Column[] = this.columns.map(() => []);
    const runs = this.columns.map(() => ({ length: 0, t: 0, v: 0 }));
    this.lone = [];
    const end = (order: number) => {
      const run = runs[order]!;
      if (run.length === 1) this.lone.push([run.t, run.v, order]);
      run.length = 0;
    };
    for (let i = 0; i < times.length; i++) {
      const t = times[i]!;
      const before = times[i - 1];
      if (before !== undefined && ((far > 0 && t - before > far) || this.series.broken(before, t))) {
        xs.push((before + t) / 2);
        ys.forEach((y, order) => {
          y.push(null);
          end(order);
        });
      }
      xs.push(t);
      ys.forEach((y, order) => {
        const v = numbers[this.columns[order]!]![i]!;
        const run = runs[order]!;
        if (!Number.isNaN(v)) {
          y.push(v);
          run.length++;
          run.t = t;
          run.v = v;
        } else if (far > 0 && run.length > 0 && t - run.t > far) {
          y.push(null);
          end(order);
        } else y.push(undefined);
      });
    }
    ys.forEach((_, order) => end(order));
    this.data = [xs, ...ys];
  }

  private measure(): void {
    const compact = this.panel.clientHeight > 0 && this.panel.clientHeight < COMPACT_BELOW && this.panel.dataset.panel === "embed";
    const { clientWidth, clientHeight } = this.area.isConnected ? this.area : this.host;
    if (compact !== this.compact) {
      this.compact = compact;
      this.plot?.destroy();
      this.plot = null;
    }
    this.width = clientWidth;
    this.height = clientHeight;
    if (this.plot && (this.plot.width !== clientWidth || this.plot.height !== clientHeight)) this.plot.setSize({ width: clientWidth, height: clientHeight });
  }

  private build(): boolean {
    if (!this.area.isConnected) {
      this.host.replaceChildren(this.area, this.rail.element);
      this.host.classList.add("drawn");
    }
    this.rail.element.hidden = this.columns.length < 2;
    this.host.classList.toggle("railed", this.columns.length > 1);
    this.measure();
    if (this.width < 20 || this.height < 10) return false;
    this.palette ??= readPalette(this.host);
    this.plot = new uPlot(this.options(this.palette), this.data as uPlot.AlignedData, this.area);
    return true;
  }

  private options(p: Palette): uPlot.Options {
    const weight = () => (this.state === "live" || this.state === "quiet" ? 1 : 0.6);
    const single = this.columns.length === 1;
    const lines: uPlot.Series[] = this.columns.map((_, order) => ({
      pxAlign: 0, // else slow slopes climb in steps of a pixel
      stroke: () => faded(p.line(order), weight()),
      fill: single ? () => faded(p.line(order), p.fill * weight()) : undefined,
      fillTo: () => this.axis.lo,
      width: p.stroke,
      dash: dashOf(order),
      spanGaps: false,
      points: { show: false },
    }));
    const bare: uPlot.Axis = { show: false };
    const x: uPlot.Axis = {
      stroke: p.muted,
      font: p.font,
      size: 24,
      gap: 8,
      grid: { show: false },
      ticks: { show: false },
      splits: (u) => this.timeSplits(u),
      values: (u, splits) => splits.map((t) => timeLabel(t, this.timeStep(u))),
    };
    const y: uPlot.Axis = {
      stroke: p.muted,
      font: p.font,
      size: (u, values) => this.labelWidth(u, values ?? [], p.font),
      gap: 8,
      grid: { stroke: p.grid, width: 1 },
      ticks: { show: false },
      splits: () => ticks(this.axis),
      values: () => labels(this.axis, this.scale),
    };
    return {
      width: this.width,
      height: this.height,
      ms: 1,
      padding: this.compact ? [4, 5, 4, 1] : [7, 5, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: { x: { time: true, auto: false, range: (_u, min, max) => [min, max] }, y: { auto: false, range: () => [this.axis.lo, this.axis.hi] } },
      axes: this.compact ? [bare, bare] : [x, y],
      series: [{}, ...lines],
      hooks: { drawAxes: [(u) => this.drawBelow(u, p)], draw: [(u) => this.drawAbove(u, p)] },
    };
  }

  private timeStep(u: uPlot): number {
    const step = stepFor((this.span / Math.max(u.bbox.width / devicePixelRatio, 1)) * LABELS_APART);
    return this.span > MINUTES_FROM ? Math.max(step, 60_000) : step;
  }

  private timeSplits(u: uPlot): number[] {
    const edge = (this.span / Math.max(u.bbox.width / devicePixelRatio, 1)) * EDGE;
    return roundTimes(this.now - this.span + edge, this.now - edge, this.timeStep(u));
  }

  private labelWidth(u: uPlot, values: string[], font: string): number {
    u.ctx.save();
    u.ctx.font = font;
    const width = Math.max(30, ...values.map((v) => u.ctx.measureText(v ?? "").width));
    u.ctx.restore();
    return Math.ceil(width) + 10;
  }

  /** drawBelow draws what lies behind the lines: silence and gaps. */
  private drawBelow(u: uPlot, p: Palette): void {
    const { ctx, bbox } = u;
    const dpr = devicePixelRatio;
    const x = (t: number) => Math.min(Math.max(u.valToPos(t, "x", true), bbox.left), bbox.left + bbox.width);
    ctx.save();
    ctx.font = p.font.replace(/([\d.]+)px/, (_, px) => `${Number(px) * dpr}px`);
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    const last = this.series.lastTime;
    if ((this.state === "stale" || this.state === "again" || this.state === "stopped") && !Number.isNaN(last)) {
      const from = x(last);
      const to = bbox.left + bbox.width;
      ctx.fillStyle = p.staleSoft;
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
      ctx.fillStyle = p.stale;
      ctx.fillRect(from - dpr / 2, bbox.top, dpr, bbox.height);
      const text = "no reading";
      if (!this.compact && to - from > ctx.measureText(text).width + 12 * dpr) {
        ctx.fillStyle = p.text2;
        ctx.fillText(text, from + 6 * dpr, bbox.top + 5 * dpr);
      }
    }
    for (const m of this.series.marks) {
      const from = x(m.from);
      const to = Math.max(x(Math.min(m.to, this.now)), from + 3 * dpr);
      if (m.to < this.now - this.span) continue;
      ctx.fillStyle = hatch(ctx, p.gap, dpr);
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
      if (this.compact) continue;
      ctx.fillStyle = p.text2;
      const width = ctx.measureText(m.text).width;
      const right = to + 6 * dpr + width < bbox.left + bbox.width;
      ctx.fillText(m.text, right ? to + 6 * dpr : Math.max(from - 6 * dpr - width, bbox.left), bbox.top + 5 * dpr);
    }
    ctx.restore();
  }

  /** drawAbove draws the ends of the lines, readings that stand alone, and the crosshair. */
  private drawAbove(u: uPlot, p: Palette): void {
    const { ctx, bbox } = u;
    const dpr = devicePixelRatio;
    const live = this.state === "live" || this.state === "quiet";
    ctx.save();
    const disc = (t: number, v: number, order: number, radius: number) => {
      ctx.fillStyle = live ? p.line(order) : faded(p.line(order), 0.6);
      ctx.beginPath();
      ctx.arc(u.valToPos(t, "x", true), u.valToPos(v, "y", true), radius * dpr, 0, 2 * Math.PI);
      ctx.fill();
    };
    const from = this.now - this.span;
    for (const [t, v, order] of this.lone) if (t >= from) disc(t, v, order, 2);
    this.columns.forEach((c, order) => {
      const tip = this.tipOf(c);
      if (tip && tip[0] >= from) disc(tip[0], tip[1], order, p.stroke * 2);
    });
    const hover = this.tip.row;
    if (hover >= 0) {
      const row = this.series.row(hover);
      const x = Math.round(u.valToPos(row.time, "x", true)) + 0.5;
      ctx.strokeStyle = p.text2;
      ctx.lineWidth = dpr;
      ctx.setLineDash([3 * dpr, 3 * dpr]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      this.columns.forEach((c, order) => {
        const v = row.values[c];
        if (typeof v === "number") disc(row.time, v, order, 3);
      });
    }
    ctx.restore();
  }

  private tipOf(column: number): [t: number, v: number] | null {
    for (const i of this.series.newest(20)) {
      const v = this.series.value(column, i);
      if (typeof v === "number") return [this.series.row(i).time, v];
    }
    return null;
  }

  private drawRail(plot: uPlot): void {
    const dpr = devicePixelRatio;
    const hover = this.tip.row;
    const row = hover >= 0 ? this.series.row(hover) : null;
    this.tip.show(row, this.columns.length === 1 && row ? figure(this.figureScale(this.columns[0]!), Number(row.values[this.columns[0]!] ?? Number.NaN)) : "");
    if (this.columns.length < 2) return;
    const items: RailItem[] = this.columns.map((c, order) => {
      const tip = this.tipOf(c);
      const shown = row ? row.values[c] : this.series.last(c);
      return {
        order,
        name: this.series.columns[c]!,
        figure: figure(this.figureScale(c), typeof shown === "number" ? shown : Number.NaN),
        y: tip ? plot.valToPos(tip[1], "y") + plot.bbox.top / dpr : Number.NaN,
      };
    });
    this.rail.draw(items, this.height - (this.compact ? 0 : 24), performance.now());
  }

  private figureScale(column: number): Scale {
    return this.series.scale(column, this.now - this.span);
  }

  private sentence(): string {
    const minutes = Math.round(this.span / 60_000);
    const parts = this.columns.slice(0, 4).map((c) => {
      const seen = this.series.extent([c], this.now - this.span);
      const name = this.columns.length > 1 ? `${this.series.columns[c]}, ` : "";
      if (!seen) return `${name}no reading in this time`;
      const scale = this.figureScale(c);
      const now = this.series.last(c);
      return `${name}${figure(scale, seen.lo)} to ${figure(scale, seen.hi)}, now ${figure(scale, typeof now === "number" ? now : Number.NaN)} ${scale.unit}`.trim();
    });
    const missing = this.series.marks.map((m) => m.text).join(", ");
    return [`last ${minutes} min`, ...parts, missing].filter(Boolean).join(", ");
  }
}

function hatch(ctx: CanvasRenderingContext2D, colour: string, dpr: number): CanvasPattern | string {
  const tile = document.createElement("canvas");
  const size = Math.round(6 * dpr);
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  if (!pen) return colour;
  pen.strokeStyle = colour;
  pen.lineWidth = dpr;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat") ?? colour;
}
