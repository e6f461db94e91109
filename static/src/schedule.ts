// One requestAnimationFrame for the whole page, and only for what can be seen. A
// panel asks to be drawn when it has news, and says when its picture moves on by
// itself. What does not fit into a frame waits for the next one, the longest
// waiting first.

export interface Drawn {
  readonly element: Element;
  /** draw brings the picture up to now (ms of the server) and returns in how many ms it should move on. */
  draw(now: number): number;
  /** painted follows once everything of this frame is drawn: texts are changed here, and what is on the screen now is timed. */
  painted?(): void;
}

const SLOWEST = 1000; // ms: nothing on the screen is older
const BUDGET = 4; // ms of drawing in one frame; the rest of a frame is for the browser
const SOONEST = 16; // ms

interface Item {
  drawn: Drawn;
  visible: boolean;
  asked: number; // since when it waits to be drawn; Infinity when it does not
  due: number; // when it moves on by itself
}

export class Schedule {
  private readonly items = new Map<Drawn, Item>();
  private readonly byElement = new Map<Element, Item>();
  private readonly ready: Item[] = [];
  private readonly observer: IntersectionObserver;
  private readonly still = window.matchMedia("(prefers-reduced-motion: reduce)");
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
          item.visible = e.isIntersecting;
          if (item.visible) this.touch(item.drawn);
        }
      },
      { rootMargin: "64px" },
    );
    document.addEventListener("visibilitychange", () => this.all());
  }

  add(drawn: Drawn): void {
    const item: Item = { drawn, visible: false, asked: performance.now(), due: Number.POSITIVE_INFINITY };
    this.items.set(drawn, item);
    this.byElement.set(drawn.element, item);
    this.observer.observe(drawn.element);
  }

  remove(drawn: Drawn): void {
    this.observer.unobserve(drawn.element);
    this.items.delete(drawn);
    this.byElement.delete(drawn.element);
  }

  /** visible says whether a panel can be seen. */
  visible(drawn: Drawn): boolean {
    return this.items.get(drawn)?.visible ?? false;
  }

  /** touch asks for a panel to be drawn in the next frame. */
  touch(drawn: Drawn): void {
    const item = this.items.get(drawn);
    if (!item) return;
    if (item.asked === Number.POSITIVE_INFINITY) item.asked = performance.now();
    if (item.visible) this.ask();
  }

  /** all asks for every panel, after a change of theme, of the time or of the connection. */
  all(): void {
    const at = performance.now();
    for (const item of this.items.values()) if (item.asked === Number.POSITIVE_INFINITY) item.asked = at;
    this.ask();
  }

  /** drawNow draws everything at once, whether it can be seen or not. */
  drawNow(): void {
    const now = this.now();
    for (const item of this.items.values()) {
      item.drawn.draw(now);
      item.drawn.painted?.();
      item.asked = Number.POSITIVE_INFINITY;
    }
  }

  private ask(): void {
    if (this.frame || document.visibilityState === "hidden") return;
    // With reduced motion pictures step once a second.
    const wait = this.still.matches ? this.last + SLOWEST - performance.now() : 0;
    if (wait > 0) this.wake(performance.now() + wait);
    else this.frame = requestAnimationFrame(this.turn);
  }

  private run(): void {
    this.frame = 0;
    const started = performance.now();
    this.last = started;
    const { ready } = this;
    ready.length = 0;
    for (const item of this.items.values()) if (item.visible && (item.asked < Number.POSITIVE_INFINITY || item.due <= started)) ready.push(item);
    ready.sort(oldest);
    const now = this.now();
    let drawn = 0;
    for (; drawn < ready.length; drawn++) {
      const item = ready[drawn]!;
      const at = performance.now();
      if (drawn > 0 && at - started > BUDGET) break;
      item.asked = Number.POSITIVE_INFINITY;
      item.due = at + Math.min(Math.max(item.drawn.draw(now), SOONEST), SLOWEST);
    }
    for (let i = 0; i < drawn; i++) ready[i]!.drawn.painted?.();
    if (drawn < ready.length) {
      for (let i = drawn; i < ready.length; i++) if (ready[i]!.asked === Number.POSITIVE_INFINITY) ready[i]!.asked = ready[i]!.due;
      this.ask();
      return;
    }
    let next = Number.POSITIVE_INFINITY;
    for (const item of this.items.values()) if (item.visible && item.due < next) next = item.due;
    if (next < Number.POSITIVE_INFINITY) this.wake(next);
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

function oldest(a: Item, b: Item): number {
  return Math.min(a.asked, a.due) - Math.min(b.asked, b.due);
}
