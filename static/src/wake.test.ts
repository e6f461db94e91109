import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "./clock";
import { Jumps, Wake } from "./wake";

/** machine has the two clocks of one, both at 0. */
function machine() {
  const m = { wall: 1_000_000, steady: 0 };
  return {
    wall: () => m.wall,
    steady: () => m.steady,
    pass: (ms: number) => {
      m.wall += ms;
      m.steady += ms;
    },
    jump: (ms: number) => {
      m.wall += ms;
    },
  };
}

test("a machine that slept is noticed, on systems where the page's clock sleeps too and where it does not", () => {
  for (const sleep of ["jump", "pass"] as const) {
    const m = machine();
    const w = new Wake(m.wall, m.steady);
    for (let i = 0; i < 100; i++) {
      m.pass(1000);
      assert.equal(w.slept(true), false);
    }
    m[sleep](600_000);
    assert.equal(w.slept(true), true, sleep);
    m.pass(1000);
    assert.equal(w.slept(true), false);
  }
});

test("a hidden page whose timers rest did not sleep", () => {
  const m = machine();
  const w = new Wake(m.wall, m.steady);
  m.pass(60_000);
  assert.equal(w.slept(false), false);
  m.pass(1000);
  assert.equal(w.slept(true), false);
});

test("a clock that is corrected little by little does not jump", () => {
  const m = machine();
  const j = new Jumps(m.wall, m.steady);
  for (let i = 0; i < 1000; i++) {
    m.pass(1000);
    m.jump(5);
    assert.equal(j.by(), 0);
  }
  m.jump(-3_600_000);
  assert.equal(j.by(), -3_600_000);
  assert.equal(j.by(), 0);
});

test("times on the page stay right when this machine's clock is set", () => {
  for (const set of [-3_600_000, 3_600_000, 90 * 86_400_000]) {
    const m = machine();
    const c = new Clock(5_000_000, m.wall, m.steady);
    c.set(5_000_000, 0);
    m.pass(10_000);
    m.jump(set);
    assert.equal(c.now(), 5_010_000);
    assert.equal(c.known, set < 0, "if it is ahead, it may as well have slept");
    m.pass(500);
    assert.equal(c.now(), 5_010_500);
    c.set(5_010_520, 40);
    assert.equal(c.known, true);
    assert.equal(c.now(), 5_010_540);
  }
});

test("after a sleep the server's time is taken", () => {
  const m = machine();
  const c = new Clock(5_000_000, m.wall, m.steady);
  c.set(5_000_000, 0);
  m.jump(600_000); // the page's clock slept
  assert.equal(c.now(), 5_000_000, "until the server tells");
  assert.equal(c.set(5_600_000, 20), true);
  assert.equal(c.now(), 5_600_010);
});
