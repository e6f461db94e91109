import assert from "node:assert/strict";
import { test } from "node:test";
import { lineNames } from "./names";
import { json } from "./testdata";

test("lines are called what the server calls them", () => {
  const cases: { lines: [string, string][]; names: Record<string, string>; things?: boolean; want: string[] }[] = json("../views/testdata/names.json");
  assert.ok(cases.length > 8);
  for (const c of cases) assert.deepEqual(lineNames(c.lines, c.names, c.things), c.want, JSON.stringify(c.lines));
});

test("a column that is called like a property of every object keeps its name", () => {
  assert.deepEqual(
    lineNames(
      [
        ["a", "constructor"],
        ["a", "toString"],
      ],
      {},
    ),
    ["constructor", "toString"],
  );
});
