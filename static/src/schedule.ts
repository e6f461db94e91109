// One requestAnimationFrame for the whole page, and only for what can be seen. A
// panel asks to be drawn when it has news, and says when its picture moves on by
// itself. Where panels are many they take turns in the order of the page, whole
// rows of them: whatever changes, a browser composes again the strip of the page
// around it, and parts of two rows cost as much as both. Where frames come late
// nevertheless, turns come less often, until frames have been in time for a while;
// also then what is on the screen is of the last quarter of a second.

import { Pace } from "./pace";

export interface Drawn {
  readonly element: Element;
  /** draw brings the picture up to now (ms of the server) and returns in how many ms it should move on. */
  draw(now: number): number;
  /** painted follows once everything of this frame is drawn: texts are changed here, and what is on the screen now is timed. */
  painted?(): void;
}

const SLOWEST = 1000; // ms: nothing on the screen is older
const SOONEST = 16; // ms
const APART = 50; // ms: no panel is drawn sooner again because of news
const LEAST = 6; // panels that a frame may draw, however few there are
const FRAME = 17; // ms
const LONGEST = 100; // ms: what a later frame left undone is not made up for
const SHARE = 0.25; // of a frame's time is for drawing; the rest is for the browser

interface Item {
  drawn: Drawn;
  visible: boolean;
  row: number; // px from the top of the page, which panels of one row share
  asked: boolean; // it has news
  urgent: boolean; // it came into sight, or changes under the viewer's hand
  due: number; // when it moves on by itself
  last: number; // when it was drawn
}

export class Schedule {
  private readonly items = new Map<Drawn, Item>();
  private readonly byElement = new Map<Element, Item>();
  private order: Item[] = []; // the items, as the page has them
  private readonly turns: Item[] = []; // those that this frame draws
  private readonly observer: IntersectionObserver;
  private readonly still = window.matchMedia("(prefers-reduced-motion: reduce)");
  private seen = 0; // how many are visible
  private next = 0; // where in the order the next frame goes on
  private credit = 0; // how many panels may be drawn: a row is begun while it is above 0, and may end below
  private readonly pace = new Pace();
  private asked = 0; // when the frame was asked for
  private frame = 0;
  private timer = 0;
  private wakes = Number.POSITIVE_INFINITY;
  private last = Number.NEGATIVE_INFINITY;
  private readonly turn = () => this.run();

  constructor(private readonly now: () => number) {
    this.observer = new IntersectionObserver(
      (entries) => {
        for (const e of entries) {
          const item = this.byElement.get(e.target);
          if (!item) continue;
          if (item.visible !== e.isIntersecting) this.seen += e.isIntersecting ? 1 : -1;
          item.visible = e.isIntersecting;
          item.row = Math.round(e.boundingClientRect.top + window.scrollY);
          if (item.visible) item.urgent = true;
        }
        this.ask();
      },
      { rootMargin: "64px" },
    );
    document.addEventListener("visibilitychange", () => this.all());
  }

  add(drawn: Drawn): void {
    const item: Item = { drawn, visible: false, row: 0, asked: true, urgent: false, due: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY };
    this.items.set(drawn, item);
    this.byElement.set(drawn.element, item);
    this.order.push(item);
    this.observer.observe(drawn.element);
  }

  remove(drawn: Drawn): void {
    this.observer.unobserve(drawn.element);
    const item = this.items.get(drawn);
    if (!item) return;
    if (item.visible) this.seen--;
    this.order = this.order.filter((other) => other !== item);
    this.items.delete(drawn);
    this.byElement.delete(drawn.element);
  }

  /** visible says whether a panel can be seen. */
  visible(drawn: Drawn): boolean {
    return this.items.get(drawn)?.visible ?? false;
  }

  /** touch asks for a panel to be drawn when it has its turn. */
  touch(drawn: Drawn): void {
    const item = this.items.get(drawn);
    if (!item) return;
    item.asked = true;
    if (item.visible) this.ask();
  }

  /** all asks for every panel at once, after a change of theme, of the time or of the connection. */
  all(): void {
    for (const item of this.order) item.urgent = true;
    this.ask();
  }

  /** drawNow draws everything at once, whether it can be seen or not. */
  drawNow(): void {
    const now = this.now();
    for (const item of this.order) {
      item.drawn.draw(now);
      item.drawn.painted?.();
      item.asked = item.urgent = false;
    }
  }

  private ask(): void {
    if (this.frame || document.visibilityState === "hidden") return;
    // With reduced motion pictures step once a second.
    const wait = this.still.matches ? this.last + SLOWEST - performance.now() : 0;
    if (wait > 0) this.wake(performance.now() + wait);
    else {
      this.asked = performance.now();
      this.frame = requestAnimationFrame(this.turn);
    }
  }

  private run(): void {
    this.frame = 0;
    const started = performance.now();
    this.last = started;
    const waited = Math.min(Math.max(started - this.asked, FRAME), LONGEST);
    this.pace.came(waited);
    const { order, turns } = this;
    const gain = Math.max(LEAST, (this.seen * waited) / this.pace.round);
    this.credit = Math.min(this.credit + gain, gain);
    const budget = waited * SHARE;
    const now = this.now();
    const from = this.next < order.length ? this.next : 0;
    let row = Number.NaN; // the one that was begun
    let left = false;
    let soonest = Number.POSITIVE_INFINITY;
    turns.length = 0;
    for (let i = 0; i < order.length; i++) {
      const place = from + i < order.length ? from + i : from + i - order.length;
      const item = order[place]!;
      if (!item.visible) continue;
      const due = item.urgent ? started : Math.min(item.due, item.asked ? item.last + APART : Number.POSITIVE_INFINITY);
      if (due > started) {
        if (due < soonest) soonest = due;
        continue;
      }
      const waits = !item.urgent && (left || (item.row !== row && this.credit <= 0));
      if (waits || (turns.length > 0 && performance.now() - started > budget)) {
        if (!left) this.next = place;
        left = true;
        continue;
      }
      if (!item.urgent) {
        row = item.row;
        this.credit--;
      }
      item.asked = item.urgent = false;
      item.last = started;
      item.due = started + Math.min(Math.max(item.drawn.draw(now), SOONEST), SLOWEST);
      if (item.due < soonest) soonest = item.due;
      turns.push(item);
      if (!left) this.next = place + 1;
    }
    for (const item of turns) item.drawn.painted?.();
    if (left) this.ask();
    else if (soonest < Number.POSITIVE_INFINITY) this.wake(soonest);
  }

  private wake(at: number): void {
    if (document.visibilityState === "hidden" || (this.timer && this.wakes <= at)) return;
    window.clearTimeout(this.timer);
    this.wakes = at;
    this.timer = window.setTimeout(
      () => {
        this.timer = 0;
        this.ask();
      },
      Math.max(at - performance.now(), 0),
    );
  }
}
