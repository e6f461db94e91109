// Who looks at a feed, and at what of it.

import type { Feed } from "./feed";
import { Panel } from "./panel";

const NEWEST = new Set(["gauge", "bars", "table", "text"]); // kinds of panels that show no course

/** gone says that only tables show a feed, and that they have let it leave: a program that ended. */
export function gone(feed: Feed): boolean {
  for (const drawn of feed.watchers) if (!(drawn instanceof Panel && drawn.config.kind === "table" && drawn.state !== "stale")) return false;
  return true;
}

/** charted says that somebody draws the course of a feed and not only its newest reading. */
export function charted(feed: Feed): boolean {
  for (const drawn of feed.watchers) if (!(drawn instanceof Panel && NEWEST.has(drawn.config.kind))) return true;
  return false;
}
