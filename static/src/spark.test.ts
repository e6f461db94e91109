import assert from "node:assert/strict";
import { test } from "node:test";
import { areaPath, linePath, strokes, tipPath } from "./spark";
import { json } from "./testdata";

test("lines are those of the server", () => {
  const cases = json("../views/testdata/strokes.json");
  assert.ok(cases.length > 5);
  for (const c of cases) {
    const values = c.values.map((v: number | null) => v ?? Number.NaN);
    const runs = strokes(c, c.times, values);
    assert.deepEqual([linePath(runs), areaPath(runs), tipPath(runs)], [c.line, c.area, c.tip], c.name);
  }
});

test("nothing is joined where readings are missing", () => {
  const frame = { from: 0, to: 1000, lo: 0, hi: 1000, joinable: 0 };
  const runs = strokes(frame, [100, 200, 300, 400], [0, 0, 0, 0], (before, after) => before <= 250 && after > 250);
  assert.equal(linePath(runs), "M100 1000L200 1000M300 1000L400 1000");
});
