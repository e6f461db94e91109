import assert from "node:assert/strict";
import { test } from "node:test";
import { caps } from "./help";
import { actOf, KEYS, single } from "./keys";

const press = (key: string, held: Partial<{ ctrlKey: boolean; metaKey: boolean; altKey: boolean }> = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...held });

test("no key of the whole page does two things", () => {
  const seen = new Map<string, string>();
  for (const k of KEYS.filter((k) => !k.elsewhere)) {
    for (const key of k.keys) {
      assert.equal(seen.get(key), undefined, `${key} is ${seen.get(key)} and ${k.act}`);
      seen.set(key, k.act);
    }
  }
  const acts = KEYS.map((k) => k.act);
  assert.deepEqual(acts, [...new Set(acts)]);
});

test("no key of a panel or a list is taken by the whole page", () => {
  const page = new Set(KEYS.filter((k) => k.group === "Everywhere" || k.group === "Time").flatMap((k) => k.keys));
  for (const k of KEYS.filter((k) => k.group === "On a panel" || k.group === "In lists")) {
    for (const key of k.keys) assert.equal(page.has(key), false, `${key} of ${k.act}`);
  }
});

test("a press is an act, and commands of the browser stay its own", () => {
  assert.equal(actOf(press("/")), "search");
  assert.equal(actOf(press("T")), "theme");
  assert.equal(actOf(press(" ")), "pause");
  assert.equal(actOf(press("7")), "range");
  assert.equal(actOf(press("Escape")), "close");
  assert.equal(actOf(press("k", { ctrlKey: true })), "palette");
  assert.equal(actOf(press("K", { metaKey: true })), "palette");
  assert.equal(actOf(press("[", { ctrlKey: true, altKey: true })), "step.back"); // AltGr
  assert.equal(actOf(press("l", { ctrlKey: true })), "");
  assert.equal(actOf(press("f", { altKey: true })), "");
  assert.equal(actOf(press("v")), ""); // a panel listens for it
  assert.equal(actOf(press("q")), "");
});

test("what people type is a single key, what they do not type is none", () => {
  assert.equal(single("search"), true);
  assert.equal(single("pause"), true);
  assert.equal(single("palette"), false);
  assert.equal(single("close"), false);
});

test("every key has a cap that can be read", () => {
  for (const k of KEYS) {
    const shown = caps(k);
    assert.notEqual(shown.length, 0, k.act);
    for (const cap of shown) assert.match(cap, /^\S(.*\S)?$/, k.act);
  }
  assert.deepEqual(caps(KEYS.find((k) => k.act === "pause")!), ["Space"]);
  assert.deepEqual(caps(KEYS.find((k) => k.act === "range")!), ["1 to 9"]);
});
