// The newest values side by side, the largest first.

import { el, hide, setClass, setText } from "../dom";
import type { State } from "../freshness";
import { byValue, type Line, type View } from "../lines";
import { worst } from "../thresholds";
import { decimal } from "../value";
import type { Around, Body } from "./body";
import { Bar, boundsOf } from "./bounds";
import { Fit } from "./fit";

const ORDER_EVERY = 1000; // ms: bars that change places faster cannot be read

interface Row {
  row: HTMLElement;
  figure: Text;
  unit: HTMLElement;
  name: HTMLElement;
  bar: Bar;
}

export class Bars implements Body {
  private readonly list = el("ul", "bars");
  private readonly more = el("p", "more");
  private readonly fit: Fit;
  private readonly rows: Row[] = [];
  private order: Line[] = [];
  private ordered = Number.NEGATIVE_INFINITY;

  constructor(
    body: HTMLElement,
    private readonly around: Around,
  ) {
    body.replaceChildren(this.list, this.more);
    this.fit = new Fit(body, this.list, this.more, () => this.list.children, () => around.touch());
  }

  end(): void {
    this.fit.end();
  }

  draw(view: View, state: State): number {
    const { lines, config } = this.around;
    const { numbers } = lines;
    if (view.now - this.ordered >= ORDER_EVERY || !view.live || this.order.length !== numbers.length || this.order.some((l) => !numbers.includes(l))) {
      this.ordered = view.now;
      this.order = [...numbers].sort(byValue);
    }
    const shown = this.order.slice(0, this.fit.most(this.order.length, config.limit));
    const bounds = boundsOf(config, shown);
    while (this.rows.length < shown.length) this.grow();
    while (this.rows.length > shown.length) this.rows.pop()!.row.remove();
    const lively = state === "live" || state === "quiet";
    const pointed = this.around.pointed();
    const inside = pointed >= view.from && pointed <= view.to;
    shown.forEach((l, i) => {
      const r = this.rows[i]!;
      const v = inside ? l.at(pointed) : l.last;
      const level = !lively ? "" : inside ? ((typeof v === "number" && worst(config.thresholds, v)?.level) || "") : l.level;
      const text = l.text(v);
      if (r.figure.data !== text) r.figure.data = text;
      setText(r.unit, l.scale.unit);
      setText(r.name, l.name);
      setClass(r.row, `${level} ${view.live ? l.feed.judge(view.now).state : state}`.trim());
      r.bar.draw(bounds, typeof v === "number" ? v : Number.NaN, level);
    });
    const left = numbers.length - shown.length;
    hide(this.more, left === 0);
    setText(this.more, left > 0 ? `+ ${decimal(left, 0)} more` : "");
    return 1000;
  }

  private grow(): void {
    const figure = document.createTextNode("");
    const unit = el("small");
    const name = el("span", "name");
    const bar = new Bar(this.around.config);
    const row = el("li", "", el("span", "value", figure, unit), name, bar.element);
    this.list.append(row);
    this.rows.push({ row, figure, unit, name, bar });
  }
}
