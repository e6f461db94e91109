import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row } from "./frame";
import { Series } from "./series";

const filled = (rows: Row[], columns = ["value"]): Series => {
  const s = new Series();
  s.describe(
    columns,
    columns.map(() => ""),
  );
  for (const row of rows) s.add(row);
  return s;
};
const times = (s: Series) => [...s.times.subarray(s.first, s.beyond)];

test("late readings are put where they belong, equal times in order of arrival", () => {
  const s = filled([
    [10, 1],
    [30, 3],
    [20, 2],
    [30, 4],
    [5, 0],
  ]);
  assert.deepEqual(times(s), [5, 10, 20, 30, 30]);
  assert.deepEqual([...s.numbers(0).subarray(s.first, s.beyond)], [0, 1, 2, 3, 4]);
  assert.equal(s.last(0), 4, "a late reading is not the last value");
});

test("ten thousand readings in any order come out sorted", () => {
  const order = Array.from({ length: 10_000 }, (_, i) => (i * 7919) % 10_000);
  const s = filled(order.map((t): Row => [t, t * 2]));
  assert.equal(s.length, 10_000);
  for (let i = 0; i < 10_000; i++) {
    assert.equal(s.times[s.first + i], i);
    assert.equal(s.numbers(0)[s.first + i], i * 2);
  }
});

test("memory is bounded and what is newest stays", () => {
  const s = filled([]);
  for (let i = 0; i < 100_000; i++) s.add([i, i]);
  assert.ok(s.length <= 32_768);
  assert.equal(s.lastTime, 99_999);
  assert.equal(s.times[s.indexFrom(99_990)], 99_990);
  assert.equal(s.indexFrom(200_000), s.beyond);
});

test("columns may come in another order after a reconnect, and grow", () => {
  const s = filled([[1, 10, 20]], ["user", "system"]);
  s.describe(["system", "user", "idle"], ["percent", "percent", "percent"]);
  s.add([2, 21, 11, 70]);
  assert.deepEqual(s.columns, ["user", "system", "idle"]);
  assert.deepEqual(s.row(s.newest(1)[0]!).values, [11, 21, 70]);
  assert.deepEqual(s.row(s.newest(2)[1]!).values, [10, 20, null]);
});

test("states and bools are kept as words and never drawn", () => {
  const s = filled([
    [1, "open"],
    [2, true],
    [3, null],
  ]);
  assert.ok(s.isState(0));
  assert.equal(s.last(0), true);
  assert.equal(s.extent([0], 0), null);
  assert.deepEqual(s.newest(3).map((i) => s.value(0, i)), [null, true, "open"]);
  s.add([1.5, "ajar"]);
  assert.deepEqual(s.newest(4).map((i) => s.value(0, i)), [null, true, "ajar", "open"]);
});

test("a gap breaks the line exactly where readings are missing", () => {
  const s = filled([[1000, 1]]);
  s.mark("17 lost, trimmed", 1500);
  s.add([5000, 2]);
  s.add([6000, 3]);
  assert.deepEqual(s.marks, [{ from: 1000, to: 5000, text: "17 lost, trimmed" }]);
  assert.ok(s.broken(1000, 5000));
  assert.ok(!s.broken(5000, 6000));
});

test("trim forgets the old and keeps the last reading", () => {
  const s = filled([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  s.trim(100);
  assert.deepEqual(times(s), [3]);
  assert.equal(s.last(0), 3);
});

test("the interval is the median, and 0 for what sends on change", () => {
  assert.equal(filled([0, 1000, 2010, 2990, 4000, 5000].map((t): Row => [t, 1])).interval(), 1000);
  assert.equal(filled([0, 1000].map((t): Row => [t, 1])).interval(), 0);
  assert.equal(filled([0, 100, 60_000, 60_100, 200_000, 900_000].map((t): Row => [t, 1])).interval(), 0);
});

test("columns of one unit share a scale", () => {
  const s = new Series();
  s.describe(["user", "steal"], ["percent", "percent"]);
  s.add([1, 23.4, 0.5]);
  assert.equal(s.scale(1, 0).decimals, 1);
});
