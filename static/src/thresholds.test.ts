import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOf, reached, type Threshold, worst } from "./thresholds";

const warn: Threshold = { at: 80, level: "warn", name: "busy" };
const hot: Threshold = { at: 90, level: "warn", name: "hot" };
const critical: Threshold = { at: 95, level: "critical" };
const low: Threshold = { at: 10, level: "critical", name: "low", below: true };

test("a threshold is reached at its value, and below it when it says so", () => {
  assert.ok(reached(warn, 80));
  assert.ok(!reached(warn, 79.9));
  assert.ok(reached(low, 10));
  assert.ok(!reached(low, 10.1));
  assert.ok(!reached(warn, Number.NaN));
});

test("the worst level wins, of one level the later one", () => {
  assert.equal(worst([warn, critical], 99), critical);
  assert.equal(worst([critical, warn], 99), critical);
  assert.equal(worst([warn, hot, critical], 92), hot);
  assert.equal(worst([warn, critical], 12), null);
  assert.equal(worst([warn, low], 3), low);
  assert.equal(nameOf(warn), "busy");
  assert.equal(nameOf(critical), "critical");
});
