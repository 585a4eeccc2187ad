// The price of every fund over time: what one more unit of it is worth in quality. Units don't mix in one chart.
import { useMemo } from "preact/hooks";
import { Chart, type Shown } from "../../chart";
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
  const priced = now.funds.filter((fund) => fund.price !== null);
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
  const labelOf = (name: string) => {
    const fund = funds.find((one) => one.name === name);
    return fund ? nameOf(fund) : name;
  };
  const of = (name: string): Pair[] =>
    now.fund_points.map((point) => {
      const value = point.funds[name]?.[3] ?? null;
      return [point.t * 1000, value === null ? null : value * scale];
    });
  const option = useMemo(
    () => (c: Colours) =>
      overTime(
        names.map((name, at) => line(labelOf(name), c.hues[hue(at) - 1] ?? c.accent, of(name), { step: "end" })),
        { from_s: now.at_s - minutes * 60, to_s: now.at_s, text: axis, axis, least: 0 },
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
          <Keys of={names.map((name, at) => [`hue-${hue(at)}`, labelOf(name)])} />
        </>
      }
    >
      <Chart option={option} height={190} label={`Price of every fund in ${unit}, over time`} table={table} />
      {foot && <p class="soft small">{foot}</p>}
    </Card>
  );
}

// Funds take the palette from its end, so that they aren't taken for models.
const hue = (at: number): number => 10 - (at % 10);
