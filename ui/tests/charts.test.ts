import assert from "node:assert/strict";
import { test } from "node:test";
import { endsOf, moneyAxis, ticks } from "../src/axes";
import { type Frame, keepApart, pointIn, type Rect } from "../src/labels";

test("ends are round, hold all values and stay within bounds", () => {
  assert.deepEqual(endsOf([0.41, 0.88], 0, 1), { min: 0.4, max: 0.9, interval: 0.1 });
  assert.deepEqual(endsOf([0, 0.97], 0, 1), { min: 0, max: 1, interval: 0.2 });
  assert.deepEqual(endsOf([3], 0), { min: 3, max: 4, interval: 1 });
  for (const values of [[], [0], [-2, 7], [1e-9, 2e-9]]) {
    const { min, max } = endsOf(values);
    assert.ok(min < max && values.every((value) => value >= min && value <= max));
  }
});

test("money of one size stands on a linear axis, of many sizes on one that gives each of them room", () => {
  assert.equal(moneyAxis([1, 5]).at(3), 3);
  const wide = moneyAxis([0, 0.001, 1]);
  assert.equal(wide.at(0), 0);
  const [low, high] = [wide.at(0.01) - wide.at(0.001), wide.at(1) - wide.at(0.1)];
  assert.ok(low > 0.7 * high && low < 1.3 * high);
  assert.ok(wide.ends[0] <= wide.at(0) && wide.ends[1] >= wide.at(1));
});

test("ticks are a handful of round amounts of the range", () => {
  assert.deepEqual(ticks(0.001, 1, true), [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1]);
  assert.deepEqual(ticks(0.05, 0.4, false), [0.05, 0.1, 0.2, 0.5]);
});

const FRAME: Frame = {
  box: { width: 400, height: 300 },
  left: 40,
  right: 10,
  top: 10,
  bottom: 40,
  x: [0, 1],
  y: [0, 1],
};

const meet = (a: Rect, b: Rect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

test("a point stands where the chart draws it", () => {
  assert.deepEqual(pointIn(FRAME, 0, 0, 10), { x: 35, y: 255, width: 10, height: 10 });
  assert.deepEqual(pointIn(FRAME, 1, 1, 10), { x: 385, y: 5, width: 10, height: 10 });
});

test("labels meet neither each other nor a point; those without room are left out", () => {
  const lots = Array.from({ length: 60 }, (_, k) => pointIn(FRAME, ((k * 37) % 60) / 60, ((k * 23) % 60) / 60, 10));
  const { beside } = keepApart(FRAME, lots);
  const lay = () =>
    lots.map((rect, dataIndex) => beside({ seriesIndex: 0, dataIndex, rect, labelRect: { ...rect, width: 60 } }));
  const shown = lay().filter(({ x }) => x > 0);
  const rects = shown.map(({ x, y }) => ({ x, y: y - 7, width: 60, height: 14 }));
  assert.ok(rects.length > 5 && rects.length < lots.length);
  for (const [k, one] of rects.entries()) {
    assert.ok(!lots.some((point) => meet(one, point)));
    assert.ok(!rects.slice(0, k).some((other) => meet(one, other)));
    assert.ok(one.x >= FRAME.left && one.x + one.width <= FRAME.box.width);
  }
  assert.deepEqual(
    lay().filter(({ x }) => x > 0),
    shown,
  ); // laid out anew, nothing of the first time is in the way
});
