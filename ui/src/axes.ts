// Ends and steps of axes, made of the values that they are to show.
//
// Money may differ a thousandfold from point to point, and be nothing for some. Where amounts are of one size their axis
// is linear. Else places go by log(1 + amount / unit), the unit being half of the least amount above zero: a logarithm
// for all that isn't much smaller than the unit, and zero has a place too.
import { usd } from "./format";

const WIDE = 20; // times the least amount above zero
const STEPS = [1, 2, 5] as const;
const MOST_TICKS = 7;
const PARTS = 5; // of an axis, or a few more

export interface Ends {
  min: number;
  max: number;
  interval: number;
}

/** Round ends around values, and the round step between ticks. */
export function endsOf(values: number[], least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY): Ends {
  const [low, high] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const interval = roundStep((high - low || Math.abs(high) || 1) / PARTS);
  const within = (value: number): number => Math.min(most, Math.max(least, Number(value.toPrecision(12))));
  const min = within(Math.floor(low / interval) * interval);
  const max = within(Math.ceil(high / interval) * interval);
  return { min, max: max > min ? max : min + interval, interval };
}

function roundStep(exact: number): number {
  const size = 10 ** Math.floor(Math.log10(exact));
  return (STEPS.find((step) => step * size >= exact) ?? 10) * size;
}

export interface MoneyAxis {
  /** Where an amount stands. */
  at: (dollars: number) => number;
  ends: [number, number];
  /** What goes into the chart's option. */
  axis: Record<string, unknown>;
}

export function moneyAxis(amounts: number[]): MoneyAxis {
  const paid = amounts.filter((one) => one > 0);
  const [least, most] = [Math.min(...paid), Math.max(...paid)];
  if (paid.length === 0 || most / least <= WIDE) {
    const { min, max, interval } = endsOf([0, ...amounts.map((one) => one * 1.04)]);
    const axis = { type: "value", min, max, interval, axisLabel: { formatter: usd } };
    return { at: (dollars) => dollars, ends: [min, max], axis };
  }
  const unit = least / 2;
  const at = (dollars: number): number => Math.log10(1 + dollars / unit);
  const [min, max] = [paid.length < amounts.length ? 0 : at(least * 0.8), at(most * 1.3)];
  const values = ticks(least, most, min === 0).map(at);
  const tell = (value: number): string => usd(Number(((10 ** value - 1) * unit).toPrecision(2)));
  const axis = {
    type: "value",
    min,
    max,
    axisLabel: { formatter: tell, customValues: values },
    axisTick: { customValues: values },
    splitLine: { show: false },
  };
  return { at, ends: [min, max], axis };
}

/** Round amounts of the range, at most a handful. */
export function ticks(least: number, most: number, zero: boolean): number[] {
  const first = Math.floor(Math.log10(least));
  const decades = Array.from({ length: Math.ceil(Math.log10(most)) - first + 1 }, (_, k) => first + k);
  const all = (steps: readonly number[]) =>
    decades
      .flatMap((k) => steps.map((step) => Number((step * 10 ** k).toPrecision(1))))
      .filter((one) => one >= least * 0.8 && one <= most * 1.3);
  const fine = [all(STEPS), all([1, 3]), all([1])].find((some) => some.length <= MOST_TICKS) ?? all([1]);
  return zero ? [0, ...fine] : fine;
}
