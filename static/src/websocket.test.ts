import assert from "node:assert/strict";
import { test } from "node:test";
import { spread } from "./rail";
import { byteLength } from "./websocket";
import { topicPath } from "./address";

test("bytes are counted as the server counts them", () => {
  for (const s of ["", "abc", '{"topic":"caf\u00e9"}', "\u2013\u2009\u00b0C", "a\u{1f600}b", "\ud800x"]) assert.equal(byteLength(s), new TextEncoder().encode(s).length, JSON.stringify(s));
});

test("the address of a topic keeps only the slashes of its name", () => {
  assert.equal(topicPath("disk/root"), "/t/disk/root");
  assert.equal(topicPath('orders{path="/a b",q="it\'s"}'), "/t/orders%7Bpath%3D%22%2Fa%20b%22%2Cq%3D%22it%27s%22%7D");
  assert.equal(decodeURIComponent(topicPath('a{b="%2F\\"<img>"}')), '/t/a{b="%2F\\"<img>"}');
});

test("labels of the rail are pushed apart and stay inside", () => {
  assert.deepEqual(spread([10, 12, 200, 200], 17, 205), [10, 27, 188, 205]);
});
