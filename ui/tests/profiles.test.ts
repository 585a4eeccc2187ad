import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, commonPrefix, rangeOf, rowsOf, stepOf } from "../src/pages/models/heat";
import { kindOf } from "../src/pages/trade-off/write";

const PROFILE = {
  rows: [
    { label: "sim/chat", note: "", share: 0.5 },
    { label: "sim/code, sim/sums, probe:long context", note: "", share: 0.049 },
    { label: "topic 3", note: "", share: 0.1 },
  ],
  cells: { "a/low": [0.21, 0.3, null], "b/high": [0.9, null, null], "c/none": [null, null, null] },
};

test("models come by their mean, those without any score not at all", () => {
  assert.deepEqual(columnsOf(PROFILE), ["b/high", "a/low"]);
});

test("rows of which nothing is known are left out, and what all named ones begin with", () => {
  const rows = rowsOf(PROFILE, columnsOf(PROFILE));
  assert.deepEqual(
    rows.map((row) => [row.label, row.note, row.cells]),
    [
      ["chat", "50 %", [0.9, 0.21]],
      ["code, sums, long context (probes)", "4.9 %", [null, 0.3]],
    ],
  );
  assert.equal(commonPrefix(["sim/a", "other/b"]), "");
  assert.equal(commonPrefix(["sim/a"]), "");
});

test("the least score takes the first colour, the greatest the last", () => {
  const range = rangeOf(PROFILE);
  assert.deepEqual(range, [0.2, 0.9]);
  assert.deepEqual(
    [0.2, 0.55, 0.9, 1.5].map((value) => stepOf(value, range)),
    [0, 4, 8, 8],
  );
});

test("lines of a diff are told apart, its head from what it removes", () => {
  const lines = ["--- a.yaml", "+++ b.yaml", "@@ -1 +1 @@", "-  amount: 1", "+  amount: 2", " same", ""];
  assert.deepEqual(lines.map(kindOf), ["head", "head", "hunk", "removed", "added", "same", "same"]);
});
