// Keys of a panel that has the focus: arrows move between panels, Enter shows it
// alone, V its values, C copies them. Alt and an arrow move the crosshair.

import type { Crosshair } from "./crosshair";
import type { Panel } from "./panel";
import type { Timeframe } from "./timeframe";

const STEPS = 60; // crosshair positions over a window

/** Screen is what the keys need of the page. */
export interface Screen {
  readonly timeframe: Timeframe;
  readonly crosshair: Crosshair;
  readonly singleKeys: boolean;
  now(): number;
  panels(): readonly Panel[];
  panelOf(e: Element): Panel | null;
  full(panel: Panel | null): void;
  readonly shownFull: Panel | null;
  say(text: string): void;
}

type Way = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** nearestTo picks the box that lies in a direction: the nearest one along it, sideways steps counting double. -1 when there is none. */
export function nearestTo(from: Box, boxes: readonly Box[], way: Way): number {
  const middle = (b: Box) => ({ x: (b.left + b.right) / 2, y: (b.top + b.bottom) / 2 });
  const at = middle(from);
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  boxes.forEach((b, i) => {
    const to = middle(b);
    const along = way === "ArrowLeft" ? from.left - b.right : way === "ArrowRight" ? b.left - from.right : way === "ArrowUp" ? from.top - b.bottom : b.top - from.bottom;
    if (along < -1) return;
    const beside = way === "ArrowLeft" || way === "ArrowRight" ? Math.abs(to.y - at.y) : Math.abs(to.x - at.x);
    const distance = along + 2 * beside;
    if (distance < least) {
      least = distance;
      best = i;
    }
  });
  return best;
}

export function mountPanelKeys(main: HTMLElement, screen: Screen): void {
  main.addEventListener("keydown", (e) => {
    if (!(e.target instanceof Element) || e.defaultPrevented || e.ctrlKey || e.metaKey || e.isComposing) return;
    const panel = screen.panelOf(e.target);
    if (!panel) return;
    const on = e.target === panel.element;
    if (e.key === "Escape" && screen.shownFull) screen.full(null);
    else if (/^Arrow(Left|Right)$/.test(e.key) && (e.altKey || (on && screen.shownFull))) point(screen, panel, e.key === "ArrowLeft" ? -1 : 1);
    else if (/^Arrow/.test(e.key) && on && !e.altKey && !e.shiftKey) step(screen, panel, e.key as Way);
    else if (e.key === "Enter" && on) screen.full(screen.shownFull ? null : panel);
    else if (e.altKey || !screen.singleKeys || typing(e.target)) return;
    else if (e.key.toLowerCase() === "v") values(panel, main);
    else if (e.key.toLowerCase() === "c") void copy(panel, screen);
    else return;
    e.preventDefault();
  });
  main.addEventListener("dblclick", (e) => {
    const panel = e.target instanceof Element && e.target.closest("header.head") ? screen.panelOf(e.target) : null;
    if (panel && !(e.target as Element).closest("a, button")) screen.full(screen.shownFull ? null : panel);
  });
}

function typing(at: Element): boolean {
  return at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
}

function values(panel: Panel, main: HTMLElement): void {
  const beside = "hero" in panel.element.dataset ? main.querySelector<HTMLDetailsElement>("details[data-values]") : null;
  if (beside) beside.open = !beside.open;
  else panel.toggleValues();
}

function step(screen: Screen, panel: Panel, way: Way): void {
  const others = screen.panels().filter((p) => p !== panel && p.element.checkVisibility());
  const to = nearestTo(
    panel.element.getBoundingClientRect(),
    others.map((p) => p.element.getBoundingClientRect()),
    way,
  );
  others[to]?.element.focus();
}

function point(screen: Screen, panel: Panel, by: number): void {
  const { timeframe, crosshair } = screen;
  const { from, to } = timeframe.window(screen.now());
  const at = crosshair.time >= from && crosshair.time <= to ? crosshair.time : to;
  crosshair.point(Math.min(Math.max(at + (by * (to - from)) / STEPS, from), to), panel);
}

async function copy(panel: Panel, screen: Screen): Promise<void> {
  try {
    await navigator.clipboard.writeText(panel.copyText());
    screen.say(`${panel.title} copied`);
  } catch {
    screen.say("This browser does not let the page copy");
  }
}
