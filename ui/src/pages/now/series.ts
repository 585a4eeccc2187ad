// Steps of the traffic put together into as many bins as a chart can show.
import type { Id, Point } from "../../types";

const MOST_BINS = 90;

/** Steps that lie together; `span_s` is the time that they cover. */
export interface Bin {
  t: number;
  span_s: number;
  queries: number;
  served: number;
  refused: number;
  failed: number;
  cost_nano: number;
  quality: number | null;
  feedback: number | null;
  feedbacks: number;
  overhead_p50_ms: number | null;
  overhead_p99_ms: number | null;
  by_model: Record<Id, number>;
}

const sum = (points: readonly Point[], of: (point: Point) => number): number =>
  points.reduce((total, point) => total + of(point), 0);

/** The mean of what is there, each weighed; null where nothing weighs anything. */
function mean(points: readonly Point[], of: (point: Point) => number | null, weight: (point: Point) => number) {
  let [total, weights] = [0, 0];
  for (const point of points) {
    const value = of(point);
    if (value === null) continue;
    total += value * weight(point);
    weights += weight(point);
  }
  return weights > 0 ? total / weights : null;
}

/** Some steps as one. Quantiles can't be put together exactly; the mean of the steps' own, weighed by queries, is. */
export function together(points: readonly Point[], t: number, span_s: number): Bin {
  const by_model: Record<Id, number> = {};
  for (const point of points) {
    for (const [model, count] of Object.entries(point.by_model)) by_model[model] = (by_model[model] ?? 0) + count;
  }
  const queries = (one: Point) => one.queries;
  return {
    t,
    span_s,
    queries: sum(points, queries),
    served: sum(points, (one) => one.served),
    refused: sum(points, (one) => one.refused),
    failed: sum(points, (one) => one.failed),
    cost_nano: sum(points, (one) => one.cost_nano),
    quality: mean(
      points,
      (one) => one.quality,
      (one) => one.served,
    ),
    feedback: mean(
      points,
      (one) => one.feedback,
      (one) => one.feedbacks,
    ),
    feedbacks: sum(points, (one) => one.feedbacks),
    overhead_p50_ms: mean(points, (one) => one.overhead_p50_ms, queries),
    overhead_p99_ms: mean(points, (one) => one.overhead_p99_ms, queries),
    by_model,
  };
}

/**
 * Bins of equal width, aligned to the clock so that they don't shift as time goes on. A step in which nothing
 * happened may be missing, so rates are over the time that a bin covers, and bins without any step are there too. The
 * last one is left out until half of it is over.
 */
export function binned(
  points: readonly Point[],
  step_s: number,
  minutes: number,
  end_s: number,
  most = MOST_BINS,
): Bin[] {
  const first = points[0];
  if (!first) return [];
  const width = Math.max(1, Math.ceil((minutes * 60) / most / step_s)) * step_s;
  const at = (t: number) => Math.floor(t / width) * width;
  const groups = new Map<number, Point[]>();
  for (let t = at(first.t); end_s - t >= width / 2; t += width) groups.set(t, []);
  for (const point of points) groups.get(at(point.t))?.push(point);
  return [...groups].map(([t, group]) => {
    const begin = Math.max(t, first.t);
    return together(group, t, Math.max(step_s, Math.min(t + width, end_s) - begin));
  });
}

/** The last so many seconds as one. */
export function latest(points: readonly Point[], step_s: number, seconds: number, end_s: number): Bin {
  const first = points[0]?.t ?? end_s;
  const begin = Math.max(end_s - seconds, first);
  return together(
    points.filter((one) => one.t >= begin),
    begin,
    points.length ? Math.max(step_s, end_s - begin) : 0,
  );
}
