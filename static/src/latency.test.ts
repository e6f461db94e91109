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
  const c = new Clock(5000, () => local, () => local);
  assert.equal(c.now(), 5000);
  assert.equal(c.known, false);
  local = 1100;
  assert.equal(c.set(6000, 40), true);
  assert.equal(c.now(), 6020);
  assert.equal(c.known, true);
  assert.equal(c.set(0, 0), false, "no time is no news");
  assert.equal(c.now(), 6020);
});

test("an answer that took long changes no clock that is known better", () => {
  let local = 100_000;
  const c = new Clock(0, () => local, () => local);
  c.set(500_000, 10);
  local += 20_000;
  assert.equal(c.set(500_010, 20_000), false, "said when it was asked for");
  assert.equal(c.set(520_000, 20_000), false, "said when it was answered");
  assert.equal(c.now(), 520_005);
  assert.equal(c.set(520_100, 4), true, "said within a shorter time");
  assert.equal(c.now(), 520_102);
  assert.equal(c.set(900_000, 20_000), true, "of a replica with another clock");
  assert.equal(c.now(), 910_000);
});

test("nothing is seen before it was stored: the clock follows, as far as it may be wrong", () => {
  let local = 100_000;
  const c = new Clock(0, () => local, () => local);
  c.atLeast(7);
  assert.equal(c.now(), 100_000, "nothing is known yet");
  c.set(500_000, 400); // somewhere from 500,000 to 500,400
  assert.equal(c.now(), 500_200);
  c.atLeast(500_150);
  assert.equal(c.now(), 500_200);
  c.atLeast(500_350);
  assert.equal(c.now(), 500_350);
  c.atLeast(500_500);
  assert.equal(c.now(), 500_350, "a store whose clock is another one");
});
