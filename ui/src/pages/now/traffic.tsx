// Charts over time: queries by model, quality, spend, overhead.

import type { SeriesOption } from "echarts";
import { useMemo, useState } from "preact/hooks";
import { Chart, type Shown } from "../../chart";
import { money, ms, percent, score, time, trim, usd } from "../../format";
import { Card, Choice, Model } from "../../parts";
import { type Colours, colourOf } from "../../theme";
import type { Id, Now } from "../../types";
import { faint, line, overTime, type Pair, scoreBounds } from "./lines";
import { type Bin, binned, latest } from "./series";

interface Props {
  now: Now;
  minutes: number;
}
const HEIGHT = 190;

const COARSE = 40; // bins of feedback, which is sparse

const useBins = ({ now, minutes }: Props, most?: number): Bin[] =>
  useMemo(
    () => binned(now.points, now.step_s, minutes, now.at_s, most),
    [now.points, now.step_s, minutes, now.at_s, most],
  );

const edges = ({ now, minutes }: Props) => ({ from_s: now.at_s - minutes * 60, to_s: now.at_s });

const pairs = (bins: Bin[], of: (bin: Bin) => number | null): Pair[] => bins.map((bin) => [bin.t * 1000, of(bin)]);

/** The models that served, in the configuration's order, then others. */
function modelsOf(now: Now, bins: Bin[]): Id[] {
  const seen = new Set(bins.flatMap((bin) => Object.keys(bin.by_model)));
  return [...now.models.filter((id) => seen.has(id)), ...[...seen].filter((id) => !now.models.includes(id)).sort()];
}

type Kind = "rate" | "share";

/** Queries per second, stacked by the model that served them; or each model's share. */
export function Traffic(props: Props) {
  const { now, minutes } = props;
  const [kind, setKind] = useState<Kind>("rate");
  const bins = useBins(props);
  const models = useMemo(() => modelsOf(now, bins), [now.models, bins]);
  const value = (bin: Bin, id: Id) =>
    (bin.by_model[id] ?? 0) / (kind === "rate" ? bin.span_s || 1 : Math.max(bin.served, 1));
  const text = kind === "rate" ? (one: number) => `${trim(one)}/s` : (one: number) => percent(one, 1);
  const option = useMemo(
    () => (c: Colours) =>
      overTime(
        models.map((id) =>
          area(
            id,
            c,
            pairs(bins, (bin) => value(bin, id)),
          ),
        ),
        {
          ...edges(props),
          text,
          axis: kind === "rate" ? trim : (one) => percent(one),
          ...(kind === "share" && { most: 1, interval: 0.25 }),
        },
      ),
    [bins, models, kind, minutes],
  );
  const table = (): Shown => ({
    head: ["Time", ...models],
    rows: bins.map((bin) => [time(bin.t), ...models.map((id) => text(value(bin, id)))]),
  });
  return (
    <Card
      class="now-traffic"
      title="Queries per second"
      aside={
        <Choice<Kind>
          label="What is shown"
          value={kind}
          onChange={setKind}
          options={[
            ["rate", "Rate"],
            ["share", "Share"],
          ]}
        />
      }
    >
      <div class="now-split">
        <Chart
          option={option}
          height={HEIGHT}
          label={`${kind === "rate" ? "Queries per second" : "Share of queries"} by the model that served them`}
          table={table}
        />
        <Shares now={now} models={models} />
      </div>
    </Card>
  );
}

function area(id: Id, c: Colours, data: Pair[]): SeriesOption {
  const colour = colourOf(id);
  return line(id, colour, data, {
    stack: "all",
    lineStyle: { width: 1, color: c.card },
    areaStyle: { color: colour, opacity: 0.85 },
  });
}

