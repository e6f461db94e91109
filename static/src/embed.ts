// The script of an embed: its panels, no cookie, no storage, no keys of its own.

import { Board } from "./board";

const board = Board.find(document);
if (board) {
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => board.restyle());
  board.start();
}
