// What a tab remembers: by which way its page is connected, so that the next page
// need not find out again what is blocked here. An embed remembers nothing, and
// does without this.

import type { Way } from "./transport";

const NAME = "readout.way";

export interface Tab {
  /** way is the one that was kept; "" when it is the best. */
  way(): string;
  keep(way: Way): void;
}

export const tab: Tab = {
  way: () => {
    try {
      return sessionStorage.getItem(NAME) ?? "";
    } catch {
      return "";
    }
  },
  keep: (way) => {
    try {
      if (way === "websocket") sessionStorage.removeItem(NAME);
      else sessionStorage.setItem(NAME, way);
    } catch {
      // The next page finds out by itself.
    }
  },
};
