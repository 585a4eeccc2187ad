// What an answer costs and how long it takes: a point for each model at its mean cost and its median, with a stroke up
// to the 99th percentile.
import { useMemo } from "preact/hooks";
import { Chart, type Option, type Shown } from "../../chart";
import { brief, money, ms, usd } from "../../format";
import { type Colours, colourOf } from "../../theme";
import type { Id, ModelRow } from "../../types";

type Timed = ModelRow & { cost_nano: number; total_p50_ms: number };

/** Models of which both are known. */
export const timedOf = (models: ModelRow[]): Timed[] =>
  models.filter((one): one is Timed => one.cost_nano !== null && one.total_p50_ms !== null);

export function SpeedChart({ models, chosen }: { models: ModelRow[]; chosen: Id | null }) {
  const timed = useMemo(() => timedOf(models), [models]);
  const option = useMemo(() => (c: Colours) => drawn(timed, chosen, c), [timed, chosen]);
  return (
    <Chart
      option={option}
      height={HEIGHT}
      label="Mean cost of an answer against its median time, with the 99th percentile"
      table={() => tableOf(timed)}
    />
  );
}

const HEIGHT = 320;

function drawn(timed: Timed[], chosen: Id | null, c: Colours): Option {
  // where an answer is free there is no logarithm of what it costs
  const type = timed.every((one) => one.cost_nano > 0) ? "log" : "value";
  const dollars = (one: Timed): number => one.cost_nano / 1e9;
  return {
    grid: { left: 8, right: 24, top: 28, bottom: 24 },
    xAxis: {
      type,
      name: "mean cost of an answer",
      nameLocation: "middle",
      nameGap: 26,
      axisLabel: { formatter: (value: number) => usd(value) },
    },
    yAxis: { type: "value", name: "time", min: 0, axisLabel: { formatter: (value: number) => ms(value) } },
    tooltip: { formatter: (params) => toldOf(timed[(params as { dataIndex: number }).dataIndex]) },
    series: [
      ...timed.map((one) => ({
        type: "line" as const,
        data: [
          [dollars(one), one.total_p50_ms],
          [dollars(one), one.total_p99_ms ?? one.total_p50_ms],
        ],
        lineStyle: { color: colourOf(one.id), width: 1.5, opacity: 0.55 },
        symbol: "none",
        silent: true,
        tooltip: { show: false },
      })),
      {
        type: "scatter",
        data: timed.map((one) => ({
          name: one.id,
          value: [dollars(one), one.total_p50_ms],
          itemStyle: { color: colourOf(one.id) },
          symbolSize: one.id === chosen ? 15 : 10,
        })),
        label: { show: true, position: "right", formatter: (params) => brief(params.name), color: c.text },
        labelLayout: { moveOverlap: "shiftY", hideOverlap: true },
        z: 5,
      },
    ],
  };
}

function toldOf(one: Timed | undefined): string {
  if (!one) return "";
  return `${one.id}\n${money(one.cost_nano)} an answer\nmedian ${ms(one.total_p50_ms)}\n99 % within ${ms(one.total_p99_ms)}`;
}

function tableOf(timed: Timed[]): Shown {
  return {
    head: ["Model", "Mean cost", "Median", "99 % within"],
    rows: timed.map((one) => [one.id, money(one.cost_nano), ms(one.total_p50_ms), ms(one.total_p99_ms)]),
  };
}
