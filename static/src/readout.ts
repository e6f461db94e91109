// The read-out of the top bar: how many topics are live, and what the connection does.

import type { Link } from "./socket";
import { age } from "./value";

const GRACE = 1000; // ms; a connection that is back within it was never worth a word

export class ReadOut {
  private readonly mark: Element | null;
  private readonly text: Element | null;

  constructor(root: ParentNode) {
    this.mark = root.querySelector("[data-readout-mark]");
    this.text = root.querySelector("[data-readout-text]");
  }

  show(link: Link, live: number, other: number): void {
    switch (link.state) {
      case "connecting":
        return; // the time of the page still holds
      case "stopped":
        this.put("off", `Not connected: ${link.say}`);
        return;
      case "again": {
        const ms = performance.now() - link.since;
        if (ms >= GRACE) this.put("again", `reconnecting, ${age(Math.floor(ms / 1000) * 1000).replace(".0", "")}`);
        return;
      }
      case "live":
        if (live + other <= 1) this.put(other ? "stale" : "live", other ? "Connected, not live" : live ? "Live" : "Listening");
        else this.put(live ? "live" : "stale", other ? `${live} live, ${other} not live` : `${live} live`);
    }
  }

  private put(state: string, text: string): void {
    if (this.text?.textContent !== text && this.text) this.text.textContent = text;
    if (this.mark && this.mark.className !== `dot ${state}`) this.mark.setAttribute("class", `dot ${state}`);
  }
}
