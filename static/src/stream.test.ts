import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "./backoff";
import { endOf, Events } from "./stream";

const TEXT = ': hello\n\ndata: {"type":"welcome"}\n\n:\r\ndata:{"a":"\u00e9: 1"}\r\n\r\nid: 7\ndata: one\ndata: two\n\nevent: close\ndata: {"code":1012,"reason":"restarting","retry_ms":700}\n\n';
const EVENTS = [
  { name: "", data: '{"type":"welcome"}' },
  { name: "", data: '{"a":"\u00e9: 1"}' },
  { name: "", data: "one\ntwo" },
  { name: "close", data: '{"code":1012,"reason":"restarting","retry_ms":700}' },
];

test("events are the same wherever the stream is cut into pieces", () => {
  for (let size = 1; size <= TEXT.length; size++) {
    const events = new Events();
    const found = [];
    for (let at = 0; at < TEXT.length; at += size) found.push(...events.take(TEXT.slice(at, at + size)));
    assert.deepEqual(found, EVENTS, `pieces of ${size}`);
  }
});

test("an event that is not whole is none", () => {
  assert.deepEqual(new Events().take('data: {"type":"welc'), []);
  assert.deepEqual(new Events().take('data: {"type":"welcome"}\n'), []);
});

test("the end of a stream or poll is read like that of a socket", () => {
  const end = endOf(EVENTS[3]!.data);
  assert.equal(end.code, 1012);
  assert.equal(verdict(end.code, end.reason).least, 700);
  assert.deepEqual(endOf({ code: 4001, reason: "the token has expired", retry_ms: 0 }), { code: 4001, reason: "the token has expired" });
  for (const nonsense of ["", "{", "null", "[]", '{"code":"1012"}', null, 7]) assert.equal(endOf(nonsense).code, 1006, String(nonsense));
});
