import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, type Message } from "./frame";
import { Resume } from "./resume";
import { isSelector } from "./selector";
import { frames } from "./testdata";

const golden = new Map(frames().map(([name, text]) => [name, decode(text)!]));
const ROOM = 200_000;
const CPU = 'cpu{host="web1"}';

const readings = (topic: string, prev: string, id: string): Message => ({ type: "readings", topic, rows: [], id, prev, of: 0 });

test("the chain of the golden messages holds", () => {
  const r = new Resume();
  for (const name of ["snapshot", "readings", "gap"]) r.accept(golden.get(name)!);
  assert.equal(r.violations, 0);
  assert.deepEqual(r.after([CPU], ROOM), { [CPU]: "1763785217003-0:20:k3v9" });
});

test("a message that does not follow is counted", () => {
  const r = new Resume();
  r.accept(golden.get("snapshot")!);
  r.accept(readings(CPU, "9-9", "10-0"));
  assert.equal(r.violations, 1);
  r.accept(readings(CPU, "10-0", "11-0"));
  assert.equal(r.violations, 1);
});

test("topics have chains of their own", () => {
  const r = new Resume();
  r.start("a", "1-0");
  r.start("b", "2-0");
  r.accept(readings("a", "1-0", "3-0"));
  r.accept(readings("b", "2-0", "4-0"));
  r.accept(readings("a", "3-0", "5-0"));
  assert.equal(r.violations, 0);
});

test("a page goes on after what it was rendered with, and a lost connection after what it heard", () => {
  const r = new Resume();
  r.start("a", "1-0");
  r.start("b", "");
  assert.deepEqual(r.after(["a", "b"], ROOM), { a: "1-0" });
  r.connected();
  assert.ok(r.confirms("a"));
  r.accept(readings("a", "1-0:5:e", "7-0:6:e")); // the answer may spell the cursor in full
  assert.ok(!r.confirms("a"));
  assert.equal(r.violations, 0);
  r.connected();
  assert.ok(r.confirms("a"));
  assert.deepEqual(r.after(["*"], ROOM), { a: "7-0:6:e" });
});

test("after a reset there is no place until its snapshot", () => {
  const r = new Resume();
  r.accept(golden.get("snapshot")!);
  r.accept(golden.get("reset")!);
  assert.deepEqual(r.after([CPU], ROOM), {});
  r.accept(golden.get("snapshot")!);
  assert.deepEqual(r.after([CPU], ROOM), { [CPU]: "1763785199004-0:2:k3v9" });
  assert.equal(r.violations, 0);
});

test("cursors fit into one message", () => {
  const r = new Resume();
  for (let i = 0; i < 1000; i++) r.start(`topic_${i}_${"x".repeat(1000)}`, `${i}-0`);
  const after = r.after(["*"], ROOM);
  assert.ok(JSON.stringify(after).length <= ROOM);
  assert.ok(Object.keys(after).length > 10);
});

test("selectors are told from topics", () => {
  for (const s of ["*", "http_*", "cpu{*}", "cpu{host=*}", 'cpu{host=~"a|b"}', 'cpu{host!="a"}', 'cpu{host!~"a"}']) assert.ok(isSelector(s), s);
  for (const s of ["cpu", 'cpu{host="*"}', 'cpu{host="a=~b"}', 'cpu{host="\\"*"}']) assert.ok(!isSelector(s), s);
});
