// The script of every page but embeds.

import { Board } from "./board";
import { mountCopy } from "./copy";
import { mountHome } from "./home";
import { onKey } from "./keys";
import { readData } from "./panel";
import { localise } from "./tables";
import { mountTheme } from "./theme";
import { mountTopics } from "./topics";

const elements = [...document.querySelectorAll<HTMLElement>("[data-panel]")];
const main = document.querySelector<HTMLElement>("[data-topics], [data-home]");
const serverNow = Number(main?.dataset.now) || elements.map((e) => readData(e)?.now ?? 0).find((now) => now > 0) || 0;

mountCopy(document);
localise(document);

if (main || elements.length > 0) {
  const board = new Board(serverNow);
  for (const e of elements) board.mount(e);
  mountTheme(document.querySelector("[data-theme-toggle]"), () => board.restyle());
  if (main?.matches("[data-topics]")) mountTopics(main, board);
  else if (main) mountHome(main, board);
  else {
    const topics = board.all().map((p) => p.topic);
    const span = readData(elements[0]!)?.span ?? 300_000;
    board.start({ topics, window: `${Math.round(span / 1000)}s`, points: 600, rate: 20 });
    const values = document.querySelector<HTMLDetailsElement>("[data-values]");
    onKey("v", () => {
      if (values) values.open = !values.open;
    });
  }
} else mountTheme(document.querySelector("[data-theme-toggle]"), () => {});
