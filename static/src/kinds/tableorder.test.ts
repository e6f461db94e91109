import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cells, compareCells, heading, nextOrder, type Order } from "./tableorder";

const rows: Cells[] = [
  { name: "b", values: [2, "x"] },
  { name: "a", values: [null, "z"] },
  { name: "c", values: [10, null] },
  { name: "d", values: [2, "y"] },
];
const sorted = (order: Order) => [...rows].sort((a, b) => compareCells(a, b, order)).map((r) => r.name);

test("a unit that repeats the name is left out", () => {
  assert.equal(heading("Memory", "MiB"), "Memory, MiB");
  assert.equal(heading("Processes", "processes"), "Processes");
  assert.equal(heading("State", ""), "State");
});

test("rows stand by value, ties by name, and what has no value last either way", () => {
  assert.deepEqual(sorted({ by: 0, down: true }), ["c", "b", "d", "a"]);
  assert.deepEqual(sorted({ by: 0, down: false }), ["b", "d", "c", "a"]);
  assert.deepEqual(sorted({ by: 1, down: false }), ["b", "d", "a", "c"]);
  assert.deepEqual(sorted({ by: -1, down: false }), ["a", "b", "c", "d"]);
  assert.deepEqual(sorted({ by: -1, down: true }), ["d", "c", "b", "a"]);
});

test("a header turns its column, another one begins with what is looked for", () => {
  assert.deepEqual(nextOrder({ by: 0, down: true }, 0, true), { by: 0, down: false });
  assert.deepEqual(nextOrder({ by: 0, down: true }, 1, true), { by: 1, down: true });
  assert.deepEqual(nextOrder({ by: 0, down: true }, -1, false), { by: -1, down: false });
});
