import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "./config";
import { Feed } from "./feed";
import type { Row } from "./frame";
import { healthOf } from "./health";
import { Lines, type View } from "./lines";

const NOW = 1_000_000;
const view: View = { now: NOW, from: NOW - 60_000, to: NOW, live: true };

function config(change: Partial<Config>): Config {
  return { title: "", note: "", kind: "line", topics: [], columns: [], unit: "", min: Number.NaN, max: Number.NaN, decimals: -1, names: {}, thresholds: [], legend: [], limit: 12, ...change };
}
function feed(topic: string, columns: string[], rows: Row[], interval = 1000, units = columns.map(() => "percent")): Feed {
  const f = new Feed(topic, { now: () => NOW, link: () => "live", clock: String });
  f.start({ topic, columns, units, kinds: columns.map(() => ""), interval, after: "", rows });
  return f;
}
const one = (topic: string, v: number | string, t = NOW) => feed(topic, ["value"], [[t, v]]);
const names = (l: Lines) => l.numbers.map((n) => n.name);

test("topics stand in the order of the panel, those of a selector by name, each with the columns that are asked for", () => {
  const l = new Lines(config({ topics: ["mem", "cpu{host=*}"], columns: ["system", "user"] }));
  for (const t of ['cpu{host="b"}', 'cpu{host="a"}', "mem"]) l.join(feed(t, ["user", "system", "idle"], [[NOW, 1, 2, 3]]));
  assert.equal(l.join(feed("disk", ["user"], [[NOW, 1]])), false);
  l.update(view);
  assert.deepEqual(names(l), ["mem, system", "mem, user", "cpu, a, system", "cpu, a, user", "cpu, b, system", "cpu, b, user"]);
});

test("a line keeps its colour while others come and go", () => {
  const l = new Lines(config({ topics: ["x{h=*}"] }));
  const [a, b, c] = ["a", "b", "c"].map((h) => one(`x{h="${h}"}`, 1)) as [Feed, Feed, Feed];
  l.join(b);
  l.join(c);
  l.update(view);
  const order = () => Object.fromEntries(l.numbers.map((n) => [n.feed.topic.slice(5, 6), n.order]));
  assert.deepEqual(order(), { b: 0, c: 1 });
  l.join(a);
  l.update(view);
  assert.deepEqual(order(), { a: 2, b: 0, c: 1 });
  l.leave(b);
  l.update(view);
  assert.deepEqual(order(), { a: 2, c: 1 });
});

test("a table lets stale topics leave, and says so only when all of them are", () => {
  const health = (kind: "line" | "table", ages: number[]) => {
    const l = new Lines(config({ topics: ["x{h=*}"], kind }));
    ages.forEach((age, i) => l.join(one(`x{h="${i}"}`, 1, NOW - age)));
    l.update(view);
    const { state, chip, word } = healthOf(l, view, "live");
    return { state, chip, word };
  };
  assert.deepEqual(health("line", [0, 30_000, 30_000]), { state: "live", chip: "stale", word: "2 of 3 stale" });
  assert.deepEqual(health("table", [0, 30_000, 30_000]), { state: "live", chip: "live", word: "1 s" });
  assert.equal(health("table", [30_000, 30_000]).chip, "stale");
});

test("with more lines than the limit the largest stay, in their order", () => {
  const l = new Lines(config({ topics: ["x{h=*}"], limit: 2 }));
  for (const [h, v] of [
    ["a", 5],
    ["b", 1],
    ["c", 9],
    ["d", 2],
  ] as const)
    l.join(one(`x{h="${h}"}`, v));
  l.update(view);
  assert.deepEqual(names(l), ["a", "c"]);
  assert.equal(l.more, 2);
});

test("words are not drawn, and a unit of the panel stands for that of the column", () => {
  const l = new Lines(config({ topics: ["x"], unit: "bytes", decimals: 1 }));
  l.join(
    feed("x", ["n", "state"], [
      [NOW - 1000, 2048, "up"],
      [NOW, 4096, "down"],
    ]),
  );
  l.update(view);
  assert.deepEqual(names(l), ["n"]);
  assert.deepEqual(
    l.words.map((w) => w.text()),
    ["down"],
  );
  assert.equal(l.numbers[0]!.text() + l.numbers[0]!.scale.unit, "4.0KiB");
});

