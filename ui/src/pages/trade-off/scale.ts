// Where an amount stands on a slider, and the other way round.
//
// A slider has whole steps from 0 to STEPS. Amounts grow with the square of the step, so that small budgets can be set as
// finely as large ones; they are rounded to three digits, for nobody budgets $28.4173. The amount in force keeps its own
// step and isn't rounded, so that a slider that is moved back to it changes nothing.

export const STEPS = 200;
const DIGITS = 3;

export interface Span {
  least: number;
  most: number;
  amount: number; // in force
}

export function stepOf(value: number, span: Span): number {
  const width = span.most - span.least;
  if (width <= 0) return 0;
  const share = Math.min(1, Math.max(0, (value - span.least) / width));
  return Math.round(Math.sqrt(share) * STEPS);
}

export function amountAt(step: number, span: Span): number {
  if (step === stepOf(span.amount, span)) return span.amount;
  const share = (step / STEPS) ** 2;
  const exact = span.least + share * (span.most - span.least);
  return Math.min(span.most, Math.max(span.least, rounded(exact)));
}

export function rounded(value: number): number {
  return value > 0 ? Math.round(Number(value.toPrecision(DIGITS))) : 0;
}

/** What someone typed as an amount of a unit, in whole units of it; null where it is no amount. */
export function amountOf(text: string, unit: string): number | null {
  const plain = text.replace(/[\s,_$]/g, "");
  if (!/^\d*\.?\d+(e\d+)?$/i.test(plain) && !/^\d+\.?$/.test(plain)) return null;
  const value = Number(plain) * (unit === "usd" ? 1e9 : 1);
  return Number.isFinite(value) ? Math.round(value) : null;
}

/** An amount as it is typed: dollars where it is money. */
export function typed(amount: number, unit: string): string {
  if (unit !== "usd") return String(amount);
  const dollars = amount / 1e9;
  return dollars >= 1 || dollars === 0
    ? String(Number(dollars.toFixed(2)))
    : String(Number(dollars.toPrecision(DIGITS)));
}
