import assert from "node:assert/strict";
import { test } from "node:test";
import { delay, retryMs, verdict } from "./backoff";

test("full jitter doubles from 0.5 s to 30 s", () => {
  const most = 0.999999;
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7, 99].map((attempt) => Math.round(delay(attempt, most))),
    [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000],
  );
  assert.equal(delay(5, 0), 0);
});

test("close codes do what the table says", () => {
  for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 4003, 4029]) assert.equal(verdict(code, "").again, false, String(code));
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 4001, 4008, 4009, 4999]) assert.equal(verdict(code, "").again, true, String(code));
  assert.equal(verdict(1013, "").least, 5000);
  assert.equal(verdict(1012, '{"retry_ms":1500}').least, 1500);
  assert.equal(verdict(4009, "").slower, true);
  assert.equal(verdict(4003, "this embed was removed").say, "this embed was removed");
});

test("retry_ms is read from a reason", () => {
  assert.equal(retryMs("retry_ms=700"), 700);
  assert.equal(retryMs('{"retry_ms": 20000}'), 20000);
  assert.equal(retryMs(" 900 "), 900);
  assert.equal(retryMs("going away in 3 parts"), 0);
});
