import assert from "node:assert/strict";
import { test } from "node:test";
import { Hearing, joinable, judge } from "./freshness";

const signs = { silence: 500, interval: 1000, link: "live" as const, storeAway: "" };

test("stale after three intervals, at least 2 s", () => {
  assert.equal(judge({ ...signs, silence: 2999 }).state, "live");
  assert.equal(judge({ ...signs, silence: 3001 }).state, "stale");
  assert.equal(judge({ ...signs, interval: 50, silence: 1999 }).state, "live");
  assert.equal(judge({ ...signs, interval: 50, silence: 2001 }).state, "stale");
  assert.equal(joinable(10_000), 30_000);
});

test("what sends on change is never stale by its age", () => {
  assert.deepEqual(judge({ ...signs, interval: 0, silence: 3_600_000 }), { state: "quiet", word: "1 h ago" });
});

test("worse wins", () => {
  assert.equal(judge({ ...signs, link: "again", silence: 60_000 }).state, "again");
  assert.equal(judge({ ...signs, link: "stopped" }).state, "stopped");
  assert.deepEqual(judge({ ...signs, storeAway: "12:03" }), { state: "stale", word: "stale since 12:03" });
  assert.equal(judge({ ...signs, silence: Number.NaN }).state, "empty");
});

test("a sender whose clock is wrong is live while it is heard", () => {
  const h = new Hearing();
  h.known(1_000_000 - 60_000, 1_000_000); // an hour's page: its readings are a minute behind
  assert.equal(h.silence(1_000_000), 60_000);
  h.live(1_005_000 - 60_000, 1_005_000);
  assert.equal(h.silence(1_005_100), 100);
});

test("what a resume brings is as old as it says", () => {
  const h = new Hearing();
  h.known(940_000, 1_000_000);
  h.live(950_000, 1_000_500);
  assert.equal(h.silence(1_000_500), 50_500);
});
