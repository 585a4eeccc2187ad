import assert from "node:assert/strict";
import { test } from "node:test";
import { amountAt, amountOf, STEPS, stepOf, typed } from "../src/pages/trade-off/scale";

const SPAN = { least: 0, most: 400, amount: 123 };

test("a quarter of the most is half of the way, for amounts grow with the square", () => {
  assert.equal(stepOf(100, SPAN), STEPS / 2);
  assert.equal(amountAt(STEPS / 2, SPAN), 100);
});

test("the amount in force keeps its own step, unrounded", () => {
  const span = { least: 0, most: 1_000_000, amount: 123_457 };
  assert.equal(amountAt(stepOf(span.amount, span), span), 123_457);
});

test("every step gives an amount within the ends, never less than the step before", () => {
  for (const span of [SPAN, { least: 25, most: 26_000_000_000, amount: 30_000_000 }]) {
    const amounts = Array.from({ length: STEPS + 1 }, (_, step) => amountAt(step, span));
    assert.equal(amounts[0], span.least);
    assert.equal(amounts.at(-1), span.most);
    for (const [k, one] of amounts.entries()) assert.ok(k === 0 || one >= (amounts[k - 1] ?? 0));
  }
});

test("dollars are typed as dollars and kept as nano-dollars; what is no amount is none", () => {
  assert.equal(amountOf("1,500", "usd"), 1_500_000_000_000);
  assert.equal(amountOf("$0.000002", "usd"), 2_000);
  assert.equal(amountOf(" 4e5 ", "tokens"), 400_000);
  for (const text of ["", "-3", "1.2.3", "many", "."]) assert.equal(amountOf(text, "usd"), null);
  for (const amount of [0, 2_000, 250_000_000, 30_000_000_000]) {
    assert.equal(amountOf(typed(amount, "usd"), "usd"), amount);
  }
});
