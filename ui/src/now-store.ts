// What happens now, kept for the whole dashboard: the shell's badges and the page Now read the same figures.
import { computed, signal } from "@preact/signals";
import type { Events } from "./api";
import { get, live, query } from "./api";
import { meet } from "./theme";
import type { Now } from "./types";

export const minutes = signal(15);
export const now = signal<Now | null>(null);
export const failed = signal<Error | null>(null);
/** The time by the gateway's clock, a second at a time. */
export const clock = signal(Date.now() / 1000);
export const alarmsOpen = computed(
  () => now.value?.alarms.filter((one) => one.active && !one.acknowledged_s).length ?? 0,
);

const MOST = 450;
let skew_s = 0;

window.setInterval(() => {
  clock.value = Date.now() / 1000 + skew_s;
}, 1000);

export async function load(): Promise<void> {
  try {
    const asked = minutes.peek();
    const next = await get<Now>(`/now${query({ minutes: asked })}`);
    if (asked !== minutes.peek()) return; // another stretch has been asked for meanwhile
    meet(next.models, true);
    skew_s = next.at_s - Date.now() / 1000;
    clock.value = next.at_s;
    now.value = next;
    failed.value = null;
  } catch (error) {
    failed.value = error as Error;
  }
}

/** Shows another stretch of time. */
export function setMinutes(next: number): void {
  minutes.value = next;
  void load();
}

// A step is taken in as it comes where the points are steps; where a point stands for more, what was asked for is
// loaded again when a whole one has passed.
function step(pulse: Events["pulse"]): void {
  const have = now.peek();
  if (!have) return;
  const since = pulse.point.t - minutes.peek() * 60;
  const coarse = have.step_s > 2.5;
  const last = have.points.at(-1)?.t ?? 0;
  if (coarse && pulse.point.t - last >= Math.max(2 * have.step_s, 20)) void load();
  const points = coarse || pulse.point.t <= last ? have.points : [...have.points, pulse.point];
  const funds = coarse || pulse.funds.t <= last ? have.fund_points : [...have.fund_points, pulse.funds];
  now.value = {
    ...have,
    at_s: pulse.point.t + have.step_s,
    points: points.filter((one) => one.t > since).slice(-MOST),
    fund_points: funds.filter((one) => one.t > since).slice(-MOST),
    funds: pulse.balances.length ? pulse.balances : have.funds,
  };
}

live("pulse", step);
live("alarms", ({ alarms }) => {
  if (now.peek()) now.value = { ...(now.peek() as Now), alarms };
});
live("again", () => void load());
live("changed", () => void load());
