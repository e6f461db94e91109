// The script of an embed: one panel, no cookie, no storage, no keys of its own.

import { Board } from "./board";
import { readData } from "./panel";
import { localise } from "./tables";

localise(document);
const element = document.querySelector<HTMLElement>("[data-panel]");
const data = element && readData(element);
if (element && data) {
  const board = new Board(data.now);
  board.mount(element);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => board.restyle());
  board.start({ topics: [data.topic], window: `${Math.round(data.span / 1000)}s`, points: 600, rate: 20 });
}
