// Every fund as a burn-down: what remains, against the line of even spending, and where it goes at the present rate.
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, query } from "../../api";
import { Chart, type Shown } from "../../chart";
import { amount, perUnit, price, seconds, short, time, trim } from "../../format";
import { clock } from "../../now-store";
import { Card, Empty, Meter, Tag, type Tone } from "../../parts";
import type { Colours } from "../../theme";
import type { Fund, FundPoint, FundState, Now } from "../../types";
import { faint, line, overTime, type Pair } from "./lines";

const STATES: Record<FundState, [tone: Tone, word: string]> = {
  fine: ["good", "on pace"],
  fast: ["bad", "runs out early"],
  slow: ["warn", "underspent"],
  empty: ["bad", "empty"],
};
const STRETCHES_MIN = [15, 60, 360, 1440, 10_080, 20_160];
const SHORT_S = 1800; // windows shorter than this show the stretch of the page: one window is too little to see
const AGAIN_MS = 60_000;
const FEW = 12;

export function Funds({ now }: { now: Now }) {
  const [all, setAll] = useState(false);
  const order = [...now.funds].sort((a, b) => rank(a) - rank(b));
  const shown = all ? order : order.slice(0, FEW);
  if (!now.funds.length) {
    return (
      <Card title="Funds">
        <Empty title="No funds are set">
          Nothing limits what is spent. Add funds to the configuration, or a budget to a key, and they show here.
        </Empty>
      </Card>
    );
  }
  return (
    <section class="stack" aria-labelledby="funds-title">
      <h2 id="funds-title" class="section">
        Funds
      </h2>
      <div class="funds">
        {shown.map((fund) => (
          <FundCard key={fund.name} fund={fund} now={now} />
        ))}
      </div>
      {order.length > shown.length && (
        <button type="button" class="button" onClick={() => setAll(true)}>
          Show all {order.length} funds
        </button>
      )}
    </section>
  );
}

// Configured funds first, in the configuration's order, so that a card stays where it is; then keys' own.
const rank = (fund: Fund): number => Number(fund.of_key !== null);

