import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "./clock";
import { Latency, storedAt } from "./latency";

test("99 of 100 messages of the last minute were drawn within it", () => {
  const l = new Latency();
  assert.ok(Number.isNaN(l.p99(0)), "nothing is known before the first message");
  for (let i = 1; i <= 100; i++) l.add(i, 1000);
  assert.equal(l.p99(2000), 99);
  l.add(5000, 2000);
  assert.equal(l.p99(2000), 100);
  assert.equal(l.p99(61_500), 5000, "what is older than a minute does not count");
  assert.ok(Number.isNaN(l.p99(200_000)));
});

test("memory is bounded and a clock that is ahead makes no negative time", () => {
  const l = new Latency();
  for (let i = 0; i < 10_000; i++) l.add(-5, i);
  assert.equal(l.p99(10_000), 0);
  l.forget();
  assert.ok(Number.isNaN(l.p99(10_000)));
});

test("a cursor says when its entry was stored", () => {
  assert.equal(storedAt("1763785199004-0:2:k3v9"), 1763785199004);
  assert.equal(storedAt("1763785199004-12"), 1763785199004);
  for (const text of ["", "0-0", "x-1", "12"]) assert.ok(Number.isNaN(storedAt(text)), text);
});

test("the clock takes the middle of the time in which a server can have said its own", () => {
  let local = 1000;
  const c = new Clock(5000, () => local);
  assert.equal(c.now(), 5000);
  assert.equal(c.known, false);
  local = 1100;
  c.set(6000, 40);
  assert.equal(c.now(), 6020);
  assert.equal(c.known, true);
  c.set(0, 0);
  assert.equal(c.now(), 6020, "no time is no news");
});
