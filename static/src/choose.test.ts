import assert from "node:assert/strict";
import { test } from "node:test";
import { Choice } from "./choose";

test("a WebSocket that is refused twice while HTTP answers is blocked", () => {
  const c = new Choice("");
  assert.equal(c.way, "websocket");
  assert.equal(c.refused(), false);
  assert.equal(c.way, "websocket");
  assert.equal(c.refused(), true);
  assert.equal(c.way, "sse");
});

test("a refusal that was followed by a connection does not count", () => {
  const c = new Choice("");
  for (let i = 0; i < 5; i++) {
    assert.equal(c.refused(), false);
    c.opened();
  }
  assert.equal(c.way, "websocket");
});

test("what does not open in time is blocked, unless everything is slow here", () => {
  const c = new Choice("");
  assert.equal(c.patience, 1500);
  assert.equal(c.late(1500, 900), false, "plain HTTP takes long as well");
  assert.equal(c.late(1499, 5), false);
  assert.equal(c.late(1500, 5), true);
  assert.equal(c.way, "sse");
  assert.equal(c.patience, 2000);
  assert.equal(c.late(2000, 5), true);
  assert.equal(c.way, "poll");
  assert.equal(c.late(5000, 5), true);
  assert.equal(c.way, "websocket", "if no way works, it was not the way");
});

test("better ways are tried after 30 s, then ever more rarely, at most 10 minutes apart", () => {
  const c = new Choice("");
  c.late(2000, 5);
  const waits = [];
  for (let i = 0; i < 7; i++) {
    assert.equal(c.better(), "websocket");
    waits.push(c.tryIn() / 1000);
    c.failed();
  }
  assert.deepEqual(waits, [30, 60, 120, 240, 480, 600, 600]);
  c.found("websocket");
  assert.equal(c.way, "websocket");
});

test("polling tries both better ways in turns", () => {
  const c = new Choice("poll");
  const tried = [];
  for (let i = 0; i < 5; i++) {
    tried.push(c.better());
    c.failed();
  }
  assert.deepEqual(tried, ["websocket", "websocket", "sse", "websocket", "sse"]);
  c.found("sse");
  assert.equal(c.way, "sse");
  assert.equal(c.tryIn(), 30_000);
});

test("a tab that remembers a way begins with it, and soon tries a better one", () => {
  const c = new Choice("sse");
  assert.equal(c.way, "sse");
  assert.equal(c.tryIn(), 5000);
  c.failed();
  assert.equal(c.tryIn(), 30_000);
  for (const nonsense of ["", "websocket", "carrier pigeon"]) assert.equal(new Choice(nonsense).way, "websocket");
});
