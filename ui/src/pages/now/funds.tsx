// Every fund as a burn-down: what remains, against the line of even spending, and where it goes at the present rate.
// Those of virtual keys, and all of them on a phone, stand in a table.
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, query } from "../../api";
import { Chart, type Shown } from "../../chart";
import { amount, axis, percent, perUnit, price, seconds, short, time } from "../../format";
import { clock } from "../../now-store";
import { Button, Card, type Column, Empty, Meter, Table, Tag } from "../../parts";
import type { Colours } from "../../theme";
import type { Fund, FundPoint, Now } from "../../types";
import { useNarrow, useWidth } from "../../use";
import { faint, line, overTime, type Pair } from "./lines";
import { nameOf, STATES, URGENCY } from "./states";

const STRETCHES_MIN = [15, 60, 360, 1440, 10_080, 20_160];
const SHORT_S = 1800; // windows that come again, shorter than this, show the stretch of the page: one window is too little to see
const AGAIN_MS = 60_000;
const MOST_CARDS = 12;
const FEW = 8;

export function Funds({ now, minutes }: { now: Now; minutes: number }) {
  const [all, setAll] = useState(false);
  const narrow = useNarrow(640);
  const [charts, setCharts] = useState(false);
  if (!now.funds.length) {
    return (
      <Card title="Funds">
        <Empty title="No funds are set">
          Nothing limits what is spent. Add funds to the configuration, or a budget to a key, and they show here.
        </Empty>
      </Card>
    );
  }
  const configured = now.funds.filter((fund) => fund.of_key === null);
  const ofKeys = now.funds.filter((fund) => fund.of_key !== null).sort((a, b) => URGENCY[a.state] - URGENCY[b.state]);
  const shown = all ? configured : configured.slice(0, MOST_CARDS);
  return (
    <>
      {narrow && configured.length > 0 && (
        <FundList
          title="Funds"
          funds={configured}
          aside={
            <Button kind="plain" little aria-expanded={charts} onClick={() => setCharts(!charts)}>
              {charts ? "Hide charts" : "Show charts"}
            </Button>
          }
        />
      )}
      {(!narrow || charts) && configured.length > 0 && (
        <Evenly count={shown.length}>
          {shown.map((fund) => (
            <FundCard key={fund.name} fund={fund} now={now} minutes={minutes} />
          ))}
        </Evenly>
      )}
      {configured.length > shown.length && (
        <Button onClick={() => setAll(true)}>Show all {configured.length} funds</Button>
      )}
      {ofKeys.length > 0 && <FundList title="Funds of keys" funds={ofKeys} />}
    </>
  );
}

const LEAST_REM = 17;

/** Cards in rows that are as full as they can be: five as three and two, where four would fit in one. */
function Evenly({ count, children }: { count: number; children: preact.ComponentChildren }) {
  const [ref, width] = useWidth();
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const fit = Math.max(1, Math.floor((width + rem) / ((LEAST_REM + 1) * rem)));
  const columns = Math.ceil(count / Math.ceil(count / fit));
  return (
    <section
      ref={ref}
      class="funds"
      aria-label="Funds"
      style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}
    >
      {children}
    </section>
  );
}

const LIST: readonly Column<Fund>[] = [
  { id: "name", head: "Fund", cell: (one) => <span title={one.name}>{nameOf(one.name)}</span> },
  {
    id: "left",
    head: "Left",
    num: true,
    cell: (one) => (
      <>
        {amount(one.remaining, one.unit)} <span class="soft of-all">of {amount(one.amount, one.unit)}</span>
      </>
    ),
  },
  {
    id: "share",
    head: <span class="sr">Share left</span>,
    from: 440,
    cell: (one) => <Meter share={shareOf(one)} mark={paceOf(one)} label={`Remaining of ${nameOf(one.name)}`} />,
  },
  {
    id: "forecast",
    head: "Forecast",
    from: 900,
    cell: (one) => <span class="soft">{forecast(one, clock.value)}</span>,
  },
  { id: "state", head: "State", cell: (one) => <Tag tone={STATES[one.state][0]}>{STATES[one.state][1]}</Tag> },
];

