import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsThatFit } from "./fit";

test("only whole rows are shown, and room is left for the line that counts the others", () => {
  assert.equal(rowsThatFit(5, 8, 135, 27, 18), 5, "all fit");
  assert.equal(rowsThatFit(5, 8, 134, 27, 18), 4, "the last one would be cut");
  assert.equal(rowsThatFit(6, 8, 135, 27, 18), 4, "the line takes the place of a row");
  assert.equal(rowsThatFit(20, 4, 500, 27, 18), 4, "the limit of the panel");
  assert.equal(rowsThatFit(20, 8, 10, 27, 18), 1, "never none");
  assert.equal(rowsThatFit(20, 8, 0, 0, 0), 8, "nothing is measured yet");
});
