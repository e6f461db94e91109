// In which zone the page prints times: the viewer's own, or UTC. Switching
// redraws every time on the page.

import { keep, onKept, recall } from "./settings";

export type ZoneName = "local" | "utc";

/** storedZone returns what the viewer chose before. */
export function storedZone(): ZoneName {
  return zoneNamed(recall("zone"));
}

/** zoneNamed takes a stored text; all but utc is local. */
export function zoneNamed(text: string): ZoneName {
  return text === "utc" ? "utc" : "local";
}

/** keepZone remembers the choice. */
export function keepZone(zone: ZoneName): void {
  keep("zone", zone === "utc" ? "utc" : "");
}

/** onZone hears of a switch in another tab of this browser. */
export function onZone(changed: (zone: ZoneName) => void): void {
  onKept("zone", () => changed(storedZone()));
}
