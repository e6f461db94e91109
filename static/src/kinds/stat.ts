// One figure, how it moved, and its recent course; with two ends it is a gauge.

import { el, setClass, setText, svg } from "../dom";
import type { State } from "../freshness";
import { byValue, type Line, type Lines, type View } from "../lines";
import { Spark } from "../spark";
import { clock, type Zone } from "../times";
import { age, figure, fullText, scaleFor, withUnit } from "../value";
import type { Around, Body } from "./body";
import { Bar, type Bounds, boundsOf } from "./bounds";

const SPARK_EVERY = 250; // ms
const CHANGE_EVERY = 500; // ms

/** changeOf says how a value moved within the window: −2.1 in 5 min; of a value that is not live any more, when it was read. */
export function changeOf(l: Line, view: View, lively: boolean, zone: Zone): string {
  if (l.last === null) return "";
  if (!lively) return `at ${clock(l.lastTime, zone)}`;
  if (l.state || l.count < 2) return "";
  const span = view.to - view.from;
  let covered = l.until - l.firstTime;
  if (covered * 10 >= span * 9) covered = span;
  if (covered < 1000) return "";
  const moved = l.number - l.first;
  const text = figure(l.scale, Math.abs(moved)) === figure(l.scale, 0) ? "no change" : `${moved > 0 ? "+" : ""}${figure(l.scale, moved)}`;
  return `${text} in ${age(covered)}`;
}

/** heroOf is the line whose value a panel shows largest: the largest number, else the first word. */
export function heroOf({ numbers, words }: Lines): Line | null {
  if (numbers.length < 2) return numbers[0] ?? words[0] ?? null;
  let best = numbers[0]!;
  for (const l of numbers) if (byValue(l, best) < 0) best = l;
  return best;
}

export class Stat implements Body {
  private readonly figure = el("span");
  private readonly unit = el("small");
  private readonly value = el("span", "value", this.figure, this.unit);
  private readonly change = el("span", "change");
  private readonly picture: SVGSVGElement | null = null;
  private readonly spark: Spark | null = null;
  private readonly bar: Bar | null = null;
  private readonly lowest = el("span");
  private readonly highest = el("span");
  private sparked = Number.NEGATIVE_INFINITY;
  private changed = Number.NEGATIVE_INFINITY;

  constructor(
    body: HTMLElement,
    private readonly around: Around,
  ) {
    this.value.dataset.value = "";
    this.figure.dataset.figure = "";
    this.unit.dataset.unit = "";
    this.change.dataset.change = "";
    const parts: Element[] = [el("p", "big", this.value, this.change)];
    if (around.config.kind === "gauge") {
      this.bar = new Bar(around.config);
      parts.push(this.bar.element, el("p", "range", this.lowest, this.highest));
    } else {
      this.picture = svg("svg", { class: "spark", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", width: "120", height: "22", "aria-hidden": "true" });
      this.picture.dataset.spark = "";
      this.picture.append(svg("path", { class: "ar f1" }), svg("path", { class: "ln k1" }), svg("path", { class: "ln tip k1" }));
      this.spark = new Spark(this.picture);
      parts.push(this.picture);
    }
    body.replaceChildren(...parts);
  }

  draw(view: View, state: State): number {
    const hero = heroOf(this.around.lines);
    if (!hero) return Number.POSITIVE_INFINITY;
    const lively = state === "live" || state === "quiet";
    const pointed = this.around.pointed();
    const inside = pointed >= view.from && pointed <= view.to;
    const shown = inside ? hero.at(pointed) : hero.last;
    const number = typeof shown === "number" && !hero.state;
    setText(this.figure, hero.text(shown));
    setText(this.unit, number ? hero.scale.unit : "");
    setClass(this.value, `value ${lively ? hero.level : ""} ${hero.state ? "word" : ""}`.replace(/ +/g, " ").trim());
    const at = view.live ? view.now : performance.now();
    if (at - this.changed >= CHANGE_EVERY || !view.live) {
      this.changed = at;
      const full = number ? fullText(shown) : "";
      if (this.value.title !== full) this.value.title = full;
      const moved = inside ? `at ${clock(pointed, this.around.zone())}` : changeOf(hero, view, lively, this.around.zone());
      const { numbers } = this.around.lines;
      setText(this.change, numbers.length > 1 ? [hero.name, moved].filter(Boolean).join(", ") : moved);
    }
    if (this.bar) this.drawBar(hero, number ? (shown as number) : Number.NaN, lively);
    if (!this.spark || !this.picture) return Number.POSITIVE_INFINITY;
    this.picture.toggleAttribute("hidden", hero.state);
    if (at - this.sparked >= SPARK_EVERY || !view.live) {
      this.sparked = at;
      this.spark.draw(hero, view);
    }
    return view.live ? Math.max((view.to - view.from) / 240, SPARK_EVERY) : Number.POSITIVE_INFINITY;
  }

  private drawBar(hero: Line, v: number, lively: boolean): void {
    const b = boundsOf(this.around.config, this.around.lines.numbers);
    this.bar!.draw(b, v, lively ? hero.level : "");
    const [lo, hi] = rangeText(b, hero.unit);
    setText(this.lowest, lo);
    setText(this.highest, hi);
  }
}

/** rangeText prints the two ends of a gauge. */
export function rangeText(b: Bounds, unit: string): [lo: string, hi: string] {
  const s = scaleFor(unit, Math.max(Math.abs(b.lo), Math.abs(b.hi)), Number.isInteger(b.lo) && Number.isInteger(b.hi));
  if (Number.isInteger(b.lo / s.divisor) && Number.isInteger(b.hi / s.divisor)) s.decimals = 0;
  return [withUnit(s, b.lo), withUnit(s, b.hi)];
}
