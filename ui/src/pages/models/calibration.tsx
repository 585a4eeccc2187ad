// Whether estimates hold: of the queries for which about so much was expected, how much came back as feedback.
// One model stands out with its 90 % intervals; the others are faint behind it.
import { useMemo } from "preact/hooks";
import { Chart, type Option, type Shown } from "../../chart";
import { brief, number, score } from "../../format";
import { type Colours, colourOf } from "../../theme";
import type { Calibration, Id } from "../../types";

interface Props {
  curves: Calibration[];
  chosen: Id | null;
  choose: (id: Id) => void;
}

const scored = (one: Calibration): number => one.bins.reduce((sum, bin) => sum + bin.count, 0);

/** The curves that there are, the one with the most feedback first. */
export function curvesOf(all: Calibration[]): Calibration[] {
  return all.filter((one) => one.bins.length > 0).sort((a, b) => scored(b) - scored(a));
}

export function CalibrationChart({ curves, chosen, choose }: Props) {
  const known = useMemo(() => curvesOf(curves), [curves]);
  const shown = known.find((one) => one.id === chosen) ?? known[0];
  const option = useMemo(() => (shown ? (c: Colours) => drawn(known, shown, c) : null), [known, shown]);
  if (!shown || !option) return null;
  return (
    <>
      <div class="calibration-head">
        <label>
          <span class="sr">Model</span>
          <select class="select" value={shown.id} onChange={(event) => choose(event.currentTarget.value)}>
            {known.map((one) => (
              <option key={one.id} value={one.id}>
                {one.id}
              </option>
            ))}
          </select>
        </label>
        <p>
          off by <strong class="num">{score(shown.error)}</strong> on average, over {number(scored(shown))} scored
        </p>
      </div>
      <Chart
        option={option}
        height={300}
        label={`Calibration of ${shown.id}: feedback against estimated quality, with 90 % intervals`}
        table={() => tableOf(shown)}
      />
    </>
  );
}

function drawn(known: Calibration[], shown: Calibration, c: Colours): Option {
  const others = known.filter((one) => one !== shown);
  const hue = colourOf(shown.id);
  const low = lowest(known);
  return {
    grid: { left: 8, right: 16, top: 12, bottom: 24 },
    xAxis: { type: "value", name: "estimated", nameLocation: "middle", nameGap: 26, min: low, max: 1 },
    yAxis: { type: "value", min: low, max: 1 },
    tooltip: { trigger: "item" },
    series: [
      line(
        [
          [low, low],
          [1, 1],
        ],
        { color: c.soft, type: "dashed", width: 1 },
      ),
      ...others.map((one) =>
        line(
          one.bins.map((bin) => [bin.expected, bin.got]),
          { color: c.edge, width: 1 },
        ),
      ),
      // an interval is a stroke from its low to its high end; a gap parts it from the next
      line(
        shown.bins.flatMap((bin) => [
          [bin.expected, bin.low],
          [bin.expected, bin.high],
          ["-", "-"],
        ]),
        { color: hue, width: 1.5, opacity: 0.7 },
      ),
      {
        type: "line",
        name: shown.id,
        data: shown.bins.map((bin) => [bin.expected, bin.got]),
        lineStyle: { color: hue, width: 2 },
        itemStyle: { color: hue },
        symbol: "circle",
        symbolSize: 7,
        z: 5,
        tooltip: { formatter: (params) => toldOf(shown, (params as { dataIndex: number }).dataIndex) },
      },
    ],
  };
}

type LineStyle = { color: string; width: number; type?: "dashed"; opacity?: number };

const line = (data: (number | string)[][], lineStyle: LineStyle) => ({
  type: "line" as const,
  data,
  lineStyle,
  symbol: "none",
  silent: true,
  tooltip: { show: false },
});

function lowest(known: Calibration[]): number {
  const all = known.flatMap((one) => one.bins.flatMap((bin) => [bin.expected, bin.low]));
  return Math.max(0, Math.floor(Math.min(1, ...all) * 5) / 5);
}

function toldOf(one: Calibration, index: number): string {
  const bin = one.bins[index];
  if (!bin) return "";
  const got = `got ${score(bin.got)} (${score(bin.low)} to ${score(bin.high)})`;
  return `${brief(one.id)}\nexpected ${score(bin.expected)}\n${got}\n${number(bin.count)} scored`;
}

function tableOf(one: Calibration): Shown {
  return {
    head: ["Expected", "Got", "Low", "High", "Scored"],
    rows: one.bins.map((bin) => [score(bin.expected), score(bin.got), score(bin.low), score(bin.high), bin.count]),
  };
}
