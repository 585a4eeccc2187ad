import { useMemo } from "preact/hooks";
import { money, ms, percent, plural, score, seconds, trim } from "../../format";
import { Stat, Stats } from "../../parts";
import type { Now } from "../../types";
import { latest } from "./series";

const LATELY_S = 60;

/** The figures at the top: of the last minute, with what they were over all that is shown. */
export function Figures({ now, minutes }: { now: Now; minutes: number }) {
  const { points, step_s, at_s } = now;
  const [lately, all] = useMemo(
    () => [
      latest(points, step_s, Math.max(LATELY_S, step_s), at_s),
      latest(points, step_s, Number.POSITIVE_INFINITY, at_s),
    ],
    [points, step_s, at_s],
  );
  const per_s = (count: number, span_s: number) => (span_s ? count / span_s : null);
  const rate = per_s(lately.queries, lately.span_s);
  const hourly = lately.span_s ? (lately.cost_nano / lately.span_s) * 3600 : null;
  const lost = all.refused + all.failed;
  const stretch = seconds(minutes * 60);
  return (
    <Stats>
      <Stat
        label="Queries per second"
        value={rate === null ? "–" : trim(rate)}
        note={`${plural(all.queries, "query", "queries")} in ${stretch}`}
      />
      <Stat
        label="Served"
        value={percent(all.queries ? all.served / all.queries : null, 1)}
        note={lost ? `${all.refused} refused, ${all.failed} failed` : "none refused or failed"}
        tone={all.queries && all.failed / all.queries > 0.05 ? "bad" : "plain"}
      />
      <Stat label="Quality, estimated" value={score(lately.quality)} note={`${score(all.quality)} over ${stretch}`} />
      <Stat label="Quality, by feedback" value={score(all.feedback)} note={plural(all.feedbacks, "score")} />
      <Stat label="Spend per hour" value={money(hourly)} note={`${money(all.cost_nano)} in ${stretch}`} />
      <Stat
        label="Overhead, median"
        value={ms(lately.overhead_p50_ms)}
        note={`99th percentile ${ms(lately.overhead_p99_ms)}`}
      />
    </Stats>
  );
}
