// What the charts over time have in common.
import type { SeriesOption } from "echarts";
import type { Option } from "../../chart";
import { date, day, minute, time } from "../../format";
import type { Colours } from "../../theme";

export type Pair = [t_ms: number, value: number | null];

/** An option over time; `from_s` and `to_s` are its edges, `text` puts a value in words. */
export function overTime(
  series: SeriesOption[],
  {
    from_s,
    to_s,
    text,
    axis = text,
    least,
    most,
    interval,
  }: {
    from_s: number;
    to_s: number;
    text: (value: number) => string;
    axis?: (value: number) => string;
    least?: number;
    interval?: number;
    most?: number;
  },
): Option {
  const clock = to_s - from_s > 260_000 ? date : to_s - from_s > 90_000 ? day : to_s - from_s < 600 ? time : minute;
  return {
    xAxis: {
      type: "time",
      min: from_s * 1000,
      max: to_s * 1000,
      splitNumber: 4,
      minInterval: ((to_s - from_s) * 1000) / 5,
      splitLine: { show: false },
      axisLabel: { formatter: (value: number) => clock(value / 1000), showMinLabel: false, showMaxLabel: false },
      axisPointer: { label: { show: false } },
    },
    yAxis: {
      type: "value",
      splitNumber: 3,
      min: least,
      max: most,
      interval,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { formatter: axis },
    },
    tooltip: { trigger: "axis", valueFormatter: (value) => (typeof value === "number" ? text(value) : "–") },
    series,
  };
}

/** A plain line. */
export function line(name: string, colour: string, data: Pair[], more: Record<string, unknown> = {}): SeriesOption {
  return {
    type: "line",
    name,
    data,
    showSymbol: false,
    symbol: "circle",
    symbolSize: 5,
    lineStyle: { width: 1.75, color: colour },
    itemStyle: { color: colour },
    emphasis: { disabled: true },
    ...more,
  };
}

const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25];

/** Bounds for scores that may lie close together: round ones, at most five steps apart, within [0, 1]. */
export function scoreBounds(values: (number | null)[]): { least: number; most: number; interval: number } {
  const have = values.filter((one): one is number => one !== null);
  if (!have.length) return { least: 0, most: 1, interval: 0.25 };
  const [low, high] = [Math.min(...have) - 0.005, Math.max(...have) + 0.005];
  const interval = STEPS.find((step) => Math.ceil(high / step) - Math.floor(low / step) <= 4) ?? 0.25;
  const round = (value: number) => Number((value * interval).toFixed(4));
  return {
    least: Math.max(0, round(Math.floor(low / interval))),
    most: Math.min(1, round(Math.ceil(high / interval))),
    interval,
  };
}

export const faint = (c: Colours, dark: number): number => (c.card === "#ffffff" ? dark : dark * 1.4);
