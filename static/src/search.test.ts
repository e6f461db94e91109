import assert from "node:assert/strict";
import { test } from "node:test";
import { type Hit, hitsOf, openedHit, remembered, selectorFor } from "./search";
import { best, marks, rank } from "./searchrank";

test("better hits rank higher", () => {
  const order = ["orders", "orders_late", "new orders", "http/orders", "borders"];
  const scores = order.map((text) => rank("orders", text));
  assert.deepEqual(scores, scores.toSorted((a, b) => b - a), String(scores));
  assert.equal(rank("orders", "cpu"), 0);
  assert.equal(rank("", "anything"), 1);
});

test("every word must be there, in any order", () => {
  assert.ok(rank("berlin orders", 'orders{shop="berlin"}') > 0);
  assert.equal(rank("berlin cpu", 'orders{shop="berlin"}'), 0);
});

test("best keeps the order of equal ones and leaves out the rest", () => {
  assert.deepEqual(best("cpu", ["memory", "my cpu", "cpu", "cpu_cores"], (t) => t), ["cpu", "cpu_cores", "my cpu"]);
  assert.deepEqual(best("", ["b", "a"], (t) => t), ["b", "a"]);
});

test("marks stand where a word begins, and never overlap", () => {
  assert.deepEqual(marks("ord", "borders orders"), [[8, 11]]);
  assert.deepEqual(marks("or orders", "orders"), [[0, 6]]);
  assert.deepEqual(marks("x", "orders"), []);
  assert.deepEqual(marks("b", "\u0130b"), []); // its small letter is two characters
});

const answer = { dashboards: [{ slug: "shop", title: "Shop, Berlin" }], topics: ["orders", 'orders{shop="a"}'], total: 40 };
const pause: Hit = { group: "Actions", icon: "pause", text: "Pause" };

test("without a query: favourites, what was opened, dashboards, pages, actions; nothing twice", () => {
  const favourite: Hit = { group: "Favourites", icon: "board", text: "Shop, Berlin", href: "/d/shop" };
  const hits = hitsOf("", answer, [pause], [favourite], ["t cpu", "d shop Shop, Berlin"]);
  assert.deepEqual(
    hits.map((h) => h.text),
    ["Shop, Berlin", "cpu", "Home", "Topics", "Docs", "Pause"],
  );
});

test("with a query the best group comes first and leads on", () => {
  const hits = hitsOf("orders", answer, [pause], [], []);
  assert.equal(hits[0]!.text, "orders");
  assert.ok(hits.some((h) => h.href === "/d?match=orders*" && h.note === "40 topics"));
  assert.ok(hits.some((h) => h.href === "/topics?match=orders" && h.text === "All 40 topics"));
  assert.equal(hits.some((h) => h.text === "Pause"), false);
});

test("without an answer pages and actions still answer", () => {
  assert.deepEqual(hitsOf("pau", null, [pause], [], []).map((h) => h.text), ["Pause"]);
  assert.deepEqual(hitsOf("topi", null, [pause], [], []).map((h) => h.href), ["/topics"]);
});

test("a dashboard of what was typed", () => {
  assert.equal(selectorFor("cpu{host=*}", []), "cpu{host=*}");
  assert.equal(selectorFor("ord", ["orders"]), "ord*");
  assert.equal(selectorFor("ders", ["orders"]), "");
});

test("what was opened is remembered once, newest first", () => {
  assert.deepEqual(remembered(["t a", "t b"], "t b"), ["t b", "t a"]);
  assert.equal(remembered(["1", "2", "3", "4", "5", "6"].map((n) => `t ${n}`), "t 7").length, 6);
  assert.equal(openedHit("d shop Shop, Berlin")!.text, "Shop, Berlin");
  assert.equal(openedHit('t cpu{host="a b"}')!.href, "/t/cpu%7Bhost%3D%22a%20b%22%7D");
  for (const broken of ["", "t", "t ", "d", "d x", "nonsense"]) assert.equal(openedHit(broken), null, broken);
});
