// The price of every fund over time: what one more unit of it is worth in quality. Units don't mix in one chart.

import type { SeriesOption } from "echarts";
import { useMemo } from "preact/hooks";
import { Chart, type Option, type Shown } from "../../chart";
import { axis, perUnit, priceScale, time } from "../../format";
import { Card, Empty } from "../../parts";
import type { Colours } from "../../theme";
import type { Fund, Now } from "../../types";
import { line, overTime, type Pair } from "./lines";
import { nameOf } from "./states";
import { Keys } from "./traffic";

const UNITS = ["usd", "tokens", "requests"] as const;
const MOST = 8; // lines in one chart; the dearest funds come first

export function Prices({ now, minutes }: { now: Now; minutes: number }) {
  const all = now.funds.filter((fund) => fund.price !== null);
  const configured = all.filter((fund) => fund.of_key === null);
  const priced = configured.length ? configured : all; // keys' own may be many, and say little together
  if (!priced.length) {
    return (
      <Card title="Prices of funds">
        <Empty title="No prices yet">
          A fund's price is what one more unit of it would be worth in quality. Prices come with funds and traffic.
        </Empty>
      </Card>
    );
  }
  // A unit in which nothing was scarce is said in words: a flat line at nothing shows nothing.
  const scarce = (fund: Fund) => fund.price || now.fund_points.some((point) => point.funds[fund.name]?.[3]);
  const units = UNITS.filter((unit) => priced.some((fund) => fund.unit === unit));
  const moving = units.filter((unit) => priced.some((fund) => fund.unit === unit && scarce(fund)));
  const still = units.filter((unit) => !moving.includes(unit));
  const calm = still.map((unit) => (unit === "usd" ? "dollars" : unit)).join(" or ");
  if (!moving.length) {
    return (
      <Card title="Prices of funds">
        <Empty title="All prices are zero">Nothing in {calm} is scarce: every fund lasts at the present rate.</Empty>
      </Card>
    );
  }
  return moving.map((unit, at) => (
    <PriceChart
      key={unit}
      unit={unit}
      funds={priced.filter((fund) => fund.unit === unit)}
      now={now}
      minutes={minutes}
      foot={at === moving.length - 1 && calm ? `Nothing in ${calm} is scarce: its price is zero.` : ""}
    />
  ));
}

interface OfUnit {
  unit: Fund["unit"];
  funds: Fund[];
  now: Now;
  minutes: number;
  foot: string;
}

function PriceChart({ unit, funds, now, minutes, foot }: OfUnit) {
  const scale = priceScale(unit);
  const names = useMemo(
    () =>
      [...funds]
        .sort((a, b) => (b.price ?? 0) - (a.price ?? 0))
        .slice(0, MOST)
        .map((fund) => fund.name)
        .sort(),
    [funds.map((fund) => fund.name).join("\n")],
  );
  const of = (name: string): Pair[] =>
    now.fund_points.map((point) => {
      const value = point.funds[name]?.[3] ?? null;
      return [point.t * 1000, value === null ? null : value * scale];
    });
  const option = useMemo(
    () => (c: Colours) =>
      overPrices(
        names.map((name, at) => line(nameOf(name), c.hues[hue(at) - 1] ?? c.accent, of(name), { step: "end" })),
        now.at_s - minutes * 60,
        now.at_s,
      ),
    [now.fund_points, names, minutes],
  );
  const table = (): Shown => ({
    head: ["Time", ...names],
    rows: now.fund_points.map((point) => [
      time(point.t),
      ...names.map((name) => axis((point.funds[name]?.[3] ?? 0) * scale)),
    ]),
  });
  return (
    <Card
      title={unit === "usd" ? "Prices of funds" : `Prices of funds in ${unit}`}
      note={
        <>
          {perUnit(unit)}
          <Keys of={names.map((name, at) => [`hue-${hue(at)}`, nameOf(name)])} />
        </>
      }
    >
      <Chart option={option} height={190} label={`Price of every fund in ${unit}, over time`} table={table} />
      {foot && <p class="soft small">{foot}</p>}
    </Card>
  );
}

const WIDE = 50;

/** An option over time; logarithmic where prices lie far apart, and then those of nothing aren't drawn. */
function overPrices(series: SeriesOption[], from_s: number, to_s: number): Option {
  const values = series.flatMap((one) => (one.data as Pair[]).map(([, value]) => value)).filter(isScarce);
  const wide = values.length > 0 && Math.max(...values) / Math.min(...values) > WIDE;
  const option = overTime(series, { from_s, to_s, text: axis, axis, ...(!wide && { least: 0 }) });
  return wide
    ? { ...option, yAxis: { ...option.yAxis, type: "log" } as Option["yAxis"], series: series.map(withoutZeros) }
    : option;
}

const isScarce = (value: number | null): value is number => value !== null && value > 0;
const withoutZeros = (one: SeriesOption): SeriesOption =>
  ({ ...one, data: (one.data as Pair[]).map(([t, value]) => [t, isScarce(value) ? value : null]) }) as SeriesOption;

// Funds take the palette from its end, so that they aren't taken for models.
const hue = (at: number): number => 10 - (at % 10);
