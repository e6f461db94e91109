// What a chart draws on its canvas: below the lines what is missing and what is
// a limit, then the lines, above them their ends.

import { type Axis, decimalsOf } from "../axis";
import { dashOf, type Palette } from "../colours";
import type { Feed } from "../feed";
import type { State } from "../freshness";
import type { Line, View } from "../lines";
import { area, type Box, columns, type Strokes, trace } from "../strokes";
import { reached, type Threshold } from "../thresholds";
import { figure, type Scale } from "../value";
import type { Onward } from "./onward";
import type { Plane } from "./plane";
import type { Stack } from "./stack";

const NOTES_FROM = 400; // px of plot: below, only the chip speaks
const BAND = 0.06; // of the colour of a threshold that is crossed
const STACK_FILL = 0.34;
const ROUND_FROM = 4; // px between two spots from which joins are round
const DOTS_APART = 4; // px: closer than this kept readings are a line, not dots

/** Picture is what a chart is about to draw. */
export interface Picture {
  strokes: Strokes;
  axis: Axis;
  /** How the axis prints its values. */
  scale: Scale;
  view: View;
  state: State;
  lines: readonly Line[];
  stack: Stack | null;
  compact: boolean;
  thresholds: readonly Threshold[];
  /** filled draws the area under the lines. */
  filled: boolean;
  box: Box;
}

/** boxOf is the plot in device pixels, in the one object that the picture has for it: drawing makes no garbage. */
function boxOf(u: Plane, at: Picture): Box {
  const { box } = at;
  box.left = u.bbox.left;
  box.top = u.bbox.top;
  box.width = u.bbox.width;
  box.height = u.bbox.height;
  box.from = at.view.from;
  box.to = at.view.to;
  box.lo = at.axis.lo;
  box.hi = at.axis.hi;
  return box;
}

/** lively says whether values are of now. */
export const lively = (s: State) => s === "live" || s === "quiet";

/** drawBelow draws limits, silence and gaps. */
export function drawBelow(u: Plane, p: Palette, at: Picture, feeds: readonly Feed[]): void {
  const { ctx } = u;
  const b = boxOf(u, at);
  const dpr = devicePixelRatio;
  const right = b.left + b.width;
  const x = (t: number) => Math.min(Math.max(b.left + ((t - b.from) / (b.to - b.from)) * b.width, b.left), right);
  const noted = !at.compact && b.width / dpr >= NOTES_FROM;
  ctx.save();
  ctx.font = p.canvasFont;
  ctx.textBaseline = "top";
  ctx.textAlign = "left";
  drawLimits(ctx, b, p, at, dpr);
  let last = Number.NEGATIVE_INFINITY;
  for (const f of feeds) if (f.series.lastTime > last) last = f.series.lastTime;
  if (at.view.live && (at.state === "stale" || at.state === "again" || at.state === "stopped") && last > Number.NEGATIVE_INFINITY) {
    const from = x(last);
    ctx.fillStyle = p.staleSoft;
    ctx.fillRect(from, b.top, right - from, b.height);
    ctx.fillStyle = p.stale;
    ctx.fillRect(from - dpr / 2, b.top, dpr, b.height);
    if (!at.compact && right - from > ctx.measureText("no reading").width + 12 * dpr) {
      ctx.fillStyle = p.text2;
      ctx.fillText("no reading", from + 6 * dpr, b.top + 5 * dpr);
    }
  }
  let said = Number.NaN; // topics that lost the same stretch say so once
  for (const f of feeds) {
    for (const m of f.series.marks) {
      if (m.to < b.from || m.from > b.to) continue;
      const from = x(m.from);
      const to = Math.max(x(Math.min(m.to, b.to)), from + 3 * dpr);
      if (Math.abs(from - said) < 2 * dpr) continue;
      said = from;
      ctx.fillStyle = p.hatch;
      ctx.fillRect(from, b.top, to - from, b.height);
      if (noted) note(ctx, p, m.text, from, to, b, dpr);
    }
  }
  drawThin(ctx, b, p, feeds, noted, dpr, x);
  ctx.restore();
}

