// The script of every page but embeds.

import { Board } from "./board";
import { Row } from "./row";
import { mountShell } from "./shell";
import { tab } from "./tab";

const board = Board.find(document, (element, topic, feed, page) => new Row(element, topic, feed, page), tab);
mountShell(board);
board?.start();