/** The stretch of history that a fund's window needs; null where the page's own will do. */
function stretchOf(fund: Fund, now_s: number): number | null {
  if (fund.starts_s === null || fund.ends_s === null || fund.ends_s - fund.starts_s < SHORT_S) return null;
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

function FundCard({ fund, now }: { fund: Fund; now: Now }) {
  const stretch = stretchOf(fund, now.at_s);
  const older = useHistory(stretch);
  const [tone, word] = STATES[fund.state];
  const data = useMemo(() => remaining(fund, older, now, stretch !== null), [fund, older, now]);
  const option = useMemo(() => burnDown(fund, data, now, stretch !== null), [fund, data, now.at_s]);
  const table = (): Shown => ({
    head: ["Time", "Remaining"],
    rows: data.map(([t, value]) => [time(t / 1000), amount(value, fund.unit)]),
  });
  return (
    <Card
      title={<span class="wrap">{fund.name}</span>}
      aside={<Tag tone={tone}>{word}</Tag>}
      note={fund.of_key ? `key ${fund.of_key}` : ""}
    >
      <p class="fund-left">
        <strong>{amount(fund.remaining, fund.unit)}</strong>
        <span class="soft"> of {amount(fund.amount, fund.unit)}</span>
        <span class="soft push small" title={perUnit(fund.unit)}>
          price <span class="tabular">{price(fund.price, fund.unit)}</span>
        </span>
      </p>
      <Meter
        share={fund.amount ? fund.remaining / fund.amount : 0}
        tone={tone === "good" ? "plain" : tone}
        label={`Remaining of ${fund.name}`}
      />
      <Chart
        option={option}
        height={128}
        label={`What remains of ${fund.name} over time${fund.pace === null ? "" : ", with the line of even spending"}`}
        table={table}
      />
      <p class="small soft fund-note">
        {forecast(fund, clock.value)}{" "}
        <span class="fund-draws">
          {fund.window}; {fund.draws}
        </span>
      </p>
    </Card>
  );
}

/** What becomes of a fund at the present rate, in one sentence. */
export function forecast(fund: Fund, now_s: number): string {
  const rate = `${amount(Math.round(fund.spend_per_s * 3600), fund.unit)} an hour`;
  const ends = fund.ends_s !== null && fund.ends_s > now_s ? seconds(fund.ends_s - now_s) : "";
  if (fund.state === "empty")
    return ends ? `Can't pay anything until the window ends in ${ends}.` : "Can't pay anything.";
  if (fund.empty_s !== null && fund.empty_s > now_s) {
    const early = fund.ends_s ? `, ${seconds(Math.max(0, fund.ends_s - fund.empty_s))} before its end` : "";
    return `At ${rate}, empty in ${seconds(fund.empty_s - now_s)}${early}.`;
  }
  if (fund.ends_s === null || !ends) return `At ${rate}.`;
  const left = Math.max(0, fund.remaining - fund.spend_per_s * (fund.ends_s - now_s));
  return `At ${rate}, ${amount(Math.round(left), fund.unit)} left at the end in ${ends}.`;
}

/** What remained, oldest first, within the window where one is drawn; older steps first, then the page's finer ones. */
function remaining(fund: Fund, older: FundPoint[], now: Now, windowed: boolean): Pair[] {
  const fine = now.fund_points[0]?.t ?? Number.POSITIVE_INFINITY;
  const points = [...older.filter((one) => one.t < fine), ...now.fund_points];
  const since = windowed ? (fund.starts_s ?? 0) : 0;
  const found: Pair[] = [];
  for (const point of points) {
    const value = point.funds[fund.name];
    if (value && point.t >= since) found.push([point.t * 1000, value[0]]);
  }
  found.push([now.at_s * 1000, fund.remaining]);
  return found;
}

function burnDown(fund: Fund, data: Pair[], now: Now, windowed: boolean) {
  const from_s = windowed ? (fund.starts_s ?? 0) : (data[0]?.[0] ?? 0) / 1000;
  const to_s = windowed ? (fund.ends_s ?? now.at_s) : now.at_s;
  const begun = (data[0]?.[0] ?? 0) / 1000;
  const gap = windowed && begun - from_s > (to_s - from_s) / 50;
  return (c: Colours) => {
    const hue = fund.state === "fast" || fund.state === "empty" ? c.bad : fund.state === "slow" ? c.warn : c.accent;
    const series = [
      line("Remaining", c.accent, data, { areaStyle: { color: c.accent, opacity: faint(c, 0.1) }, z: 3 }),
    ];
    const straight = (name: string, colour: string, ends: Pair[], type: string) =>
      line(name, colour, ends, {
        lineStyle: { width: 1.5, color: colour, type },
        silent: true,
        tooltip: { show: false },
      });
    if (windowed && fund.pace !== null) {
      series.push(
        straight(
          "Even spending",
          c.soft,
          [
            [from_s * 1000, fund.amount],
            [to_s * 1000, 0],
          ],
          "dashed",
        ),
      );
    }
    if (gap) series.push(straight("Not recorded", c.edge, [[from_s * 1000, fund.amount], data[0] as Pair], "dotted"));
    if (windowed)
      series.push(
        straight("Forecast", hue, [[now.at_s * 1000, fund.remaining], endOf(fund, now.at_s, to_s)], "dotted"),
      );
    const unit = fund.unit === "usd" ? (one: number) => `$${trim(one / 1e9)}` : short;
    return {
      ...overTime(series, {
        from_s,
        to_s,
        text: (one) => amount(Math.round(one), fund.unit),
        axis: unit,
        least: 0,
        most: fund.amount,
        interval: fund.amount / 2,
      }),
      grid: {
        left: 4,
        right: 8,
        top: 10,
        bottom: 2,
        outerBoundsMode: "same" as const,
        outerBoundsContain: "axisLabel" as const,
      },
    };
  };
}

/** Where the line goes at the present rate: to nothing, or to the window's end. */
function endOf(fund: Fund, now_s: number, to_s: number): Pair {
  if (fund.empty_s !== null && fund.empty_s < to_s) return [fund.empty_s * 1000, 0];
  return [to_s * 1000, Math.max(0, fund.remaining - fund.spend_per_s * (to_s - now_s))];
}