function FundList({ title, funds, aside }: { title: string; funds: Fund[]; aside?: preact.ComponentChildren }) {
  const [all, setAll] = useState(false);
  const shown = all ? funds : funds.slice(0, FEW);
  return (
    <Card
      flush
      title={title}
      aside={
        <>
          {funds.length > shown.length && (
            <Button kind="plain" little onClick={() => setAll(true)}>
              Show all {funds.length}
            </Button>
          )}
          {aside}
        </>
      }
    >
      <Table label={`${title}, with what is left`} columns={LIST} rows={shown} rowKey={(one) => one.name} />
    </Card>
  );
}

const shareOf = (fund: Fund): number => (fund.amount ? fund.remaining / fund.amount : 0);
const paceOf = (fund: Fund): number | undefined =>
  fund.pace === null || !fund.amount ? undefined : fund.pace / fund.amount;

/** The stretch of history that a fund's window needs; null where the page's own will do. */
function stretchOf(fund: Fund, now_s: number): number | null {
  if (fund.starts_s === null || fund.ends_s === null) return null;
  if (fund.window !== "once" && fund.ends_s - fund.starts_s < SHORT_S) return null;
  const needed = (now_s - fund.starts_s) / 60;
  return STRETCHES_MIN.find((one) => one >= needed) ?? 20_160;
}

const kept = new Map<number, Promise<FundPoint[]>>();
function pointsOf(minutes: number): Promise<FundPoint[]> {
  const had = kept.get(minutes);
  if (had) return had;
  const asked = get<Now>(`/now${query({ minutes })}`).then((one) => one.fund_points);
  kept.set(minutes, asked);
  window.setTimeout(() => kept.delete(minutes), AGAIN_MS);
  return asked;
}

/** What was recorded over a stretch, loaded again every minute. */
function useHistory(minutes: number | null): FundPoint[] {
  const [points, set] = useState<FundPoint[]>([]);
  useEffect(() => {
    if (minutes === null) return;
    let gone = false;
    const look = () => {
      pointsOf(minutes)
        .then((next) => !gone && set(next))
        .catch(() => kept.delete(minutes)); // the line begins later, then
    };
    look();
    const timer = window.setInterval(look, AGAIN_MS);
    return () => {
      gone = true;
      window.clearInterval(timer);
    };
  }, [minutes]);
  return points;
}

function FundCard({ fund, now, minutes }: { fund: Fund; now: Now; minutes: number }) {
  const stretch = stretchOf(fund, now.at_s);
  const windowed = stretch !== null;
  const older = useHistory(stretch);
  const [tone, word] = STATES[fund.state];
  const data = useMemo(() => remaining(fund, older, now, windowed), [fund, older, now, windowed]);
  const option = useMemo(() => burnDown(fund, data, now, windowed ? null : minutes), [fund, data, now.at_s, minutes]);
  const table = (): Shown => ({
    head: ["Time", "Remaining"],
    rows: data.map(([t, value]) => [time(t / 1000), amount(value, fund.unit)]),
  });
  return (
    <Card title={<span class="wrap">{fund.name}</span>} aside={<Tag tone={tone}>{word}</Tag>}>
      <p class="fund-left">
        <strong>{fund.unit === "usd" ? amount(fund.remaining, fund.unit) : short(fund.remaining)}</strong>
        <span class="soft">of {amount(fund.amount, fund.unit)}</span>
        <span class="soft push tabular">{percent(shareOf(fund))}</span>
      </p>
      <Meter share={shareOf(fund)} mark={paceOf(fund)} label={`Remaining of ${fund.name}`} />
      <Chart
        option={option}
        height={128}
        label={`What remains of ${fund.name} over time${fund.pace === null ? "" : ", with the line of even spending"}`}
        table={table}
      />
      <p class="small">{forecast(fund, clock.value)}</p>
      <p class="small soft">
        {fund.window} · {fund.draws}
        {fund.price !== null && (
          <>
            {" · price "}
            <span class="tabular nowrap">{price(fund.price, fund.unit)}</span> {perUnit(fund.unit)}
          </>
        )}
      </p>
    </Card>
  );
}

const HOUR_S = 3600;

