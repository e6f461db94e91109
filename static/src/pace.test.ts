import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace";

/** frames lets frames come, every so many of them late. */
function frames(pace: Pace, count: number, lateEvery = Number.POSITIVE_INFINITY): void {
  for (let i = 1; i <= count; i++) pace.came(i % lateEvery === 0 ? 34 : 17);
}

test("turns come less often once several frames were late, not after one", () => {
  const pace = new Pace();
  const { round } = pace;
  pace.came(100);
  assert.equal(pace.round, round);
  frames(pace, 100, 2);
  assert.ok(pace.round > round);
  assert.ok(pace.round <= 225, "a turn is at most a quarter of a second away");
});

test("turns come as before when frames were in time for a while", () => {
  const pace = new Pace();
  const { round } = pace;
  frames(pace, 100, 2);
  frames(pace, 120);
  assert.ok(pace.round > round, "two seconds are no while");
  frames(pace, 1300);
  assert.equal(pace.round, round);
});

test("one late frame in two hundred changes nothing, one in fifty does", () => {
  const pace = new Pace();
  const { round } = pace;
  frames(pace, 10_000, 200);
  assert.equal(pace.round, round);
  frames(pace, 10_000, 50);
  assert.ok(pace.round > round);
});
