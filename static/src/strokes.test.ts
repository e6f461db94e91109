import assert from "node:assert/strict";
import { test } from "node:test";
import { Series } from "./series";
import { type Box, Strokes } from "./strokes";

const box: Box = { left: 0, top: 0, width: 100, height: 10, from: 0, to: 1000, lo: 0, hi: 10 };

function series(rows: [number, number | null][]): Series {
  const s = new Series();
  s.describe(["value"], [""]);
  for (const [t, v] of rows) s.add([t, v]);
  return s;
}
function runs(s: Series, far: number): [number, number][][] {
  const strokes = new Strokes();
  strokes.take(s, 0, box, far);
  return Array.from({ length: strokes.count }, (_, run) => {
    const list: [number, number][] = [];
    for (let i = strokes.runs[run]!; i < strokes.endOf(run); i++) list.push([strokes.xs[i]!, strokes.ys[i]!]);
    return list;
  });
}

test("lines break where readings are far apart, and over marks", () => {
  const s = series([
    [100, 0],
    [200, 10],
    [600, 5],
    [700, 5],
  ]);
  assert.deepEqual(runs(s, 300), [
    [
      [10, 10],
      [20, 0],
    ],
    [
      [60, 5],
      [70, 5],
    ],
  ]);
  assert.equal(runs(s, 0).length, 1);
  s.mark("2 lost", 0);
  s.add([800, 5]);
  assert.equal(runs(s, 0).length, 2);
});

test("a reading without this value breaks nothing", () => {
  assert.equal(
    runs(
      series([
        [100, 1],
        [200, null],
        [300, 1],
      ]),
      0,
    ).length,
    1,
  );
});

test("one reading before the window and one after it come along", () => {
  const s = series([
    [-200, 1],
    [-100, 1],
    [500, 1],
    [1100, 1],
    [1200, 1],
  ]);
  assert.deepEqual(
    runs(s, 0)[0]!.map(([x]) => x),
    [-10, 50, 110],
  );
});

test("ten thousand readings become one column a pixel, and no peak is lost", () => {
  const rows: [number, number][] = Array.from({ length: 10_000 }, (_, i) => [i / 10, 5]);
  rows[4321]![1] = 9;
  rows[7777]![1] = 1;
  const strokes = new Strokes();
  strokes.take(series(rows), 0, box, 0);
  assert.ok(strokes.dense);
  assert.equal(strokes.length, 100);
  assert.deepEqual([strokes.xs[43], strokes.ys[43], strokes.lows[43]], [43, 1, 5]);
  assert.deepEqual([strokes.xs[77], strokes.ys[77], strokes.lows[77]], [77, 5, 9]);
});

test("columns of a dense line touch, and cross those that no reading fell into", () => {
  const rows: [number, number][] = Array.from({ length: 300 }, (_, i) => [i < 150 ? i : 400 + i, i < 150 ? 0 : 10]);
  const strokes = new Strokes();
  strokes.take(series(rows), 0, box, 0);
  assert.ok(strokes.dense);
  assert.equal(strokes.count, 1);
  for (let i = 1; i < strokes.length; i++) {
    assert.equal(strokes.xs[i], strokes.xs[i - 1]! + 1);
    assert.ok(strokes.ys[i]! <= strokes.lows[i - 1]! && strokes.lows[i]! >= strokes.ys[i - 1]!, `column ${i} touches`);
  }
});

test("a dense picture that moves by less than a pixel has the same columns", () => {
  const rows: [number, number][] = Array.from({ length: 1000 }, (_, i) => [i, (i * 7919) % 11]);
  const drawn = (from: number) => {
    const strokes = new Strokes();
    strokes.take(series(rows), 0, { ...box, from, to: from + 500 }, 0);
    return Array.from({ length: strokes.length }, (_, i) => [strokes.xs[i]!, strokes.ys[i]!, strokes.lows[i]!] as const)
      .filter(([x]) => x >= 10 && x < 90)
      .join(" ");
  };
  assert.equal(drawn(250), drawn(254));
  assert.notEqual(drawn(250), drawn(260));
});
