// Quality against money, both of this traffic: the frontier over the knob, where we stand, where a proposal would put
// us, and every model alone.
import { useMemo } from "preact/hooks";
import { endsOf, moneyAxis } from "../../axes";
import { Chart, type Option, type Shown } from "../../chart";
import { brief, score, trim, usd } from "../../format";
import { type Frame, gridOf, keepApart, pointIn } from "../../labels";
import { type Colours, colourOf } from "../../theme";
import type { Outcome, TradeOff } from "../../types";
import { useWidth } from "../../use";

const PER = 1000; // queries that money is told for
const HEIGHT = 500;
const SIZE = 10; // of a point, in pixels
const MARK = 18; // of where we stand
const NARROW = 560; // the legend takes two lines below it
const FRAME = { left: 44, right: 16, top: 38, bottom: 50 };

interface Props {
  data: TradeOff;
  after: Outcome | null;
}

/** Dollars for a thousand queries. */
export function perThousand(cost_nano: number, queries: number): number {
  return queries > 0 ? (cost_nano / 1e9 / queries) * PER : 0;
}

export function FrontierChart({ data, after }: Props) {
  const [box, width] = useWidth();
  const option = useMemo(() => (c: Colours) => drawn(data, after, width || 800, c), [data, after, width]);
  return (
    <div ref={box}>
      <Chart option={option} height={HEIGHT} label={labelOf(data, after)} table={() => tableOf(data, after)} />
    </div>
  );
}

function labelOf(data: TradeOff, after: Outcome | null): string {
  const told = (one: Outcome): string =>
    `quality ${score(one.quality)} for ${usd(perThousand(one.cost_nano, data.queries))} a thousand queries`;
  const now = data.here ? ` Now: ${told(data.here)}.` : "";
  return `Quality against cost of the latest queries.${now}${after ? ` After the change: ${told(after)}.` : ""}`;
}

interface Spot {
  name: string;
  cost: number;
  quality: number;
  note: string;
}

function spotsOf(data: TradeOff, after: Outcome | null) {
  const cost = (nano: number): number => perThousand(nano, data.queries);
  const stand = (name: string, one: Outcome | null): Spot[] =>
    one ? [{ name, cost: cost(one.cost_nano), quality: one.quality, note: "with the funds' limits" }] : [];
  return {
    frontier: data.frontier.map((one) => ({
      name: `trade-off ${trim(one.knob)}`,
      cost: cost(one.cost_nano),
      quality: one.quality,
      note: "no fund's limit",
    })),
    models: data.models.map((one) => ({
      name: one.id,
      cost: cost(one.cost_nano),
      quality: one.quality,
      note: "every query to this model",
    })),
    here: stand("now", data.here),
    after: stand("after the change", after),
  };
}

function drawn(data: TradeOff, after: Outcome | null, width: number, c: Colours): Option {
  const spots = spotsOf(data, after);
  const all = [...spots.frontier, ...spots.models, ...spots.here, ...spots.after];
  const { at, ends, axis } = moneyAxis(all.map((one) => one.cost));
  // a model alone that is far below the frontier would flatten it: such ones stand at the lower edge
  const scores = endsOf(
    [...spots.frontier, ...spots.here, ...spots.after].map((one) => one.quality).concat(highest(spots.models)),
    0,
    1,
  );
  const height = (spot: Spot): number => Math.max(spot.quality, scores.min);
  const frame: Frame = {
    ...FRAME,
    top: width < NARROW ? 2 * FRAME.top : FRAME.top,
    box: { width, height: HEIGHT },
    x: ends,
    y: [scores.min, scores.max],
  };
  const stand = [...spots.here, ...spots.after];
  const points = all.map((one) => pointIn(frame, at(one.cost), height(one), stand.includes(one) ? MARK : SIZE));
  const point = (spot: Spot) => ({ name: spot.name, value: [at(spot.cost), height(spot)], spot });
  const { beside, above } = keepApart(frame, points);
  // what is drawn first has the first choice of a place for its label
  return {
    grid: gridOf(frame),
    legend: { top: 0, left: 0, data: ["frontier", "now", "after the change", "one model alone"] },
    xAxis: { ...axis, name: "cost of 1,000 queries", nameLocation: "middle", nameGap: 28 },
    yAxis: { type: "value", ...scores, axisLabel: { formatter: (value: number) => value.toFixed(2) } },
    tooltip: { formatter: (params) => toldOf((params as unknown as { data: { spot: Spot } }).data.spot) },
    series: [
      { ...marked("now", c.text, c.card, c), data: spots.here.map(point), labelLayout: above },
      { ...marked("after the change", c.card, c.text, c), data: spots.after.map(point), labelLayout: above },
      {
        type: "scatter",
        name: "one model alone",
        color: c.soft,
        symbol: "diamond",
        symbolSize: 12,
        data: spots.models.map((one) => ({
          ...point(one),
          itemStyle: { color: colourOf(one.name) },
          ...(one.quality < scores.min && { symbol: "triangle", symbolRotate: 180 }),
        })),
        label: {
          show: true,
          position: "right",
          formatter: (params) => labelledAs((params.data as unknown as { spot: Spot }).spot, scores.min),
          color: c.text,
        },
        labelLayout: beside,
        z: 5,
      },
      {
        type: "line",
        name: "frontier",
        data: spots.frontier.map(point),
        lineStyle: { color: c.accent, width: 2 },
        itemStyle: { color: c.accent },
        symbol: "circle",
        symbolSize: 6,
      },
      {
        type: "line",
        data: spots.after.length > 0 ? [...spots.here, ...spots.after].map(point) : [],
        lineStyle: { color: c.text, width: 1.5, type: "dashed" },
        symbol: "none",
        silent: true,
        z: 6,
      },
    ],
  };
}

const highest = (spots: Spot[]): number[] => (spots.length > 0 ? [Math.max(...spots.map((one) => one.quality))] : []);

const labelledAs = (spot: Spot, least: number): string =>
  spot.quality < least ? `${brief(spot.name)} ${score(spot.quality, 2)}` : brief(spot.name);

function marked(name: string, color: string, borderColor: string, c: Colours) {
  return {
    type: "scatter" as const,
    name,
    symbolSize: MARK - 2,
    itemStyle: { color, borderColor, borderWidth: 2.5 },
    label: { show: true, formatter: name, color: c.text, fontWeight: 600 as const },
    z: 10,
  };
}

function toldOf(spot: Spot): string {
  return `${spot.name}\nquality ${score(spot.quality)}\n${usd(spot.cost)} for 1,000 queries\n${spot.note}`;
}

function tableOf(data: TradeOff, after: Outcome | null): Shown {
  const spots = spotsOf(data, after);
  const all = [...spots.here, ...spots.after, ...spots.frontier, ...spots.models];
  return {
    head: ["Where", "Quality", "Cost of 1,000 queries"],
    rows: all.map((one) => [one.name, score(one.quality), usd(one.cost)]),
  };
}
