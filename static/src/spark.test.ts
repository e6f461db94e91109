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
