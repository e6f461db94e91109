import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row } from "../frame";
import { Series } from "../series";
import { notable, stretches, wordClass } from "./stretches";

function states(rows: Row[]): Series {
  const s = new Series();
  s.describe(["value"], [""]);
  for (const row of rows) s.add(row);
  return s;
}
const cut = (s: Series, from: number, to: number, interval = 0, far = 0) => stretches(s, 0, from, to, interval, far, new Map()).map((x) => [x.from, x.to, x.class, x.text]);

test("words are known to be good, bad or neither", () => {
  assert.equal(wordClass("Up"), "up");
  assert.equal(wordClass("true"), "up");
  assert.equal(wordClass("down"), "critical");
  assert.equal(wordClass("slow"), "warn");
  assert.equal(wordClass("blue"), "");
});

test("a state holds until the next reading, and equal ones are one stretch", () => {
  const s = states([
    [100, "up"],
    [200, "up"],
    [300, "down"],
    [400, "up"],
  ]);
  assert.deepEqual(cut(s, 100, 500), [
    [100, 300, "up", "up"],
    [300, 400, "critical", "down"],
    [400, 500, "up", "up"],
  ]);
});

test("a state from before the window enters from its edge", () => {
  const s = states([
    [100, "up"],
    [300, "down"],
  ]);
  assert.deepEqual(cut(s, 200, 400), [
    [200, 300, "up", "up"],
    [300, 400, "critical", "down"],
  ]);
});

test("where readings are missing no state is known, and what is missing is said", () => {
  const s = states([
    [1000, "up"],
    [2000, "down"],
  ]);
  s.mark("17 lost, trimmed", 2500);
  s.add([5000, "up"]);
  assert.deepEqual(cut(s, 1000, 6000, 500, 1500), [
    [1000, 2000, "up", "up"],
    [2000, 2500, "critical", "down"],
    [2500, 5000, "none", "17 lost, trimmed"],
    [5000, 6000, "up", "up"],
  ]);
  s.mark("lost, outage", 5500);
  assert.deepEqual(cut(s, 4000, 6000), [
    [4000, 5000, "none", "17 lost, trimmed"],
    [5000, 6000, "none", "lost, outage"],
  ]);
  assert.equal(notable(stretches(s, 0, 4000, 6000, 0, 0, new Map()))!.text, "lost, outage");
});

test("before the first reading, and in silence, there is no reading", () => {
  const s = states([
    [2000, "up"],
    [3000, "up"],
    [9000, "up"],
  ]);
  assert.deepEqual(cut(s, 0, 10_000, 1000, 3000), [
    [0, 2000, "none", "no reading"],
    [2000, 4000, "up", "up"],
    [4000, 9000, "none", "no reading"],
    [9000, 10_000, "up", "up"],
  ]);
  assert.deepEqual(cut(states([]), 0, 10), [[0, 10, "none", "no reading"]]);
});

test("words that are neither good nor bad get a hue by order, numbers are words too", () => {
  const s = states([
    [1, "blue"],
    [2, "green"],
    [3, "blue"],
    [4, 7],
  ]);
  assert.deepEqual(
    cut(s, 1, 5).map((x) => x[2]),
    ["other1", "other2", "other1", "other3"],
  );
});

test("a lane says its last exception, else what it is", () => {
  const list = (rows: Row[]) => stretches(states(rows), 0, 1, 9, 0, 0, new Map());
  assert.equal(
    notable(
      list([
        [1, "up"],
        [3, "down"],
        [5, "up"],
      ]),
    )?.text,
    "down",
  );
  assert.equal(notable(list([[1, "up"]]))?.text, "up");
  assert.equal(notable(list([[3, "up"]]))?.text, "up", "that nothing was known at the beginning is no exception");
});
