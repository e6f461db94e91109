// The read-out of the top bar: how many topics are live, what the connection
// does, how long a reading takes to this screen, and which time is shown.

import { el, hide, setClass, setText } from "./dom";
import type { Link } from "./live";
import type { Timeframe } from "./timeframe";
import { dated, type Zone } from "./times";
import type { Way } from "./transport";
import { age, decimal, NO_VALUE, THIN } from "./value";

const GRACE = 1000; // ms; a connection that is back within it was never worth a word

export interface Facts {
  link: Link;
  live: number;
  other: number;
  /** ms from the store to this screen for 99 of 100 messages, NaN while it is not known. */
  latency: number;
  now: number;
  zone: Zone;
  way: Way;
}

const BLOCKED: Record<Way, string> = { websocket: "", sse: "by event stream", poll: "by polling" };

/** wayWords says how a page is live when not by WebSocket; "" when it is. */
export function wayWords(way: Way): string {
  return BLOCKED[way] && `Live ${BLOCKED[way]}, WebSocket is blocked here`;
}

/** wait prints whole seconds. */
function wait(ms: number): string {
  return age(Math.floor(ms / 1000) * 1000).replace(".0", "");
}

export class ReadOut {
  private readonly mark: Element | null;
  private readonly text: Element | null;
  private readonly otherMark: Element | null;
  private readonly other: Element | null;
  private readonly way = el("span", "way");
  private readonly latency: Element | null;
  private readonly period: Element | null;

  constructor(root: ParentNode) {
    this.mark = root.querySelector("[data-readout-mark]");
    this.text = root.querySelector("[data-readout-text]");
    this.otherMark = root.querySelector("[data-readout-other-mark]");
    this.other = root.querySelector("[data-readout-other]");
    this.latency = root.querySelector("[data-readout-latency]");
    this.period = root.querySelector("[data-period]");
  }

  show(f: Facts, timeframe: Timeframe): void {
    const { from, to } = timeframe.window(f.now);
    setText(this.period, `${dated(from, f.now, f.zone)} to ${dated(to, f.now, f.zone)}, ${f.zone.label(to)}`);
    setText(this.latency, Number.isNaN(f.latency) ? NO_VALUE : `${decimal(f.latency, 0)}${THIN}ms`);
    const { link } = f;
    this.showWay(link.state === "live" ? f.way : "websocket");
    let [mark, text, others] = ["", "", 0];
    if (link.state === "stopped") [mark, text] = ["off", `Not connected: ${link.say}`];
    else if (link.state === "again" && performance.now() - link.since >= GRACE) [mark, text] = ["again", `reconnecting, ${wait(performance.now() - link.since)}`];
    else if (timeframe.mode === "paused") [mark, text] = ["paused", `Paused ${wait(f.now - timeframe.pausedAt)}, ${decimal(timeframe.waiting, 0)} waiting`];
    else if (link.state !== "live") return; // the time of the page still holds
    else if (f.live + f.other <= 1) [mark, text] = [f.other ? "stale" : "live", f.other ? "Connected, not live" : f.live ? "Live" : "Listening"];
    else if (f.live === 0) [mark, text] = ["stale", `${decimal(f.other, 0)} not live`];
    else {
      [mark, text] = ["live", `${decimal(f.live, 0)} live`];
      others = f.other;
    }
    setText(this.text, others > 0 && !this.other ? `${text}, ${others} not live` : text);
    setClass(this.mark, `dot ${mark}`);
    hide(this.otherMark, others === 0);
    hide(this.other, others === 0);
    setText(this.other, others > 0 ? `${decimal(others, 0)} not live` : "");
  }

  private showWay(way: Way): void {
    const title = wayWords(way);
    if (this.way.title === title) return;
    this.way.title = title;
    this.way.replaceChildren(BLOCKED[way], el("span", "why", ", WebSocket is blocked here"));
    if (title) this.other?.after(this.way);
    else this.way.remove();
  }
}
