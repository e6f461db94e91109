import assert from "node:assert/strict";
import { test } from "node:test";
import { Facets } from "./topicsfacets";
import { Selector } from "./selector";
import { selectorOf, testFor, unionOf } from "./topicsfilter";

const topics = ['http_requests{code="200",site="eu"}', 'http_requests{code="500",site="eu"}', 'http_requests{code="200",site="us"}', 'http_open{site="eu"}', "cpu"];
const picked = (text: string) => topics.filter(testFor(text)!).length;

test("the field takes words, beginnings and selectors", () => {
  assert.equal(picked(""), 5);
  assert.equal(picked("*"), 5);
  assert.equal(picked("http"), 4);
  assert.equal(picked("EU requests"), 2);
  assert.equal(picked("http_*"), 4);
  assert.equal(picked('http_*{site="us"}'), 1);
  assert.equal(picked('http_requests{code=~"5.."}'), 1);
  assert.equal(picked('cpu{host="a"}'), 0);
});

test("a selector that is not finished picks nothing and is not an answer", () => {
  for (const text of ["http_*{", 'http_*{site="e', "http_*{site=~"]) assert.equal(testFor(text), null, text);
});

test("what the field picks can be asked of the server, unless it is words", () => {
  assert.equal(selectorOf(""), "*");
  assert.equal(selectorOf("http"), "*http*");
  assert.equal(selectorOf("http_*{site=*}"), "http_*{site=*}");
  assert.equal(selectorOf("eu requests"), "");
  assert.equal(selectorOf("http_*{"), "");
});

const items = topics.map((topic) => ({ topic, state: topic === "cpu" ? "stale" : "live" }));
const counts = (f: Facets, key: string) => Object.fromEntries(f.count(items).find((x) => x.key === key)?.choices.map((c) => [c.value, c.count]) ?? []);

test("facets count names, labels and states", () => {
  const f = new Facets();
  assert.deepEqual(counts(f, "name"), { http_requests: 3, http_open: 1, cpu: 1 });
  assert.deepEqual(counts(f, "label:site"), { eu: 3, us: 1 });
  assert.deepEqual(counts(f, "state"), { live: 4, stale: 1 });
});

test("what is picked narrows the other facets, not its own", () => {
  const f = new Facets();
  f.toggle("label:site", "eu");
  assert.deepEqual(counts(f, "label:site"), { eu: 3, us: 1 });
  assert.deepEqual(counts(f, "name"), { http_requests: 2, http_open: 1, cpu: 0 });
  assert.deepEqual(items.filter((i) => f.test(i)).length, 3);
  f.toggle("label:site", "us");
  assert.deepEqual(items.filter((i) => f.test(i)).length, 4);
  f.toggle("label:site", "eu");
  f.toggle("label:site", "us");
  assert.deepEqual(items.filter((i) => f.test(i)).length, 5);
});

test("a choice that is picked stays in sight when nothing has it any more", () => {
  const f = new Facets();
  f.toggle("label:site", "ap");
  const site = f.count([]).find((x) => x.key === "label:site");
  assert.deepEqual(site?.choices, [{ value: "ap", count: 0, picked: true }]);
});

test("a facet of one choice says nothing and is left out; long ones are cut and say so", () => {
  const many = Array.from({ length: 30 }, (_, i) => ({ topic: `cpu{host="h${i}"}`, state: "live" }));
  const facets = new Facets().count(many);
  assert.deepEqual(facets.map((x) => x.key), ["label:host"]);
  assert.equal(facets[0]!.choices.length + facets[0]!.more, 30);
});

test("picked topics become one selector when one picks exactly them", () => {
  const [a, b, c] = topics as [string, string, string];
  assert.equal(unionOf([a], topics), a);
  assert.equal(unionOf([], topics), "");
  assert.equal(unionOf([a, b], topics), 'http_requests{code=~"200|500",site="eu"}');
  assert.equal(unionOf([b, c], topics), ""); // it would pick the one that they have in common, too
  assert.equal(unionOf([a, "cpu"], topics), "");
  const odd = ['disk{path="/a.b"}', 'disk{path="/c\\\\d"}', 'disk{path="/aXb"}'];
  const selector = unionOf(odd.slice(0, 2), odd);
  assert.deepEqual(odd.filter((t) => new Selector(selector).match(t)), odd.slice(0, 2), selector);
});
