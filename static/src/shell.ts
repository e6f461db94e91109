// The shell around the panels: everything of a page that is not a reading.

import type { Board } from "./board";
import { mountCopy } from "./copy";
import { Favourites } from "./favourites";
import { mountHelp } from "./help";
import { mountHome } from "./home";
import { Keys } from "./keys";
import { mountManage } from "./manage";
import { mountDialogs, mountMenus } from "./menu";
import { mountPicker, ranges } from "./picker";
import { type Hit, Search } from "./search";
import { Choice, keep, recall } from "./settings";
import { ThemeSwitch, themeNamed } from "./theme";
import { spanName } from "./timeframe";
import { Zone } from "./times";
import { mountTopics } from "./topics";
import { Wall } from "./wall";
import { keepZone, onZone, storedZone, zoneNamed } from "./zone";

/** mountShell brings the shell to life. A page without readings has no board. */
export function mountShell(board: Board | null): void {
  const keys = new Keys(document);
  const say = (text: string) => board?.say(text);
  mountMenus(document);
  mountDialogs(document);
  mountCopy(document, say);
  mountManage(document, say);

  const themes = new Choice(document, "theme", themeNamed(recall("theme")), (value) => {
    if (value !== theme.now) theme.set(themeNamed(value));
  });
  const theme = new ThemeSwitch(document, (now) => {
    themes.set(now);
    board?.restyle();
  });
  keys.register("theme", () => theme.turn());

  const zones = new Choice(document, "zone", storedZone(), (value) => {
    const zone = zoneNamed(value);
    keepZone(zone);
    board?.setZone(new Zone(zone));
    say(zone === "utc" ? "Times in UTC" : "Times in local time");
  });
  onZone((zone) => zones.set(zone));
  const turnZone = () => zones.set(zones.value === "utc" ? "local" : "utc");
  if (board) {
    if (zones.value === "utc") board.setZone(new Zone("utc"));
    keys.register("zone", turnZone);
  }

  const single = new Choice(document, "keys", recall("keys") === "off" ? "off" : "on", (value) => {
    keep("keys", value === "off" ? "off" : "");
    useKeys();
  });
  const useKeys = () => {
    keys.on = single.value !== "off";
    if (board) board.singleKeys = keys.on;
    document.documentElement.toggleAttribute("data-no-keys", !keys.on);
  };
  useKeys();

  const favourites = new Favourites(document, say);
  if (favourites.can()) keys.register("favourite", () => favourites.toggle());

  const moves = board !== null && document.querySelector("[data-times]") !== null;
  if (board && moves) mountPicker(document, board.timeframe, keys);
  const wall = board && document.querySelector(".board") ? new Wall(board, keys) : null;
  if (board && board.panels().length > 0) keys.also("panel.move", "panel.full", "panel.values", "panel.copy");

  const actions = (): Hit[] => {
    const list: Hit[] = [];
    const action = (text: string, icon: string, key: string, act: () => void, typed = false) => list.push({ group: "Actions", text, icon, key, act, typed });
    if (board && moves) {
      const { timeframe } = board;
      if (timeframe.mode === "live") action("Pause", "pause", "Space", () => timeframe.pause());
      else action("Back to live", "play", "L", () => timeframe.live());
      for (const [i, ms] of ranges(timeframe.kept).entries()) action(`Show the last ${spanName(ms)}`, "clock", i < 9 ? String(i + 1) : "", () => timeframe.setSpan(ms), true);
    }
    const other = theme.dark() ? "light" : "dark";
    action(`Theme: ${other}`, "theme", "T", () => theme.set(other));
    if (board) action(zones.value === "utc" ? "Times in local time" : "Times in UTC", "clock", "U", turnZone);
    if (favourites.can()) action("Favourite, or not any more", "star", "F", () => favourites.toggle());
    if (wall) action("Wall screen", "wall", "W", () => wall.enter());
    action("Keys", "keys", "?", () => document.querySelector<HTMLElement>("[data-keys-open]")?.click());
    return list;
  };
  Search.mount(document, keys, favourites, actions);
  mountHelp(document, keys);

  // Lists come last: their fields take the key of the search.
  const main = document.querySelector<HTMLElement>("[data-topics], [data-home]");
  if (board && main?.matches("[data-topics]")) mountTopics(main, board, keys);
  else if (board && main) mountHome(main, board, keys);

  mountPrint(board, theme);
}

/** mountPrint turns the page light for print, charts included, and back. */
function mountPrint(board: Board | null, theme: ThemeSwitch): void {
  const html = document.documentElement;
  window.addEventListener("beforeprint", () => {
    html.dataset.theme = "light";
    board?.restyle();
    board?.drawNow();
  });
  window.addEventListener("afterprint", () => {
    theme.reapply();
    board?.restyle();
  });
}
