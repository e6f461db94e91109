// States over time, a lane for each: up is a tint, the exception is solid and
// named at its right.

import { attribute, el, hide, setClass, setText, svg } from "../dom";
import type { State } from "../freshness";
import type { Line, View } from "../lines";
import { roundTimes, stepFor, timeLabel } from "../times";
import { age, decimal } from "../value";
import { Tip } from "../tip";
import type { Around, Body } from "./body";
import { notable, type Stretch, stretches } from "./stretches";

const EVERY = 250; // ms
const LABELS_APART = 80; // px

interface Lane {
  row: HTMLElement;
  name: HTMLElement;
  track: SVGSVGElement;
  say: HTMLElement;
}

export class Timeline implements Body {
  readonly plot = el("div", "timeline");
  private readonly x = svg("svg", { class: "x", "aria-hidden": "true" });
  private readonly more = el("p", "more");
  private readonly tip: Tip;
  private readonly lanes: Lane[] = [];
  private readonly others = new Map<string, number>();
  private drawn = Number.NEGATIVE_INFINITY;
  private said = "";
  private view: View = { now: 0, from: 0, to: 1, live: true };

  constructor(
    body: HTMLElement,
    private readonly around: Around,
  ) {
    this.plot.setAttribute("role", "img");
    this.plot.append(this.x);
    this.tip = new Tip(this.plot);
    body.replaceChildren(this.plot, this.more);
  }

  timeAt(clientX: number): number {
    const box = this.lanes[0]?.track.getBoundingClientRect();
    if (!box || box.width === 0 || clientX < box.left) return Number.NaN;
    return Math.min(this.view.from + ((clientX - box.left) / box.width) * (this.view.to - this.view.from), this.view.to);
  }

  draw(view: View, _state: State): number {
    this.view = view;
    this.cross(view);
    const pointed = this.around.pointed();
    if (view.live && view.now - this.drawn < EVERY && Number.isNaN(pointed)) return EVERY;
    this.drawn = view.now;
    const { lines, config } = this.around;
    const all = lines.words.length > 0 ? lines.words : lines.numbers;
    const shown = all.slice(0, config.limit);
    while (this.lanes.length < shown.length) this.grow();
    while (this.lanes.length > shown.length) this.lanes.pop()!.row.remove();
    const words = shown.map((l, i) => this.drawLane(this.lanes[i]!, l, view));
    hide(this.more, all.length === shown.length);
    setText(this.more, all.length > shown.length ? `+ ${decimal(all.length - shown.length, 0)} more` : "");
    this.said = words.join(", ");
    attribute(this.plot, "aria-label", [config.title, this.sentence(view)].filter(Boolean).join(", "));
    this.drawTimes(view);
    return view.live ? EVERY : Number.POSITIVE_INFINITY;
  }

  sentence(view: View): string {
    return `last ${age(view.to - view.from)}, ${this.said}`;
  }

  private drawLane(lane: Lane, l: Line, view: View): string {
    const { interval } = l.feed;
    const list = stretches(l.series, l.columnHere, view.from, view.to, interval, l.far, this.others);
    const place = (t: number) => Math.round(((t - view.from) / (view.to - view.from)) * 1000);
    while (lane.track.children.length > list.length) lane.track.lastElementChild!.remove();
    list.forEach((s, i) => {
      let rect = lane.track.children[i];
      if (!rect) {
        rect = svg("rect", { height: "20" }, svg("title"));
        lane.track.append(rect);
      }
      attribute(rect, "x", String(place(s.from)));
      attribute(rect, "width", String(Math.max(place(s.to) - place(s.from), 1)));
      setClass(rect, s.class);
      if (s.class === "none") attribute(rect, "fill", "url(#hatch)");
      else rect.removeAttribute("fill");
      setText(rect.firstElementChild, `${s.text} ${age(s.to - s.from)}`);
    });
    setText(lane.name, l.name);
    const pointed = this.around.pointed();
    const at = list.find((s) => pointed >= s.from && pointed <= s.to) ?? null;
    const n = at ?? notable(list);
    const text = n ? (plain(n) && !at ? n.text : `${n.text} ${age(n.to - n.from)}`) : "";
    setText(lane.say, text);
    setClass(lane.say, `say ${n?.class ?? ""}`.trim());
    return `${l.name} ${text}`;
  }

  private cross(view: View): void {
    const pointed = this.around.pointed();
    const track = this.lanes[0]?.track;
    const inside = track !== undefined && pointed >= view.from && pointed <= view.to;
    if (!inside) {
      this.tip.show(Number.NaN, 0, 0, 0, "", false, this.around.zone());
      return;
    }
    const box = this.plot.getBoundingClientRect();
    const lane = track.getBoundingClientRect();
    const x = lane.left - box.left + ((pointed - view.from) / (view.to - view.from)) * lane.width;
    this.tip.show(x, 0, this.lanes.at(-1)!.row.getBoundingClientRect().bottom - box.top, pointed, "", this.around.pointedHere(), this.around.zone());
  }

  private drawTimes(view: View): void {
    const zone = this.around.zone();
    const span = view.to - view.from;
    const width = Math.max(this.x.clientWidth, 1);
    const step = stepFor((span / width) * LABELS_APART);
    const times = roundTimes(view.from + (span / width) * 20, view.to - (span / width) * 20, span > 120_000 ? Math.max(step, 60_000) : step, zone);
    while (this.x.children.length > times.length) this.x.lastElementChild!.remove();
    times.forEach((t, i) => {
      let label = this.x.children[i];
      if (!label) {
        label = svg("text", { y: "1.35em", "text-anchor": "middle" });
        this.x.append(label);
      }
      attribute(label, "text-anchor", "middle");
      attribute(label, "x", `${(((t - view.from) / span) * 100).toFixed(1)}%`);
      setText(label, timeLabel(t, step, zone));
    });
  }

  private grow(): void {
    const name = el("span", "name");
    const track = svg("svg", { class: "track", viewBox: "0 0 1000 20", preserveAspectRatio: "none", "aria-hidden": "true" });
    const say = el("span", "say");
    const row = el("div", "lane", name, track, say);
    this.plot.insertBefore(row, this.x);
    this.lanes.push({ row, name, track, say });
  }
}

/** plain says that a stretch is nothing to count the time of. */
function plain(s: Stretch): boolean {
  return s.class !== "warn" && s.class !== "critical" && s.class !== "none";
}
