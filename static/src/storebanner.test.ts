import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, type Store } from "./frame";
import { storeWords } from "./storebanner";
import { frames } from "./testdata";

const golden = new Map(frames());
const words = (state: string, message = "") => storeWords({ type: "store", state, since: 1, message }, "12:03")?.join(" ");

test("a store in trouble is said in words, a good one is not", () => {
  const told = decode(golden.get("store")!) as Store;
  assert.deepEqual(storeWords(told, "12:03"), ["The store has been read-only since 12:03:", "new readings are refused."]);
  assert.equal(storeWords(decode(golden.get("store-ok")!) as Store, "12:03"), null);
  assert.equal(words("full"), "The store has been full since 12:03: new readings are refused.");
  assert.match(words("away")!, /^The store has not answered since 12:03\. /);
  assert.equal(words("refused", "a script runs for too long"), "The store has refused new readings since 12:03: a script runs for too long.");
  assert.equal(words("what a later server says"), "The store has refused new readings since 12:03: what a later server says.");
});
