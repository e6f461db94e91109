// The wall screen: a dashboard that fills a screen that nobody touches. No
// controls and no pointer; the picture shifts a little from time to time so that
// nothing burns in, and pages of a large dashboard turn by themselves.

import type { Board } from "./board";
import type { Keys } from "./keys";
import { clock as clockOf } from "./times";

const SHIFT_EVERY = 10 * 60_000; // ms
const SHIFT = 4; // px at most
const TURN_EVERY = 20_000; // ms
const ROW = 44; // px of a row and the gap under it
const MOST_ROWS = 24; // of a dashboard that fits one screen

/** shiftAt is where the picture stands after so many shifts: around a square, back at its place after eight. */
export function shiftAt(n: number): [number, number] {
  const way = [[0, 0], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1]] as const;
  const [x, y] = way[n % way.length]!;
  return [x * SHIFT, y * SHIFT];
}

export class Wall {
  private readonly html = document.documentElement;
  /** Whether the server made this page for a wall; then leaving it is another page. */
  private readonly made = this.html.dataset.view === "wall";
  private readonly timers: number[] = [];
  private shifts = 0;
  private wasFull = false;

  constructor(
    private readonly board: Board,
    keys: Keys,
  ) {
    keys.register("wall", () => (this.on() && document.fullscreenElement ? this.leave() : this.enter()));
    keys.register("close", () => (this.on() ? this.leave() : false));
    for (const button of document.querySelectorAll<HTMLElement>("[data-wall]")) {
      button.hidden = false;
      button.addEventListener("click", () => this.enter());
    }
    // Esc in full screen never reaches the page; that full screen ended does.
    document.addEventListener("fullscreenchange", () => {
      if (this.wasFull && !document.fullscreenElement && this.on()) this.leave();
      this.wasFull = document.fullscreenElement !== null;
    });
    if (this.made) this.begin();
  }

  private on(): boolean {
    return this.html.dataset.view === "wall";
  }

  /** enter makes this page a wall screen, in full screen where the browser lets it. */
  enter(): void {
    const tall = [...document.querySelectorAll<HTMLElement>(".board")].some((b) => b.offsetHeight > MOST_ROWS * ROW);
    if (!this.on() && tall && this.board.main.dataset.slug) {
      window.location.assign(address("wall")); // the server divides it into pages
      return;
    }
    this.html.requestFullscreen?.().catch(() => {
      // The browser does not let us; the page is a wall screen all the same.
    });
    if (this.on()) return;
    this.html.dataset.view = "wall";
    history.replaceState(history.state, "", address("wall"));
    this.begin();
    this.board.restyle();
  }

  private begin(): void {
    const clock = document.querySelector<HTMLTimeElement>("[data-wall-clock]");
    const tick = () => {
      const now = this.board.now();
      const text = clockOf(now, this.board.zone).slice(0, 5);
      if (clock && clock.textContent !== text) clock.textContent = text;
    };
    tick();
    this.timers.push(window.setInterval(tick, 1000));
    this.timers.push(window.setInterval(() => this.shift(++this.shifts), SHIFT_EVERY));
    const pages = [...document.querySelectorAll<HTMLElement>(".board[data-page]")];
    if (pages.length > 1) this.timers.push(window.setInterval(() => this.turn(pages), TURN_EVERY));
  }

  private turn(pages: HTMLElement[]): void {
    const at = pages.findIndex((p) => !p.hidden);
    pages.forEach((p, i) => {
      p.hidden = i !== (at + 1) % pages.length;
    });
    this.board.restyle();
  }

  private shift(n: number): void {
    const [x, y] = shiftAt(n);
    this.html.style.setProperty("--shift-x", `${x}px`);
    this.html.style.setProperty("--shift-y", `${y}px`);
  }

  private leave(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    if (this.made) {
      window.location.replace(address(""));
      return;
    }
    delete this.html.dataset.view;
    for (const timer of this.timers.splice(0)) window.clearInterval(timer);
    this.shift(0);
    history.replaceState(history.state, "", address(""));
    this.board.restyle();
  }
}

/** address is this page's with another view; "" is the ordinary one. */
function address(view: string): string {
  const url = new URL(window.location.href);
  if (view) url.searchParams.set("view", view);
  else url.searchParams.delete("view");
  return url.pathname + url.search + url.hash;
}
