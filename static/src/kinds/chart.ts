// Lines, areas and stacks over time, drawn straight from the readings that the
// feeds hold. The line stops where readings stop and is never joined over a gap.

import { type Axis, axisFor, axisScale, labels, ticks } from "../axis";
import type { Palette } from "../colours";
import { attribute, el } from "../dom";
import type { State } from "../freshness";
import { Legend } from "../legend";
import type { Line, View } from "../lines";
import { Rail, type RailItem } from "../rail";
import { firstRound, roundTimes, stepFor, timeLabel, type Zone } from "../times";
import { age, figure, type Scale } from "../value";
import { Tip } from "../tip";
import type { Around, Body } from "./body";
import { drawBelow, drawLines, type Picture } from "./paint";
import { Onward } from "./onward";
import { Plane } from "./plane";
import { Stack } from "./stack";

const COMPACT_BELOW = 160; // px of an embed's height: the chart has no axes then
const LABELS_APART = 80; // px between two labels of the time axis
const MINUTES_FROM = 120_000; // ms of span from which labels are whole minutes
const EDGE = 20; // px at both ends of the time axis where a label would be cut
const CHECK_EVERY = 250; // ms between two looks whether the axis could be smaller
const GAP = 8; // px between the plot and its labels
const UNDER = 7; // px below the plot from which on only labels of times stand
const TIMES = 24; // px below the plot for the labels of the time axis
const BESIDE = 5; // px right of the plot, for the end of the line
const LEGEND_EVERY = 250; // ms
const SENTENCE_EVERY = 1000; // ms

export class Chart implements Body {
  readonly plot = el("div", "plot-area");
  readonly canvas = true;
  private readonly host: HTMLElement;
  private readonly rail = new Rail();
  private readonly items: RailItem[] = [];
  private readonly legend: Legend | null;
  private readonly tip: Tip;
  private readonly stack: Stack | null;
  private readonly observer: ResizeObserver;
  private readonly picture: Picture;
  private readonly onward = new Onward();
  private u: Plane | null = null;
  private axis: Axis = { lo: 0, hi: 1, step: 0.5 };
  private fitted = Number.NEGATIVE_INFINITY; // when the axis was last as large as the readings needed
  private checked = Number.NEGATIVE_INFINITY;
  private fittedFor = "";
  private scale: Scale = { divisor: 1, unit: "", decimals: 0 };
  private figures = this.scale; // how the figures were printed when the axis was labelled
  private ylabels: string[] = [];
  private ysplits: number[] = [];
  private compact = false;
  private resized = false;
  private width = 0;
  private height = 0;
  private told = Number.NEGATIVE_INFINITY;
  private legendAt = Number.NEGATIVE_INFINITY;
  private many = false;
  private measured: string[] = []; // the labels whose width is known
  private measuredIn: Palette | null = null;
  private axisWidth = 0;
  private times: number[] = []; // the round times of the axis, and their labels
  private timeTexts: string[] = [];
  private timesFrom = Number.NaN;
  private timesStep = 0;
  private timesZone: Zone | null = null;

  constructor(
    body: HTMLElement,
    private readonly around: Around,
  ) {
    const { config } = around;
    this.host = body.querySelector<HTMLElement>("[data-chart]") ?? el("div", "chart");
    this.host.setAttribute("role", "img");
    this.host.dataset.chart = "";
    if (!this.host.isConnected) body.replaceChildren(this.host);
    this.stack = config.kind === "stacked" ? new Stack() : null;
    this.legend = config.legend.length > 0 ? new Legend(body, config.legend) : null;
    this.tip = new Tip(this.plot);
    this.picture = { strokes: around.strokes, axis: this.axis, scale: this.scale, view: { now: 0, from: 0, to: 1, live: true }, state: "live", lines: [], stack: this.stack, compact: false, thresholds: config.thresholds, filled: false, box: { left: 0, top: 0, width: 0, height: 0, from: 0, to: 1, lo: 0, hi: 1 } };
    this.observer = new ResizeObserver(() => {
      this.measure();
      around.touch();
    });
    this.observer.observe(this.host);
  }

  end(): void {
    this.observer.disconnect();
    this.plot.remove();
    this.u = null;
  }

  restyle(): void {
    this.measuredIn = null;
    this.resized = true;
    this.around.touch();
  }

