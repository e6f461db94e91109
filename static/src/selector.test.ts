import assert from "node:assert/strict";
import { test } from "node:test";
import { isSelector, labelsOf, regexpOf, Selector } from "./selector";
import { json } from "./testdata";

interface Case {
  selector: string;
  match: string[];
  not: string[];
}

test("selectors pick what the server's do", () => {
  const cases: Case[] = json("../server/reading/testdata/selectors.json");
  assert.ok(cases.length > 20);
  for (const c of cases) {
    const selector = new Selector(c.selector);
    for (const topic of c.match) assert.ok(selector.match(topic), `${c.selector} must pick ${topic}`);
    for (const topic of c.not) assert.ok(!selector.match(topic), `${c.selector} must not pick ${topic}`);
  }
});

test("what is no selector picks nothing", () => {
  for (const text of ['cpu{host="a"', 'cpu{host="a",}', 'cpu{a=*,a=*}', 'cpu{a~"1"}', 'cpu{a=""}', 'cpu{a=~"["}', 'cpu{a=~"a)|(?:b"}']) {
    assert.equal(new Selector(text).match('cpu{a="1"}'), false, text);
    assert.equal(new Selector(text).match("cpu"), false, text);
  }
});

test("expressions without a counterpart are refused rather than guessed", () => {
  for (const text of ["(?=a)", "(?<!a)b", "\\Qa\\E", "\\pL", "(?U)a*", "a(?i)b", "\\1"]) assert.equal(regexpOf(text), null, text);
});

test("a selector holds an operator or a star outside quotes", () => {
  assert.ok(isSelector("cpu*"));
  assert.ok(isSelector('cpu{a!="b"}'));
  assert.ok(!isSelector('cpu{a="*=~"}'));
});

test("labels of a topic", () => {
  assert.deepEqual([...labelsOf('a{b="1",c="x\\"y"}')], [
    ["b", "1"],
    ["c", 'x"y'],
  ]);
  assert.equal(labelsOf("a").size, 0);
});
