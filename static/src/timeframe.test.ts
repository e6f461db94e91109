import assert from "node:assert/strict";
import { test } from "node:test";
import { durationText, SPANS, spanName, Timeframe } from "./timeframe";

const HOUR = 3_600_000;

function frame(span = 300_000, kept = HOUR) {
  const at = { now: 10 * HOUR, changes: 0 };
  const t = new Timeframe(span, kept, () => at.now);
  t.onChange(() => at.changes++);
  return { t, at };
}

test("a live window ends now and moves", () => {
  const { t, at } = frame();
  assert.deepEqual(t.window(at.now), { from: at.now - 300_000, to: at.now });
  at.now += 5000;
  assert.equal(t.end(at.now), at.now);
});

test("a pause freezes the window and ends with live", () => {
  const { t, at } = frame();
  t.pause();
  const frozen = t.window(at.now);
  at.now += 14_000;
  t.waiting += 312;
  assert.deepEqual(t.window(at.now), frozen);
  assert.equal(t.mode, "paused");
  t.toggle();
  assert.equal(t.mode, "live");
  assert.equal(t.waiting, 0);
  assert.equal(at.changes, 2);
  t.live();
  assert.equal(at.changes, 2, "what changes nothing is not told");
});

test("zooms nest, and lead back one by one", () => {
  const { t, at } = frame();
  const { now } = at;
  t.zoom(now - 60_000, now - 120_000);
  assert.deepEqual(t.window(now), { from: now - 120_000, to: now - 60_000 });
  t.zoom(now - 100_000, now - 90_000);
  assert.deepEqual(t.window(now), { from: now - 100_000, to: now - 90_000 });
  t.back();
  assert.deepEqual(t.window(now), { from: now - 120_000, to: now - 60_000 });
  t.back();
  assert.equal(t.mode, "live");
});

test("a zoom has a least width, ends now at most and begins where readings are kept", () => {
  const { t, at } = frame();
  const { now } = at;
  t.zoom(now - 50_000, now - 50_000);
  assert.deepEqual(t.window(now), { from: now - 50_500, to: now - 49_500 });
  t.zoom(now - 1000, now + 1000);
  assert.deepEqual(t.window(now), { from: now - 2000, to: now });
  t.zoom(now - 2 * HOUR, now - HOUR + 60_000);
  assert.equal(t.start(now), now - HOUR);
  assert.ok(t.end(now) <= now);
});

test("steps go half a window, and past now to live", () => {
  const { t, at } = frame(100_000);
  const { now } = at;
  t.step(1);
  assert.equal(t.mode, "live");
  t.step(-1);
  assert.deepEqual(t.window(now), { from: now - 150_000, to: now - 50_000 });
  t.step(-1);
  assert.deepEqual(t.window(now), { from: now - 200_000, to: now - 100_000 });
  t.step(1);
  t.step(1);
  assert.equal(t.mode, "live");
});

test("a span is at most what is kept, and goes back to live", () => {
  const { t, at } = frame();
  t.zoom(at.now - 60_000, at.now - 50_000);
  t.setSpan(24 * HOUR);
  assert.equal(t.span, HOUR);
  assert.equal(t.mode, "live");
});

test("a window that nobody chose grows with the readings, up to what the page is made for", () => {
  const at = { now: 10 * HOUR, changes: 0 };
  const t = new Timeframe(60_000, 24 * HOUR, () => at.now, 20 * 60_000);
  t.onChange(() => at.changes++);
  const began = at.now - 40_000;
  t.grow(began);
  assert.deepEqual([t.span, t.reach, at.changes], [60_000, 20 * 60_000, 0]);
  at.now = began + 60_001;
  t.grow(began);
  assert.deepEqual([t.span, at.changes], [300_000, 1]);
  at.now = began + 300_001;
  t.pause();
  t.grow(began);
  assert.equal(t.span, 300_000, "what stands still does not grow");
  t.live();
  t.grow(began);
  assert.equal(t.span, 900_000);
  t.grow(at.now - 3 * HOUR);
  assert.equal(t.span, 20 * 60_000, "at most what the page is made for");
  t.grow(Number.POSITIVE_INFINITY);
  t.grow(Number.NaN);
  assert.equal(t.span, 20 * 60_000);
});

test("a window that somebody chose stays, also when it is the one that is shown", () => {
  const at = { now: 10 * HOUR, changes: 0 };
  const t = new Timeframe(60_000, 24 * HOUR, () => at.now, 900_000);
  t.onChange(() => at.changes++);
  t.setSpan(60_000);
  assert.equal(at.changes, 1, "the address is to say it");
  t.grow(at.now - HOUR);
  assert.deepEqual([t.span, t.reach], [60_000, 60_000]);
});

test("spans have names for people and for addresses", () => {
  assert.deepEqual(
    SPANS.map((s) => spanName(s.ms)),
    SPANS.map((s) => s.name),
  );
  assert.equal(spanName(2 * HOUR), "2 h");
  assert.equal(spanName(90_000), "90 s");
  assert.equal(durationText(300_000), "5m");
  assert.equal(durationText(HOUR), "1h");
  assert.equal(durationText(90_000), "90s");
});