  timeAt(clientX: number): number {
    if (!this.u) return Number.NaN;
    const box = this.plot.getBoundingClientRect();
    const left = this.u.bbox.left / devicePixelRatio;
    const { from, to } = this.picture.view;
    const x = clientX - box.left - left;
    return x < 0 ? Number.NaN : Math.min(from + (x / Math.max(this.u.bbox.width / devicePixelRatio, 1)) * (to - from), to);
  }

  draw(view: View, state: State): number {
    const { numbers } = this.around.lines;
    if (numbers.length === 0) return Number.POSITIVE_INFINITY;
    const { picture } = this;
    picture.view = view;
    picture.state = state;
    picture.lines = numbers;
    picture.compact = this.compact;
    picture.filled = this.around.config.kind === "area" || numbers.length === 1;
    const many = numbers.length > 1;
    if (!this.u || many !== this.many) {
      this.many = many;
      if (!this.build()) return Number.POSITIVE_INFINITY;
    }
    if (this.resized) this.measure();
    if (this.width < 20 || this.height < 10) return Number.POSITIVE_INFINITY;
    const u = this.u!;
    // Two times of a pixel are one to the eye.
    this.stack?.take(numbers, view.from, view.to, (view.to - view.from) / Math.max(u.bbox.width, 1));
    this.fit(view);
    picture.axis = this.axis;
    picture.scale = this.scale;
    this.place(u);
    this.paint(u, this.around.look.palette());
    if (!view.live) return Number.POSITIVE_INFINITY;
    return Math.max((view.to - view.from) / Math.max(u.bbox.width / devicePixelRatio, 1) / 2, 33);
  }

  write(view: View): void {
    if (!this.u || this.around.lines.numbers.length === 0) return;
    this.tell(view);
    this.drawCross(this.u, view);
  }

  sentence(view: View): string {
    const parts = this.around.lines.numbers.slice(0, 4).map((l) => {
      const name = this.many ? `${l.name}, ` : "";
      if (l.count === 0) return `${name}no reading in this time`;
      return `${name}${figure(l.scale, l.lo)} to ${figure(l.scale, l.hi)}, now ${l.text()} ${l.scale.unit}`.trim();
    });
    const left = this.around.lines.numbers.length - 4 + this.around.lines.more;
    if (left > 0) parts.push(`and ${left} more`);
    const missing = [...new Set(this.around.lines.feeds.flatMap((f) => f.series.marks.filter((m) => m.to >= view.from).map((m) => m.text)))];
    return [`last ${age(view.to - view.from)}`, ...parts, ...missing].join(", ");
  }

  /** fit grows the axis at once and lets it shrink only after a full window, so that it never breathes. */
  private fit(view: View): void {
    const { config, lines } = this.around;
    const unit = lines.numbers[0]!.unit;
    let lo = Number.POSITIVE_INFINITY;
    let hi = Number.NEGATIVE_INFINITY;
    let whole = true;
    for (const l of lines.numbers) {
      if (l.count === 0) continue;
      if (l.lo < lo) lo = l.lo;
      if (l.hi > hi) hi = l.hi;
      whole &&= l.whole;
    }
    if (this.stack && this.stack.hi > hi) hi = this.stack.hi;
    if (this.stack && lo > 0) lo = 0;
    // Shares of a whole are a hundred percent together, but for how they were rounded.
    const whole100 = unit === "percent" || unit === "%" ? 100 : unit === "ratio" ? 1 : 0;
    if (this.stack && hi > whole100 && hi < whole100 * 1.01) hi = whole100;
    if (config.min < lo) lo = config.min; // false when it is NaN
    if (config.max > hi) hi = config.max;
    if (lo > hi) return;
    const figures = lines.numbers[0]!.scale;
    if (figures.divisor !== this.figures.divisor || figures.unit !== this.figures.unit) this.label({ ...this.axis }, unit, whole);
    const span = view.to - view.from;
    const forWhat = `${unit} ${span} ${view.live ? "live" : view.from}`;
    const at = view.live ? view.now : 0;
    const holds = forWhat === this.fittedFor && lo >= this.axis.lo && hi <= this.axis.hi;
    if (holds && at - this.checked < CHECK_EVERY) return;
    this.checked = at;
    const own = axisFor(unit, lo, hi, whole);
    const needed = own.lo <= this.axis.lo && own.hi >= this.axis.hi;
    if (holds && !needed && at - this.fitted <= span) return;
    this.fitted = at;
    this.fittedFor = forWhat;
    if (own.lo === this.axis.lo && own.hi === this.axis.hi && own.step === this.axis.step && this.ylabels.length > 0) return;
    this.label(own, unit, whole);
  }

