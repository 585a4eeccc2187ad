// The parts without a browser: figures in words, steps put together, filters. Examples worked by hand.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer } from "vite";

let vite;
let format;
let series;
let lines;

before(async () => {
  globalThis.window = { localStorage: undefined, setInterval: () => 0 };
  vite = await createServer({
    server: { middlewareMode: true },
    appType: "custom",
    logLevel: "error",
    optimizeDeps: { noDiscovery: true },
  });
  format = await vite.ssrLoadModule("/src/format.ts");
  series = await vite.ssrLoadModule("/src/pages/now/series.ts");
  lines = await vite.ssrLoadModule("/src/pages/now/lines.ts");
});
after(() => vite.close());

test("money has cents from a dollar up, and three significant digits below, never an exponent", () => {
  assert.equal(format.money(1_234_560_000_000), "$1,234.56");
  assert.equal(format.money(1_650), "$0.0000017");
  assert.equal(format.money(0), "$0");
  assert.equal(format.money(-2_500_000_000), "−$2.50");
  assert.equal(format.money(null), "–");
});

test("lengths of time are told in their two largest units, and how long ago in one", () => {
  assert.equal(format.seconds(0.0021), "2.1 ms");
  assert.equal(format.seconds(59), "59 s");
  assert.equal(format.seconds(3_720), "1 h 2 min");
  assert.equal(format.seconds(86_400 * 12 + 5), "12 d");
  assert.equal(format.ago(1000, 1304), "5 min ago");
  assert.equal(format.ago(1304, 1000), "in 5 min");
});

test("a price is told per dollar, per million tokens, per thousand requests", () => {
  assert.equal(format.price(0.25, "usd"), "0.25");
  assert.equal(format.price(0.0000002, "tokens"), "0.2");
  assert.equal(format.price(0.003, "requests"), "3");
});

const point = (t, queries, more = {}) => ({
  t,
  queries,
  served: queries,
  refused: 0,
  failed: 0,
  cost_nano: queries * 10,
  quality: queries ? 0.5 : null,
  feedback: null,
  feedbacks: 0,
  overhead_p50_ms: null,
  overhead_p99_ms: null,
  by_model: { a: queries },
  ...more,
});

test("steps are summed, means are weighed by what they are of", () => {
  const bin = series.together([point(0, 1, { quality: 0.2 }), point(2, 3, { quality: 0.6 }), point(4, 0)], 0, 6);
  assert.equal(bin.queries, 4);
  assert.equal(bin.cost_nano, 40);
  assert.deepEqual(bin.by_model, { a: 4 });
  assert.ok(Math.abs(bin.quality - 0.5) < 1e-12); // (1 × 0.2 + 3 × 0.6) / 4
  assert.equal(bin.feedback, null);
});

test("bins are aligned, none is left out where nothing happened, and no query is lost or counted twice", () => {
  const points = [point(100, 1), point(102, 2), point(130, 4)];
  const bins = series.binned(points, 2, 15, 140);
  assert.deepEqual(
    bins.map((bin) => [bin.t, bin.queries, bin.span_s]),
    [
      [100, 3, 10],
      [110, 0, 10],
      [120, 0, 10],
      [130, 4, 10],
    ],
  );
});

test("a bin that is less than half over isn't shown yet", () => {
  const points = [point(100, 1), point(110, 2)];
  assert.equal(series.binned(points, 2, 15, 114).length, 1);
  assert.equal(series.binned(points, 2, 15, 116).at(-1).span_s, 6);
});

test("rates of the last minute are over the time since the first step where that is less", () => {
  const bin = series.latest([point(100, 5), point(102, 5)], 2, 60, 110);
  assert.equal(bin.queries, 10);
  assert.equal(bin.span_s, 10);
});

test("bounds of scores are round and hold every value", () => {
  for (const values of [[0.71, 0.74], [0, 1], [0.49, 0.83], [0.5], [0.98, 1]]) {
    const { least, most, interval } = lines.scoreBounds(values);
    assert.ok(least >= 0 && most <= 1 && least < most);
    for (const value of values) assert.ok(value >= least && value <= most, `${value} in ${least}…${most}`);
    assert.ok((most - least) / interval <= 4 + 1e-9);
  }
});
