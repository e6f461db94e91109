import assert from "node:assert/strict";
import { test } from "node:test";
import { axisFor, axisScale, labels } from "./axis";
import { json } from "./testdata";
import { age, figure, fullText, rate, rhythm, scaleFor, scaleOver } from "./value";

const numbers = json("../views/testdata/numbers.json");

test("figures are those of the server", () => {
  assert.ok(numbers.figures.length > 20);
  for (const c of numbers.figures) {
    const s = scaleOver(c.unit, c.lo, c.hi, c.whole);
    assert.deepEqual([figure(s, c.value), s.unit], [c.figure, c.shown], JSON.stringify(c));
  }
});

test("ages, rates and rhythms are those of the server", () => {
  for (const c of numbers.ages) assert.equal(age(c.ms), c.text);
  for (const c of numbers.rates) assert.equal(rate(c.perSecond), c.text);
  for (const c of numbers.rhythms) assert.equal(rhythm(c.ms), c.text);
});

test("axes are those of the server", () => {
  const axes = json("../views/testdata/axes.json");
  assert.ok(axes.length > 10);
  for (const c of axes) {
    const a = axisFor(c.unit, c.lo, Math.max(c.hi, c.max ?? c.hi), c.whole);
    assert.deepEqual(labels(a, axisScale(a, scaleOver(c.unit, c.lo, c.hi, c.whole), c.unit, c.whole)), c.labels, JSON.stringify(c));
  }
});

test("a missing value is a dash, never 0", () => {
  assert.equal(figure(scaleFor("percent", 10, false), Number.NaN), "\u2013");
  assert.equal(fullText(null), "\u2013");
  assert.equal(fullText(-1.5), "\u22121.5");
  assert.equal(fullText("-x"), "-x");
});