  /** label takes an axis and prints it in the unit of the figures beside it. */
  private label(axis: Axis, unit: string, whole: boolean): void {
    this.axis = axis;
    this.figures = this.around.lines.numbers[0]!.scale;
    this.scale = axisScale(axis, this.figures, unit, whole);
    this.ysplits = ticks(axis);
    this.ylabels = labels(axis, this.scale);
  }

  private measure(): void {
    const { element } = this.around;
    const compact = "embed" in element.dataset && element.clientHeight > 0 && element.clientHeight < COMPACT_BELOW;
    const { clientWidth, clientHeight } = this.plot.isConnected ? this.plot : this.host;
    this.resized = false;
    this.compact = compact;
    this.width = clientWidth;
    this.height = clientHeight;
  }

  private build(): boolean {
    if (!this.plot.isConnected) {
      this.host.replaceChildren(this.plot, this.rail.element);
      this.host.classList.add("drawn");
    }
    const railed = this.many && !this.legend;
    this.rail.element.hidden = !railed;
    this.host.classList.toggle("railed", railed);
    this.measure();
    if (this.width < 20 || this.height < 10) return false;
    if (!this.u) {
      this.u = new Plane();
      this.plot.append(this.u.canvas);
    }
    return true;
  }

  /** place leaves room for the labels beside the plot. */
  private place(u: Plane): void {
    if (this.compact) u.place(this.width, this.height, 1, 4, BESIDE, 4);
    else u.place(this.width, this.height, this.labelWidth(), 7, BESIDE, TIMES);
  }

  private paint(u: Plane, p: Palette): void {
    const { onward, picture } = this;
    const { ctx, bbox, canvas } = u;
    onward.plan(u, p, picture);
    const { since, by } = onward;
    if (since === 0) {
      u.clear();
      this.drawGrid(u, p, bbox.left);
      drawBelow(u, p, picture, this.around.lines.feeds);
      drawLines(u, p, picture, onward);
      if (!this.compact) this.drawValues(u);
      if (!this.compact) this.drawTimes(u);
      return;
    }
    const below = this.compact ? canvas.height : bbox.top + bbox.height + UNDER * devicePixelRatio;
    if (by > 0) u.shift(by, below);
    ctx.clearRect(since, 0, canvas.width - since, below);
    this.drawGrid(u, p, since);
    drawLines(u, p, picture, onward);
    if (this.compact || by === 0) return;
    ctx.clearRect(0, below, canvas.width, canvas.height - below);
    this.drawTimes(u);
  }

  private drawGrid({ ctx, bbox }: Plane, p: Palette, from: number): void {
    if (this.compact) return;
    const { lo, hi } = this.axis;
    const width = devicePixelRatio;
    const offset = (width % 2) / 2;
    ctx.fillStyle = p.grid;
    for (const tick of this.ysplits) {
      const y = Math.round(bbox.top + bbox.height - ((tick - lo) / (hi - lo)) * bbox.height);
      ctx.fillRect(from, y + offset - width / 2, bbox.left + bbox.width - from, width);
    }
  }

  private timeStep(u: Plane): number {
    const { from, to } = this.picture.view;
    const step = stepFor(((to - from) / Math.max(u.bbox.width / devicePixelRatio, 1)) * LABELS_APART);
    return to - from > MINUTES_FROM ? Math.max(step, 60_000) : step;
  }

  /** drawValues writes the labels of the axis of values. */
  private drawValues(u: Plane): void {
    const { look } = this.around;
    const { ctx, bbox } = u;
    const { axis } = this;
    const dpr = devicePixelRatio;
    const bottom = bbox.top + bbox.height;
    for (let i = 0; i < this.ylabels.length; i++) {
      look.write(ctx, this.ylabels[i]!, bbox.left - GAP * dpr, bottom - ((this.ysplits[i]! - axis.lo) / (axis.hi - axis.lo)) * bbox.height, 1);
    }
  }