/** Each model's share of the last minute; the legend of the chart beside it. */
function Shares({ now, models }: { now: Now; models: Id[] }) {
  const lately = useMemo(
    () => latest(now.points, now.step_s, Math.max(60, now.step_s), now.at_s),
    [now.points, now.step_s, now.at_s],
  );
  return (
    <table class="now-shares" aria-label="Share of each model in the last minute">
      <tbody>
        {[...models].reverse().map((id) => (
          <tr key={id}>
            <th scope="row">
              <Model id={id} short />
            </th>
            <td class="num">{percent(lately.served ? (lately.by_model[id] ?? 0) / lately.served : null)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The mean of five bins around each, weighed; single ones swing too much to show anything. */
function moving(bins: Bin[], of: (bin: Bin) => number | null, weight: (bin: Bin) => number): Pair[] {
  return bins.map((bin, at) => {
    const near = bins.slice(Math.max(0, at - 2), at + 3).filter((one) => of(one) !== null);
    const weights = near.reduce((sum, one) => sum + weight(one), 0);
    const total = near.reduce((sum, one) => sum + (of(one) ?? 0) * weight(one), 0);
    return [bin.t * 1000, weights ? total / weights : null];
  });
}

/** The quality that was expected, and the scores that came back. */
export function Quality(props: Props) {
  const bins = useBins(props, COARSE);
  const option = useMemo(
    () => (c: Colours) => {
      const estimated = moving(
        bins,
        (bin) => bin.quality,
        (bin) => bin.served,
      );
      const feedback = moving(
        bins,
        (bin) => bin.feedback,
        (bin) => bin.feedbacks,
      );
      const bounds = scoreBounds([...estimated, ...feedback].map(([, value]) => value));
      return overTime([line("Estimated", c.accent, estimated), line("Feedback", c.hues[1] ?? c.warn, feedback)], {
        ...edges(props),
        text: score,
        axis: (one) => one.toFixed(2),
        ...bounds,
      });
    },
    [bins],
  );
  const table = (): Shown => ({
    head: ["Time", "Estimated", "Feedback", "Scores"],
    rows: bins.map((bin) => [time(bin.t), score(bin.quality), score(bin.feedback), bin.feedbacks]),
  });
  return (
    <Card
      title="Quality"
      note={
        <Keys
          of={[
            ["accent", "estimated"],
            ["hue-2", "feedback"],
          ]}
        />
      }
    >
      <Chart
        option={option}
        height={HEIGHT}
        label="Quality as estimated and by feedback, moving means over time"
        table={table}
      />
    </Card>
  );
}

/** Dollars an hour. */
export function Spend(props: Props) {
  const bins = useBins(props);
  const hourly = (bin: Bin) => (bin.span_s ? (bin.cost_nano / 1e9 / bin.span_s) * 3600 : null);
  const option = useMemo(
    () => (c: Colours) =>
      overTime(
        [line("Spend", c.accent, pairs(bins, hourly), { areaStyle: { color: c.accent, opacity: faint(c, 0.1) } })],
        { ...edges(props), text: (one) => `${usd(one)} an hour`, axis: axisUsd, least: 0 },
      ),
    [bins],
  );
  const table = (): Shown => ({
    head: ["Time", "Spend", "An hour"],
    rows: bins.map((bin) => [time(bin.t), money(bin.cost_nano), usd(hourly(bin))]),
  });
  return (
    <Card title="Spend" note="$ per hour">
      <Chart option={option} height={HEIGHT} label="Dollars spent per hour, over time" table={table} />
    </Card>
  );
}

const axisUsd = (one: number): string => `$${trim(one)}`;

/** What the gateway itself adds to a query. */
export function Overhead(props: Props) {
  const bins = useBins(props);
  const option = useMemo(
    () => (c: Colours) =>
      overTime(
        [
          line(
            "99th percentile",
            c.hues[1] ?? c.warn,
            pairs(bins, (bin) => bin.overhead_p99_ms),
          ),
          line(
            "Median",
            c.accent,
            pairs(bins, (bin) => bin.overhead_p50_ms),
          ),
        ],
        { ...edges(props), text: ms, axis: (one) => `${trim(one)} ms`, least: 0 },
      ),
    [bins],
  );
  const table = (): Shown => ({
    head: ["Time", "Median", "99th percentile"],
    rows: bins.map((bin) => [time(bin.t), ms(bin.overhead_p50_ms), ms(bin.overhead_p99_ms)]),
  });
  return (
    <Card
      title="Overhead"
      note={
        <Keys
          of={[
            ["accent", "median"],
            ["hue-2", "99th percentile"],
          ]}
        />
      }
    >
      <Chart option={option} height={HEIGHT} label="Milliseconds that the gateway adds to a query" table={table} />
    </Card>
  );
}

/** Names of lines after their colours. */
export function Keys({ of }: { of: [colour: string, name: string][] }) {
  return (
    <span class="line-keys">
      {of.map(([colour, name]) => (
        <span key={name} class={`line-key ${colour}`}>
          {name}
        </span>
      ))}
    </span>
  );
}
