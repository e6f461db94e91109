import assert from "node:assert/strict";
import { test } from "node:test";
import { Report } from "./report";

test("a page that saw nothing tells nothing", () => {
  const r = new Report(0);
  assert.equal(r.due({ violations: 0, resumes: 0 }, 29_999), false);
  assert.equal(r.due({ violations: 0, resumes: 0 }, 30_000), true);
  assert.equal(r.take("websocket", { violations: 0, resumes: 0 }, 30_000), "");
  assert.equal(r.due({ violations: 0, resumes: 0 }, 59_999), false);
});

test("what is told is what happened since the last report", () => {
  const r = new Report(0);
  for (const ms of [-3, 25, 26, 100, 2500, 2501, 1e9]) r.painted(ms);
  assert.deepEqual(JSON.parse(r.take("sse", { violations: 0, resumes: 2 }, 30_000)), {
    transport: "sse",
    violations: 0,
    resumes: 2,
    painted: { le: [25, 50, 100, 250, 500, 1000, 2500], counts: [2, 1, 1, 0, 0, 0, 1, 2] },
  });
  assert.deepEqual(JSON.parse(r.take("poll", { violations: 1, resumes: 2 }, 60_000)), {
    transport: "poll",
    violations: 1,
    resumes: 0,
    painted: { le: [25, 50, 100, 250, 500, 1000, 2500], counts: [0, 0, 0, 0, 0, 0, 0, 0] },
  });
});

test("of a chain that is broken all the time as much is told as the server takes", () => {
  const r = new Report(0);
  assert.equal(JSON.parse(r.take("sse", { violations: 5000, resumes: 0 }, 30_000)).violations, 100);
  assert.equal(r.take("sse", { violations: 5000, resumes: 0 }, 60_000), "", "what is left out is not told later");
});

test("a broken chain is told at once, but at most once a second", () => {
  const r = new Report(0);
  assert.equal(r.due({ violations: 1, resumes: 0 }, 999), false);
  assert.equal(r.due({ violations: 1, resumes: 0 }, 1000), true);
  r.take("websocket", { violations: 1, resumes: 0 }, 1000);
  assert.equal(r.due({ violations: 1, resumes: 0 }, 5000), false, "it is told already");
  assert.equal(r.due({ violations: 2, resumes: 0 }, 1500), false);
  assert.equal(r.due({ violations: 2, resumes: 0 }, 2000), true);
});