/** What becomes of a fund at the present rate, in one sentence. */
export function forecast(fund: Fund, now_s: number): string {
  const left_s = fund.ends_s !== null && fund.ends_s > now_s ? fund.ends_s - now_s : null;
  const by_minute = left_s !== null && left_s < 600;
  const spent = amount(Math.round(fund.spend_per_s * (by_minute ? 60 : HOUR_S)), fund.unit);
  const rate = fund.spend_per_s > 0 ? `At ${spent} ${by_minute ? "a minute" : "an hour"}` : "Nothing spent lately";
  if (fund.state === "empty")
    return left_s
      ? `Too little for any query until its window ends in ${seconds(left_s)}.`
      : "Too little for any query.";
  if (fund.empty_s !== null && fund.empty_s > now_s) {
    const early = fund.ends_s ? `, ${seconds(Math.max(0, fund.ends_s - fund.empty_s))} before its end` : "";
    return `${rate}, empty in ${seconds(fund.empty_s - now_s)}${early}.`;
  }
  if (left_s === null) return `${rate}.`;
  const left = Math.max(0, fund.remaining - fund.spend_per_s * left_s);
  return `${rate}; ${amount(Math.round(left), fund.unit)} left at the end in ${seconds(left_s)}.`;
}

/** What remained, oldest first, within the window where one is drawn; older steps first, then the page's finer ones. */
function remaining(fund: Fund, older: FundPoint[], now: Now, windowed: boolean): Pair[] {
  const fine = now.fund_points[0]?.t ?? Number.POSITIVE_INFINITY;
  const points = [...(windowed ? older.filter((one) => one.t < fine) : []), ...now.fund_points];
  const since = windowed ? (fund.starts_s ?? 0) : 0;
  const found: Pair[] = [];
  for (const point of points) {
    const value = point.funds[fund.name];
    if (value && point.t >= since) found.push([point.t * 1000, value[0]]);
  }
  found.push([now.at_s * 1000, fund.remaining]);
  return found;
}

const FEW_POINTS = 50;

/** The option of a burn-down; over its window, or over so many minutes where a window is too short to be drawn. */
function burnDown(fund: Fund, data: Pair[], now: Now, minutes: number | null) {
  const windowed = minutes === null;
  const from_s = windowed ? (fund.starts_s ?? 0) : now.at_s - minutes * 60;
  const to_s = windowed ? (fund.ends_s ?? now.at_s) : now.at_s;
  const first = data[0] as Pair;
  const gap = windowed && first[0] / 1000 - from_s > (to_s - from_s) / FEW_POINTS;
  return (c: Colours) => {
    const hue = STATES[fund.state][0] === "bad" ? c.bad : STATES[fund.state][0] === "warn" ? c.warn : c.accent;
    const straight = (name: string, colour: string, ends: Pair[], type: string, width = 1.5) =>
      line(name, colour, ends, { lineStyle: { width, color: colour, type }, silent: true, tooltip: { show: false } });
    const series = [
      line("Remaining", c.accent, data, { areaStyle: { color: c.accent, opacity: faint(c, 0.1) }, z: 3 }),
    ];
    if (windowed && fund.pace !== null) {
      const ends: Pair[] = [
        [from_s * 1000, fund.amount],
        [to_s * 1000, 0],
      ];
      series.push(straight("Even spending", c.soft, ends, "dashed", 1));
    }
    if (gap) series.push(straight("Not recorded", c.accent, [[from_s * 1000, fund.amount], first], "solid", 0.75));
    if (windowed) {
      const here: Pair = [now.at_s * 1000, fund.remaining];
      series.push(straight("Forecast", hue, [here, endOf(fund, now.at_s, to_s)], "dotted"));
      series.push(line("Now", c.accent, [here], { showSymbol: true, symbolSize: 7, tooltip: { show: false }, z: 4 }));
    }
    const text = (one: number) => amount(Math.round(one), fund.unit);
    return {
      ...overTime(series, {
        from_s,
        to_s,
        text,
        axis: fund.unit === "usd" ? (one) => `$${axis(one / 1e9)}` : axis,
        least: 0,
        most: fund.amount,
        interval: fund.amount / 2,
      }),
      grid: { left: 4, right: 8, top: 10, bottom: 2 },
    };
  };
}

/** Where the line goes at the present rate: to nothing, or to the window's end. */
function endOf(fund: Fund, now_s: number, to_s: number): Pair {
  if (fund.empty_s !== null && fund.empty_s < to_s) return [fund.empty_s * 1000, 0];
  return [to_s * 1000, Math.max(0, fund.remaining - fund.spend_per_s * (to_s - now_s))];
}
