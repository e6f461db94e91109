import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, type Favourite, readFavourites, toggled } from "./favourites";
import { ranges } from "./picker";
import { listOf } from "./settings";
import { themeNamed } from "./theme";
import { shiftAt } from "./wall";
import { zoneNamed } from "./zone";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("ranges end with all that is kept", () => {
  assert.deepEqual(ranges(HOUR), [1, 5, 15, 30, 60].map((m) => m * MINUTE));
  assert.deepEqual(ranges(100 * MINUTE), [1, 5, 15, 30, 60, 100].map((m) => m * MINUTE));
  assert.equal(ranges(31 * 24 * HOUR).at(-1), 31 * 24 * HOUR);
  assert.equal(ranges(0).at(-1), 24 * HOUR); // nobody said how long
  assert.deepEqual(ranges(10_000), [MINUTE]);
  for (const kept of [0, HOUR, 7 * 24 * HOUR, 40 * 24 * HOUR]) assert.deepEqual(ranges(kept), [...new Set(ranges(kept))].sort((a, b) => a - b));
});

test("what storage holds may be anything", () => {
  for (const json of ["", "{", "null", "3", '{"a":1}']) {
    assert.deepEqual(listOf(json), [], json);
    assert.deepEqual(readFavourites(json), [], json);
  }
  assert.deepEqual(listOf('["a",1,null,"b"]'), ["a", "b"]);
  assert.deepEqual(readFavourites('[null,{"kind":"topic","id":"","title":"x"},{"kind":"panel","id":"a","title":"a"},{"kind":"topic","id":"cpu","title":"cpu"}]'), [{ kind: "topic", id: "cpu", title: "cpu" }]);
  assert.equal(themeNamed("pink"), "auto");
  assert.equal(zoneNamed("UTC"), "local");
  assert.equal(zoneNamed("utc"), "utc");
});

test("a favourite is there once and leads to its page", () => {
  const cpu: Favourite = { kind: "topic", id: 'cpu{host="a"}', title: 'cpu{host="a"}' };
  const shop: Favourite = { kind: "dashboard", id: "shop", title: "Shop" };
  const both = toggled(toggled([], cpu), shop);
  assert.deepEqual(both, [cpu, shop]);
  assert.deepEqual(toggled(both, { ...cpu, title: "other" }), [shop]);
  assert.equal(addressOf(cpu), "/t/cpu%7Bhost%3D%22a%22%7D");
  assert.equal(addressOf(shop), "/d/shop");
});

test("a wall shifts by at most 4 px and comes back", () => {
  const places = Array.from({ length: 8 }, (_, i) => shiftAt(i));
  for (const [x, y] of places) assert.ok(Math.abs(x) <= 4 && Math.abs(y) <= 4);
  assert.equal(new Set(places.map(String)).size, 8);
  assert.deepEqual(shiftAt(8), shiftAt(0));
});
