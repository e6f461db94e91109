// Times as the page prints them, in the viewer's zone or in UTC, and the round
// times of an axis.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [1, 2, 5, 10, 15, 30].map((n) => n * SECOND).concat(
  [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  [1, 2, 3, 6, 12, 24].map((n) => n * HOUR),
);

const two = (n: number) => String(n).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Zone is where a clock hangs: on the viewer's wall, or at UTC. */
export class Zone {
  constructor(readonly name: "local" | "utc") {}

  /** offset is what to add to a time in UTC, in ms. */
  offset(ms: number): number {
    return this.name === "utc" ? 0 : -new Date(ms).getTimezoneOffset() * MINUTE;
  }

  /** label is the zone as a page says it: UTC, UTC+1, UTC−3:30. */
  label(ms: number): string {
    const minutes = Math.round(this.offset(ms) / MINUTE);
    if (minutes === 0) return "UTC";
    const [h, m] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
    return `UTC${minutes < 0 ? "\u2212" : "+"}${h}${m > 0 ? `:${two(m)}` : ""}`;
  }
}

const LOCAL = new Zone("local");

/** moved returns a date whose UTC fields read as the clock of the zone. */
function moved(ms: number, zone: Zone): Date {
  return new Date(ms + zone.offset(ms));
}

/** clock prints hours, minutes and seconds. */
export function clock(ms: number, zone: Zone = LOCAL): string {
  const d = moved(ms, zone);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

/** dated is a clock with its day where that is not the day of now. */
export function dated(ms: number, now: number, zone: Zone = LOCAL): string {
  const d = moved(ms, zone);
  return moved(now, zone).toISOString().slice(0, 10) === d.toISOString().slice(0, 10) ? clock(ms, zone) : `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]} ${clock(ms, zone)}`;
}

/** stepFor returns the smallest round step that puts labels at least apart ms from one another. */
export function stepFor(apart: number): number {
  return STEPS.find((s) => s >= apart) ?? Math.ceil(apart / DAY) * DAY;
}

/** firstRound is the first multiple of step at or after a time, on the clock of the zone. */
export function firstRound(from: number, step: number, zone: Zone = LOCAL): number {
  const offset = zone.offset(from);
  return Math.ceil((from + offset) / step) * step - offset;
}

/** roundTimes lists the multiples of step between two times, on the clock of the zone. */
export function roundTimes(from: number, to: number, step: number, zone: Zone = LOCAL): number[] {
  const times: number[] = [];
  for (let t = firstRound(from, step, zone); t <= to; t += step) times.push(t);
  return times;
}

/** timeLabel prints a round time; midnight is its date. */
export function timeLabel(ms: number, step: number, zone: Zone = LOCAL): string {
  if (step < MINUTE) return clock(ms, zone);
  const d = moved(ms, zone);
  if (d.getUTCHours() === 0 && d.getUTCMinutes() === 0) return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`;
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
}
