// What an answer costs and how long it takes: a point for each model at its mean cost and its median, with a stroke up
// to the 99th percentile.
import { useMemo } from "preact/hooks";
import { endsOf, moneyAxis } from "../../axes";
import { Chart, type Option, type Shown } from "../../chart";
import { brief, money, ms, trim } from "../../format";
import { type Frame, gridOf, keepApart, pointIn } from "../../labels";
import { type Colours, colourOf } from "../../theme";
import type { Id, ModelRow } from "../../types";
import { useWidth } from "../../use";

type Timed = ModelRow & { cost_nano: number; total_p50_ms: number };

/** Models of which both are known. */
export const timedOf = (models: ModelRow[]): Timed[] =>
  models.filter((one): one is Timed => one.cost_nano !== null && one.total_p50_ms !== null);

export function SpeedChart({ models, chosen }: { models: ModelRow[]; chosen: Id | null }) {
  const [box, width] = useWidth();
  const timed = useMemo(() => timedOf(models), [models]);
  const option = useMemo(() => (c: Colours) => drawn(timed, chosen, width || 500, c), [timed, chosen, width]);
  return (
    <div ref={box}>
      <Chart
        option={option}
        height={HEIGHT}
        label="Mean cost of an answer against its median time, with the 99th percentile"
        table={() => tableOf(timed)}
      />
    </div>
  );
}

const HEIGHT = 320;
const SIZE = 10; // of a point, in pixels
const FRAME = { left: 40, right: 26, top: 12, bottom: 46 };

function drawn(timed: Timed[], chosen: Id | null, width: number, c: Colours): Option {
  const dollars = (one: Timed): number => one.cost_nano / 1e9;
  const { at, ends, axis } = moneyAxis(timed.map(dollars));
  const times = endsOf(timed.flatMap((one) => [0, one.total_p99_ms ?? one.total_p50_ms]));
  const frame: Frame = { ...FRAME, box: { width, height: HEIGHT }, x: ends, y: [times.min, times.max] };
  const points = timed.map((one) => pointIn(frame, at(dollars(one)), one.total_p50_ms, SIZE));
  return {
    grid: gridOf(frame),
    xAxis: { ...axis, name: "mean cost of an answer", nameLocation: "middle", nameGap: 28 },
    yAxis: { type: "value", ...times, axisLabel: { formatter: (value: number) => `${trim(value / 1000)} s` } },
    tooltip: { formatter: (params) => toldOf(timed[(params as { dataIndex: number }).dataIndex]) },
    series: [
      {
        type: "scatter",
        data: timed.map((one) => ({
          name: one.id,
          value: [at(dollars(one)), one.total_p50_ms],
          itemStyle: { color: colourOf(one.id) },
          symbolSize: one.id === chosen ? 1.5 * SIZE : SIZE,
        })),
        label: { show: true, position: "right", formatter: (params) => brief(params.name), color: c.text },
        labelLayout: keepApart(frame, points).beside,
        z: 5,
      },
      ...timed.map((one) => ({
        type: "line" as const,
        data: [
          [at(dollars(one)), one.total_p50_ms],
          [at(dollars(one)), one.total_p99_ms ?? one.total_p50_ms],
        ],
        lineStyle: { color: colourOf(one.id), width: 1.5, opacity: 0.55 },
        symbol: "none",
        silent: true,
        tooltip: { show: false },
      })),
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
