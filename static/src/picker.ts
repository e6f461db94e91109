// The time picker: how much time the page shows, pause, and the way back to
// live. It stands in the top bar and, on phones, in the dock; both do the same.

import { el } from "./dom";
import type { Keys } from "./keys";
import { SPANS, spanName, type Timeframe } from "./timeframe";
import { age } from "./value";

const MINUTE = 60_000;
const UNKNOWN = 24 * 60 * MINUTE; // the longest range offered while nobody says how long readings are kept

/** ranges lists what the menu offers, in ms: what is kept bounds it and ends it. */
export function ranges(kept: number): number[] {
  const most = kept > 0 ? kept : UNKNOWN;
  const list = SPANS.map((s) => s.ms).filter((r) => r < most);
  return most >= MINUTE ? [...list, most] : [MINUTE];
}

export function mountPicker(root: ParentNode, timeframe: Timeframe, keys: Keys): void {
  const groups = root.querySelectorAll<HTMLElement>("[data-times]");
  const menu = root.querySelector<HTMLElement>("#spans");
  if (groups.length === 0) return;
  const offered = ranges(timeframe.kept);
  const choices = offered.map((ms, i) => {
    const button = el("button", "item");
    button.setAttribute("type", "button");
    const all = timeframe.kept > 0 && i === offered.length - 1;
    button.append(el("span", "", all ? `All that is kept, ${spanName(ms)}` : `Last ${spanName(ms)}`));
    if (i < 9) button.append(el("kbd", "", String(i + 1)));
    button.addEventListener("click", () => {
      timeframe.setSpan(ms);
      menu?.hidePopover();
    });
    return button;
  });
  menu?.replaceChildren(...choices);

  const back = [...root.querySelectorAll<HTMLElement>("[data-live]")];
  const pauses = [...root.querySelectorAll<HTMLElement>("[data-pause]")];
  const steps = [...root.querySelectorAll<HTMLButtonElement>("[data-step]")];
  const texts = root.querySelectorAll("[data-span-text]");

  const show = () => {
    const { mode, span } = timeframe;
    const live = mode === "live";
    const had = document.activeElement;
    const { from, to } = timeframe.window(Date.now());
    const text = mode === "zoomed" ? `Zoomed, ${age(to - from)}` : `Last ${spanName(span)}`;
    for (const t of texts) if (t.textContent !== text) t.textContent = text;
    choices.forEach((c, i) => c.setAttribute("aria-current", String(mode !== "zoomed" && offered[i] === span)));
    for (const b of back) b.hidden = live;
    for (const b of pauses) b.hidden = !live;
    for (const b of steps) b.hidden = live;
    // What was pressed is gone; the focus goes to what does the opposite.
    if (had instanceof HTMLElement && had.hidden) {
      const other = live ? pauses : back;
      other.find((b) => b.checkVisibility())?.focus();
    }
  };
  timeframe.onChange(show);
  show();

  for (const b of back) b.addEventListener("click", () => timeframe.live());
  for (const b of pauses) b.addEventListener("click", () => timeframe.pause());
  for (const b of steps) b.addEventListener("click", () => timeframe.step(b.dataset.step === "-1" ? -1 : 1));
  keys.register("pause", () => timeframe.toggle());
  keys.register("live", () => timeframe.live());
  keys.register("step.back", () => timeframe.step(-1));
  keys.register("step.on", () => timeframe.step(1));
  keys.register("range", (e) => {
    const ms = offered[Number(e.key) - 1];
    if (ms === undefined) return false;
    timeframe.setSpan(ms);
  });
}