function note(ctx: CanvasRenderingContext2D, p: Palette, text: string, from: number, to: number, b: Box, dpr: number): void {
  ctx.fillStyle = p.text2;
  const width = ctx.measureText(text).width;
  const fits = to + 6 * dpr + width < b.left + b.width;
  ctx.fillText(text, fits ? to + 6 * dpr : Math.max(from - 6 * dpr - width, b.left), b.top + 5 * dpr);
}

/** drawLimits draws thresholds, and the band beyond those that are crossed now. */
function drawLimits(ctx: CanvasRenderingContext2D, b: Box, p: Palette, at: Picture, dpr: number): void {
  for (const t of at.thresholds) {
    if (!(t.at >= b.lo && t.at <= b.hi)) continue;
    const y = Math.round(b.top + b.height - ((t.at - b.lo) / (b.hi - b.lo)) * b.height) + 0.5;
    const colour = t.level === "critical" ? p.critical : p.warn;
    let crossed = false;
    for (const l of at.lines) if (l.number === l.number && reached(t, l.number)) crossed = true;
    if (crossed && lively(at.state)) {
      ctx.globalAlpha = BAND;
      ctx.fillStyle = colour;
      if (t.below) ctx.fillRect(b.left, y, b.width, b.top + b.height - y);
      else ctx.fillRect(b.left, b.top, b.width, y - b.top);
      ctx.globalAlpha = 1;
    }
    ctx.strokeStyle = colour;
    ctx.lineWidth = dpr;
    ctx.setLineDash([2 * dpr, 3 * dpr]);
    ctx.beginPath();
    ctx.moveTo(b.left, y);
    ctx.lineTo(b.left + b.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    if (at.compact || b.width / dpr < 160) continue;
    ctx.fillStyle = p.muted;
    const above = y - b.top > 16 * dpr;
    ctx.fillText(`${t.name || t.level} ${figure({ ...at.scale, decimals: decimalsOf(t.at / at.scale.divisor) }, t.at)}`, b.left + 3 * dpr, above ? y - 14 * dpr : y + 3 * dpr);
  }
}

/** drawThin marks on the axis the time in which readings were left out. */
function drawThin(ctx: CanvasRenderingContext2D, b: Box, p: Palette, feeds: readonly Feed[], noted: boolean, dpr: number, x: (t: number) => number): void {
  let noteAt = Number.NaN;
  for (const f of feeds) {
    for (const thin of f.series.thin) {
      if (thin.to < b.from || thin.from > b.to) continue;
      const from = x(thin.from);
      const to = x(thin.to);
      if (to - from < 6 * dpr) continue;
      ctx.strokeStyle = p.gap;
      ctx.lineWidth = 3 * dpr;
      ctx.lineCap = "round";
      ctx.setLineDash([0.1, 6 * dpr]);
      ctx.beginPath();
      ctx.moveTo(from, b.top + b.height);
      ctx.lineTo(to, b.top + b.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.lineCap = "butt";
      if (!noted || Math.abs(from - noteAt) < 120 * dpr || to - from < 100 * dpr) continue;
      noteAt = from;
      ctx.fillStyle = p.text2;
      ctx.fillText(`1 in ${Math.round(thin.of)} drawn`, from + 4 * dpr, b.top + 5 * dpr);
    }
  }
}

/** drawLines draws the lines, and the areas below them; only what onward says, which hears where each line ends. */
export function drawLines(u: Plane, p: Palette, at: Picture, onward: Onward): void {
  const { ctx } = u;
  const b = boxOf(u, at);
  const dpr = devicePixelRatio;
  const live = lively(at.state) || !at.view.live;
  const bottom = b.top + b.height;
  ctx.save();
  ctx.beginPath();
  const from = Math.max(b.left, onward.since);
  ctx.rect(from, b.top - dpr, b.left + b.width + 4 * dpr - from, b.height + 2 * dpr);
  ctx.clip();
  ctx.lineWidth = p.stroke * dpr;
  ctx.lineJoin = "bevel";
  if (at.stack) drawStack(ctx, b, p, at.stack, live);
  else {
    const s = at.strokes;
    for (const l of at.lines) {
      s.take(l.series, l.columnHere, b, l.far, onward.since);
      onward.ended(s.length > 0 ? Math.min(s.tipX, s.xs[s.length - 1]!) : Number.NaN);
      if (at.filled) {
        ctx.fillStyle = p.fillOf(l.order, p.fill * (live ? 1 : 0.6));
        area(ctx, s, Math.round(from), Math.round(b.left + b.width), bottom);
      }
      const dash = dashOf(l.order);
      if (s.dense && dash.length === 0) {
        ctx.fillStyle = live ? p.line(l.order) : p.faint(l.order);
        columns(ctx, s, p.stroke * dpr);
      } else {
        ctx.strokeStyle = live ? p.line(l.order) : p.faint(l.order);
        // Where spots lie close nobody sees how they join, and round joins cost as much as the line.
        ctx.lineJoin = s.length * ROUND_FROM * dpr > b.width ? "bevel" : "round";
        if (dash.length > 0) ctx.setLineDash(dash as number[]);
        ctx.beginPath();
        trace(ctx, s);
        ctx.stroke();
        if (dash.length > 0) ctx.setLineDash([]);
      }
      dots(ctx, b, p, l, s, live, dpr);
    }
  }
  ctx.restore();
}

/** dots draws readings that no line reaches, those of a time in which others were left out, and the end of the line. */
function dots(ctx: CanvasRenderingContext2D, b: Box, p: Palette, l: Line, s: Strokes, live: boolean, dpr: number): void {
  ctx.fillStyle = live ? p.line(l.order) : p.faint(l.order);
  ctx.beginPath();
  for (let run = 0; run < s.count; run++) {
    const at = s.runs[run]!;
    if (s.endOf(run) - at === 1) disc(ctx, s.xs[at]!, s.ys[at]!, 2 * dpr);
  }
  for (const thin of l.series.thin) {
    if (thin.to < b.from || thin.from > b.to) continue;
    const perMs = b.width / (b.to - b.from);
    const from = b.left + (thin.from - b.from) * perMs;
    const to = b.left + (thin.to - b.from) * perMs;
    let n = 0;
    for (let i = 0; i < s.length; i++) if (s.xs[i]! >= from && s.xs[i]! <= to) n++;
    if (n * DOTS_APART * dpr > to - from) continue;
    for (let i = 0; i < s.length; i++) if (s.xs[i]! >= from && s.xs[i]! <= to) disc(ctx, s.xs[i]!, s.ys[i]!, 2 * dpr);
  }
  if (s.tipX >= b.left) disc(ctx, s.tipX, s.tipY, p.stroke * 2 * dpr);
  ctx.fill();
}

function disc(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  ctx.moveTo(x + radius, y);
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
}

function drawStack(ctx: CanvasRenderingContext2D, b: Box, p: Palette, stack: Stack, live: boolean): void {
  const perMs = b.width / (b.to - b.from);
  const perUnit = b.height / (b.hi - b.lo);
  const x = (i: number) => b.left + (stack.times[i]! - b.from) * perMs;
  const y = (v: number) => b.top + b.height - (v - b.lo) * perUnit;
  stack.layers.forEach((l, layer) => {
    const tops = stack.tops[layer]!;
    for (let start = 0; start < stack.length; ) {
      if (tops[start] !== tops[start]) {
        start++;
        continue;
      }
      let end = start + 1;
      while (end < stack.length && tops[end] === tops[end] && !apart(l, stack, end)) end++;
      ctx.beginPath();
      for (let i = start; i < end; i++) ctx.lineTo(x(i), y(tops[i]!));
      for (let i = end - 1; i >= start; i--) ctx.lineTo(x(i), y(stack.base(layer, i)));
      ctx.fillStyle = p.fillOf(l.order, live ? STACK_FILL : STACK_FILL * 0.6);
      ctx.fill();
      ctx.beginPath();
      for (let i = start; i < end; i++) ctx.lineTo(x(i), y(tops[i]!));
      ctx.strokeStyle = live ? p.line(l.order) : p.faint(l.order);
      ctx.stroke();
      start = end;
    }
  });
}

function apart(l: Line, stack: Stack, i: number): boolean {
  return (l.far > 0 && stack.times[i]! - stack.times[i - 1]! > l.far) || l.series.broken(stack.times[i - 1]!, stack.times[i]!);
}
