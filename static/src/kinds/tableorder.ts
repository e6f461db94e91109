// In which order the rows of a table stand.

export interface Cells {
  name: string;
  /** One for each column: a number, a word, or nothing. */
  values: (number | string | null)[];
}

export interface Order {
  /** -1 is the name, else the index of a value. */
  by: number;
  down: boolean;
}

/** compareCells puts rows in order; what has no value stands last, whichever way the column is sorted. */
export function compareCells(a: Cells, b: Cells, { by, down }: Order): number {
  const turn = down ? -1 : 1;
  const byName = a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  if (by < 0) return byName * turn;
  const [x, y] = [a.values[by] ?? null, b.values[by] ?? null];
  if (x === null || y === null) return Number(x === null) - Number(y === null) || byName;
  if (typeof x === "number" && typeof y === "number") return (x - y) * turn || byName;
  const [s, t] = [String(x), String(y)];
  return (s < t ? -turn : s > t ? turn : 0) || byName;
}

/** heading is a value's name and unit; 18 processes are not "processes, processes". */
export function heading(name: string, unit: string): string {
  return unit === "" || unit.toLowerCase() === name.toLowerCase() ? name : `${name}, ${unit}`;
}

/** nextOrder is what a click on a header leads to: numbers begin with the largest, names with the first. */
export function nextOrder(now: Order, by: number, number: boolean): Order {
  return now.by === by ? { by, down: !now.down } : { by, down: number };
}
