// One requestAnimationFrame for the whole page, and only for panels that can be
// seen. A panel asks to be drawn when it has news, and says when its picture
// moves on by itself.

export interface Drawn {
  readonly element: Element;
  /** draw brings the picture up to now (ms of the server) and returns in how many ms it should move on. */
  draw(now: number): number;
}

const SLOWEST = 1000;

export class Schedule {
  private readonly visible = new Set<Drawn>();
  private readonly news = new Set<Drawn>();
  private readonly byElement = new Map<Element, Drawn>();
  private readonly due = new Map<Drawn, number>();
  private readonly observer: IntersectionObserver;
  private readonly still = window.matchMedia("(prefers-reduced-motion: reduce)");
  private frame = 0;
  private timer = 0;
  private last = 0;

  constructor(private readonly now: () => number) {
    this.observer = new IntersectionObserver((entries) => {
      for (const e of entries) {
        const drawn = this.byElement.get(e.target);
        if (!drawn) continue;
        if (e.isIntersecting) {
          this.visible.add(drawn);
          this.touch(drawn);
        } else this.visible.delete(drawn);
      }
    });
    document.addEventListener("visibilitychange", () => this.all());
  }

  add(drawn: Drawn): void {
    this.byElement.set(drawn.element, drawn);
    this.observer.observe(drawn.element);
  }

  /** touch asks for a panel to be drawn in the next frame. */
  touch(drawn: Drawn): void {
    this.news.add(drawn);
    if (this.visible.has(drawn)) this.ask();
  }

  /** all asks for every panel, after a change of theme or of the connection. */
  all(): void {
    for (const drawn of this.byElement.values()) this.news.add(drawn);
    this.ask();
  }

  private ask(): void {
    if (this.frame || document.visibilityState === "hidden") return;
    // With reduced motion pictures step once a second.
    const wait = this.still.matches ? this.last + SLOWEST - performance.now() : 0;
    if (wait > 0) {
      this.wake(wait);
      return;
    }
    this.frame = requestAnimationFrame(() => this.run());
  }

  private run(): void {
    this.frame = 0;
    window.clearTimeout(this.timer);
    this.timer = 0;
    const started = performance.now();
    this.last = started;
    const now = this.now();
    for (const drawn of this.visible) {
      if (!this.news.has(drawn) && (this.due.get(drawn) ?? 0) > started) continue;
      this.news.delete(drawn);
      this.due.set(drawn, started + Math.min(Math.max(drawn.draw(now), 16), SLOWEST));
    }
    let next = Number.POSITIVE_INFINITY;
    for (const drawn of this.visible) next = Math.min(next, this.due.get(drawn) ?? 0);
    if (next !== Number.POSITIVE_INFINITY) this.wake(next - performance.now());
  }

  private wake(ms: number): void {
    if (this.timer || document.visibilityState === "hidden") return;
    this.timer = window.setTimeout(
      () => {
        this.timer = 0;
        this.ask();
      },
      Math.max(ms, 0),
    );
  }
}