test("a measured line knows its window, and a past window has the values of then", () => {
  const l = new Lines(config({ topics: ["x"] }));
  l.join(
    feed("x", ["value"], [
      [NOW - 90_000, 100],
      [NOW - 50_000, 1],
      [NOW - 40_000, 4],
      [NOW, 2],
    ]),
  );
  l.update(view);
  const n = l.numbers[0]!;
  assert.deepEqual([n.lo, n.hi, n.sum, n.count, n.first, n.last, n.lastTime], [1, 4, 7, 3, 1, 2, NOW]);
  l.update({ now: NOW, from: NOW - 60_000, to: NOW - 39_000, live: false });
  assert.deepEqual([n.count, n.last, n.lastTime], [2, 4, NOW - 40_000]);
  assert.equal(n.at(NOW - 49_900), 1);
});

test("a panel is as bad as the worst of its topics allows", () => {
  const l = new Lines(config({ topics: ["x{h=*}"], thresholds: [{ at: 5, level: "warn", name: "busy" }] }));
  const health = (link: "live" | "again" = "live") => {
    l.update(view);
    const { state, chip, word, level } = healthOf(l, view, link);
    return [state, chip, word, level].join();
  };
  assert.equal(health(), "empty,empty,,");
  l.join(one('x{h="a"}', 9));
  assert.equal(health(), "live,warn,busy,warn");
  assert.equal(health("again"), "again,again,reconnecting,");
  l.join(one('x{h="b"}', 1, NOW - 20_000));
  assert.equal(health(), "live,stale,1 of 2 stale,");
  const old = new Lines(config({ topics: ["y"] }));
  old.join(one("y", 1, NOW - 48_000));
  old.update(view);
  assert.equal(healthOf(old, view, "live").word, "48 s ago");
});

test("readings of a thinned history are joined over what was left out", () => {
  const l = new Lines(config({ topics: ["x"] }));
  const f = feed("x", ["value"], []);
  l.join(f);
  const rows = Array.from({ length: 10 }, (_, i): Row => [NOW - (10 - i) * 5000, i]);
  f.message({ type: "snapshot", topic: "x", columns: ["value"], units: [""], interval: 1000, rows, id: "1-0", of: 50 }, true);
  l.update(view);
  assert.equal(l.numbers[0]!.far, 30_000);
  f.trim(NOW + 120_000);
  assert.equal(l.numbers[0]!.far, 3000, "what came since lies as it came");
  const page = feed("y", ["value"], rows);
  assert.ok(page.series.coarse > 4, "rows of a page say by their distance that they were thinned");
});

test("a topic that may not be seen says so, but hides no other", () => {
  const l = new Lines(config({ topics: ["x", "y"] }));
  const secret = feed("x", [], []);
  secret.message({ type: "error", topic: "x", code: "forbidden", message: "Your token may read shop_*." }, true);
  l.join(secret);
  l.update(view);
  assert.equal(healthOf(l, view, "live").state, "forbidden");
  l.join(one("y", 1));
  l.update(view);
  assert.equal(healthOf(l, view, "live").state, "live");
});

test("readings that are left out of the flow are said, those of a snapshot are finer than a pixel", () => {
  const f = one("x", 1);
  const l = new Lines(config({ topics: ["x"] }));
  l.join(f);
  f.message({ type: "readings", topic: "x", rows: [[NOW, 2], [NOW + 1, 3]], id: "1-0", prev: "0-0", of: 44 }, false);
  l.update(view);
  assert.equal(healthOf(l, view, "live").word, "1 in 22");
  assert.equal(f.series.thin.length, 1);
  f.message({ type: "snapshot", topic: "x", columns: ["value"], units: [""], interval: 1000, rows: [[NOW, 2]], id: "2-0", of: 100 }, true);
  assert.equal(f.thinned, 1);
  assert.equal(f.series.thin.length, 0);
});
