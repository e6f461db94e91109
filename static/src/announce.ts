// One polite live region for the page. Values are never announced; changes of
// state are, the latest of them, at most every 5 s.

const EVERY = 5000;

export class Announcer {
  private waiting = "";
  private timer = 0;
  private said = Number.NEGATIVE_INFINITY;

  constructor(private readonly region: Element | null) {}

  say(text: string): void {
    this.waiting = text;
    if (this.timer) return;
    const wait = this.said + EVERY - performance.now();
    this.timer = window.setTimeout(() => this.flush(), Math.max(wait, 0));
  }

  private flush(): void {
    this.timer = 0;
    this.said = performance.now();
    if (this.region) this.region.textContent = this.waiting;
  }
}