  /** drawTimes writes the labels of the axis of time. */
  private drawTimes(u: Plane): void {
    const { look } = this.around;
    const { ctx, bbox } = u;
    const dpr = devicePixelRatio;
    const bottom = bbox.top + bbox.height;
    const { from, to } = this.picture.view;
    const perMs = bbox.width / (to - from);
    const edge = (EDGE * dpr) / perMs;
    const step = this.timeStep(u);
    const zone = this.around.zone();
    const first = firstRound(from + edge, step, zone);
    if (first !== this.timesFrom || step !== this.timesStep || zone !== this.timesZone) {
      this.timesFrom = first;
      this.timesStep = step;
      this.timesZone = zone;
      this.times = roundTimes(first, to + step, step, zone);
      this.timeTexts = this.times.map((t) => timeLabel(t, step, zone));
    }
    for (let i = 0; i < this.times.length && this.times[i]! <= to - edge; i++) {
      look.write(ctx, this.timeTexts[i]!, bbox.left + (this.times[i]! - from) * perMs, bottom + (GAP + 6) * dpr, 0.5);
    }
  }

  private labelWidth(): number {
    if (this.measured === this.ylabels && this.measuredIn === this.around.look.palette()) return this.axisWidth;
    let width = 30 * devicePixelRatio;
    for (const text of this.ylabels) width = Math.max(width, this.around.look.width(text));
    this.measured = this.ylabels;
    this.measuredIn = this.around.look.palette();
    this.axisWidth = Math.ceil(width / devicePixelRatio) + 10;
    return this.axisWidth;
  }

  /** tell keeps the words about the picture, and the legend. */
  private tell(view: View): void {
    if (view.now - this.told >= SENTENCE_EVERY || !view.live) {
      this.told = view.now;
      const title = this.around.config.title;
      attribute(this.host, "aria-label", `${title ? `${title}, ` : ""}${this.sentence(view)}`);
    }
    if (this.legend && (view.now - this.legendAt >= LEGEND_EVERY || !view.live || !Number.isNaN(this.around.pointed()))) {
      this.legendAt = view.now;
      this.legend.draw(this.around.lines.numbers, this.around.lines.more, this.around.pointed());
    }
  }

  /** drawCross puts the crosshair, and the values of its time where values stand. */
  private drawCross(u: Plane, view: View): void {
    const t = this.around.pointed();
    const dpr = devicePixelRatio;
    const left = u.bbox.left / dpr;
    const inside = t >= view.from && t <= view.to;
    const single = this.many ? null : this.around.lines.numbers[0]!;
    const shown = inside && single ? single.at(t) : null;
    const x = inside ? left + ((t - view.from) / (view.to - view.from)) * (u.bbox.width / dpr) : Number.NaN;
    this.tip.show(x, u.bbox.top / dpr, u.bbox.height / dpr, t, single && shown !== null ? `${single.text(shown)}${single.scale.unit && `\u2009${single.scale.unit}`}` : "", this.around.pointedHere(), this.around.zone());
    if (this.rail.element.hidden) return;
    const { numbers, more } = this.around.lines;
    const { items } = this;
    items.length = Math.min(items.length, numbers.length);
    for (let i = 0; i < numbers.length; i++) {
      const l = numbers[i]!;
      const item = (items[i] ??= { order: 0, name: "", figure: "", y: 0, value: 0 });
      item.order = l.order;
      item.name = l.name;
      item.figure = l.text(inside ? l.at(t) : l.last);
      item.y = this.endOf(l, u);
      item.value = l.number;
    }
    this.rail.draw(items, this.height - (this.compact ? 0 : TIMES), performance.now(), more);
  }

  /** endOf is where a line ends, in px from the top; NaN when it is not drawn. */
  private endOf(l: Line, u: Plane): number {
    let v = l.number;
    if (l.count === 0) return Number.NaN;
    if (this.stack) {
      const layer = this.stack.layers.indexOf(l);
      const tops = this.stack.tops[layer];
      if (tops && this.stack.length > 0) {
        const at = this.stack.length - 1;
        v = (tops[at]! + this.stack.base(layer, at)) / 2;
      }
    }
    const { lo, hi } = this.axis;
    return (u.bbox.top + (1 - (v - lo) / (hi - lo)) * u.bbox.height) / devicePixelRatio;
  }
}
