// Quality against money, both of this traffic: the frontier over the knob, where we stand, where a proposal would put
// us, and every model alone.
import { useMemo } from "preact/hooks";
import { Chart, type Option, type Shown } from "../../chart";
import { brief, score, usd } from "../../format";
import { type Colours, colourOf } from "../../theme";
import type { Outcome, TradeOff } from "../../types";

const PER = 1000; // queries that money is told for
const WIDE = 30; // from so many times the least on, money is drawn on a logarithmic axis

interface Props {
  data: TradeOff;
  after: Outcome | null;
}

/** Dollars for a thousand queries. */
export function perThousand(cost_nano: number, queries: number): number {
  return queries > 0 ? (cost_nano / 1e9 / queries) * PER : 0;
}

export function FrontierChart({ data, after }: Props) {
  const option = useMemo(() => (c: Colours) => drawn(data, after, c), [data, after]);
  return <Chart option={option} height={420} label={labelOf(data, after)} table={() => tableOf(data, after)} />;
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
      name: `knob ${one.knob}`,
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

function drawn(data: TradeOff, after: Outcome | null, c: Colours): Option {
  const spots = spotsOf(data, after);
  const all = [...spots.frontier, ...spots.models, ...spots.here, ...spots.after];
  const costs = all.map((one) => one.cost);
  const log = Math.min(...costs) > 0 && Math.max(...costs) / Math.min(...costs) > WIDE;
  return {
    grid: { left: 8, right: 20, top: 32, bottom: 24 },
    legend: { top: 0, right: 0, data: ["frontier", "now", "after the change", "one model alone"] },
    xAxis: {
      type: log ? "log" : "value",
      name: "cost of 1,000 queries",
      nameLocation: "middle",
      nameGap: 28,
      axisLabel: { formatter: (value: number) => usd(value) },
    },
    yAxis: {
      type: "value",
      name: "mean quality",
      scale: true,
      axisLabel: { formatter: (value: number) => value.toFixed(2) },
    },
    tooltip: { formatter: (params) => toldOf((params as unknown as { data: { spot: Spot } }).data.spot) },
    series: [
      {
        type: "line",
        name: "frontier",
        data: spots.frontier.map(point),
        lineStyle: { color: c.accent, width: 2 },
        itemStyle: { color: c.accent },
        symbol: "circle",
        symbolSize: 5,
      },
      {
        type: "scatter",
        name: "one model alone",
        color: c.soft,
        symbol: "diamond",
        symbolSize: 11,
        data: spots.models.map((one) => ({ ...point(one), itemStyle: { color: colourOf(one.name) } })),
        label: { show: true, position: "right", formatter: (params) => brief(params.name), color: c.soft },
        labelLayout: { moveOverlap: "shiftY", hideOverlap: true },
      },
      marked("now", spots.here, { symbol: "circle", color: c.text, border: c.card }, c),
      marked("after the change", spots.after, { symbol: "circle", color: c.card, border: c.text }, c),
    ],
  };
}

const point = (one: Spot) => ({ name: one.name, value: [one.cost, one.quality], spot: one });

function marked(name: string, spots: Spot[], style: { symbol: string; color: string; border: string }, c: Colours) {
  return {
    type: "scatter" as const,
    name,
    data: spots.map(point),
    symbol: style.symbol,
    symbolSize: 16,
    itemStyle: { color: style.color, borderColor: style.border, borderWidth: 2.5 },
    label: { show: true, position: "top" as const, formatter: name, color: c.text, fontWeight: 600 as const },
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
