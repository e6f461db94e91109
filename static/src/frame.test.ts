import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "./frame";
import { frames } from "./testdata";

const golden = new Map(frames());

test("every message of the protocol is read", () => {
  assert.ok(golden.size >= 15);
  for (const [name, text] of golden) {
    const m = decode(text);
    assert.ok(m, name);
    assert.equal(m.type, name.split("-")[0]);
  }
});

test("golden files are compact JSON without a line end", () => {
  for (const [name, text] of golden) assert.equal(text, JSON.stringify(JSON.parse(text)), name);
});

test("a snapshot loses the column of the time, its rows keep it", () => {
  const m = decode(golden.get("snapshot")!);
  assert.deepEqual(m, {
    type: "snapshot",
    topic: 'cpu{host="web1"}',
    columns: ["user", "system", "mode"],
    units: ["percent", "percent", ""],
    interval: 1000,
    rows: [
      [1763785198000, 0.31, 0.11, "busy"],
      [1763785199000, 0.3, null, true],
    ],
    id: "1763785199004-0:2:k3v9",
    of: 2,
  });
});

test("an unknown count of lost readings stays unknown", () => {
  const m = decode(golden.get("gap-unknown")!);
  assert.ok(m?.type === "gap");
  assert.equal(m.lost, null);
});

test("what is not of this protocol is ignored, what is more than it is not minded", () => {
  for (const text of ["", "x", "null", "[]", "42", '{"type":"future","topic":"a"}', '{"type":"readings"}', '{"type":7}']) assert.equal(decode(text), null, text);
  const m = decode('{"type":"readings","topic":"a","rows":[[1,2],"x",[null]],"id":"1-0","prev":"0-0","of":1,"colour":"red"}');
  assert.ok(m?.type === "readings");
  assert.deepEqual(m.rows, [[1, 2]]);
});
