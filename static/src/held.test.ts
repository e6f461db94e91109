import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, Row } from "./frame";
import { Held } from "./held";
import { nearestTo } from "./panelkeys";

const readings = (n: number, of = n): Message => ({ type: "readings", topic: "a", rows: Array.from({ length: n }, (_, i): Row => [i, i]), id: "1-0", prev: "0-0", of });

test("what comes in a pause is counted and comes out in order", () => {
  const h = new Held();
  assert.equal(h.take(readings(2, 44), false), 44);
  h.take(readings(1), true);
  const out: [number, boolean][] = [];
  h.release((m, first) => out.push([m.type === "readings" ? m.of : 0, first]));
  assert.deepEqual(out, [
    [44, false],
    [1, true],
  ]);
  assert.equal(h.size, 0);
});

test("a long pause holds a bounded number and says that it let go", () => {
  const h = new Held();
  for (let i = 0; i < 1000; i++) h.take(readings(100), false);
  assert.equal(h.size, 0);
  assert.ok(h.over);
  h.release(() => assert.fail("a torn history must not be used"));
  assert.ok(!h.over);
});

test("arrows lead to the nearest panel that lies that way", () => {
  const box = (left: number, top: number, width = 10, height = 10) => ({ left, top, right: left + width, bottom: top + height });
  const boxes = [box(20, 0), box(40, 0), box(0, 20, 30), box(40, 20)];
  const from = box(0, 0);
  assert.equal(nearestTo(from, boxes, "ArrowRight"), 0);
  assert.equal(nearestTo(from, boxes, "ArrowDown"), 2);
  assert.equal(nearestTo(from, boxes, "ArrowLeft"), -1);
  assert.equal(nearestTo(boxes[3]!, [from, ...boxes.slice(0, 3)], "ArrowUp"), 2);
});
