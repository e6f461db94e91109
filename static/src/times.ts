// Labels of the time axis: round times of the viewer's own clock.

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

/** clock prints hours, minutes and seconds of the viewer's day. */
export function clock(ms: number): string {
  const d = new Date(ms);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** stepFor returns the smallest round step that puts labels at least apart ms from one another. */
export function stepFor(apart: number): number {
  return STEPS.find((s) => s >= apart) ?? Math.ceil(apart / DAY) * DAY;
}

/** roundTimes lists the multiples of step between two times, on the viewer's clock. */
export function roundTimes(from: number, to: number, step: number): number[] {
  const zone = new Date(from).getTimezoneOffset() * MINUTE;
  const times: number[] = [];
  for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to; t += step) times.push(t);
  return times;
}

/** timeLabel prints a round time; midnight is its date. */
export function timeLabel(ms: number, step: number): string {
  const d = new Date(ms);
  if (step < MINUTE) return clock(ms);
  if (d.getHours() === 0 && d.getMinutes() === 0) return `${d.getDate()} ${MONTHS[d.getMonth()]}`;
  return `${two(d.getHours())}:${two(d.getMinutes())}`;
}
