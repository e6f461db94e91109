import assert from "node:assert/strict";
import { test } from "node:test";
import { missingIn, missingOf } from "./missing";
import { Series } from "./series";

function lost(topic: string, at: number, ...texts: string[]) {
  const series = new Series();
  series.describe(["value"], [""]);
  series.add([at, 1]);
  for (const text of texts) series.mark(text, at);
  return { topic, series };
}

test("what is missing is said while it is within the time that is shown", () => {
  const { series } = lost("a", 1000, "17 lost, trimmed");
  assert.equal(missingOf(series, 0, 5000)?.text, "17 lost, trimmed");
  series.add([2000, 1]);
  assert.equal(missingOf(series, 1500, 5000)?.text, "17 lost, trimmed");
  assert.equal(missingOf(series, 2001, 5000), undefined);
  assert.equal(missingOf(series, 0, 999), undefined);
});

test("of several topics the newest is said, how many others there are, and all of it in full", () => {
  assert.deepEqual(missingIn([lost("a", 1000)], 0, 5000), { text: "", full: "", since: Number.NEGATIVE_INFINITY });
  assert.deepEqual(missingIn([lost("a", 1000), lost("b", 1000, "lost, outage", "store replaced 12:00:01")], 0, 5000), { text: "store replaced 12:00:01", full: "b: store replaced 12:00:01", since: 1000 });
  assert.deepEqual(missingIn([lost("a", 1000, "17 lost, trimmed"), lost("b", 2000, "3 lost, too slow"), lost("c", 500, "lost, outage")], 0, 5000), {
    text: "3 lost, too slow, and in 2 other topics",
    full: "b: 3 lost, too slow\na: 17 lost, trimmed\nc: lost, outage",
    since: 2000,
  });
});

test("what is missing after the time that is shown is not said, and neither is when", () => {
  const a = lost("a", 1000, "17 lost, trimmed");
  a.series.add([3000, 1]);
  a.series.mark("3 lost, too slow", 3000);
  const b = lost("b", 2000, "lost, outage");
  assert.deepEqual(missingIn([a], 0, 2500), { text: "17 lost, trimmed", full: "a: 17 lost, trimmed", since: 1000 });
  assert.equal(missingIn([a, b], 0, 2500).text, "lost, outage, and in 1 other topic");
  assert.deepEqual(missingIn([a], 0, 3500), { text: "3 lost, too slow", full: "a: 3 lost, too slow", since: 3000 });
});
