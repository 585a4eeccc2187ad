// What happens now: traffic, quality, spend, funds against their pace, prices, alarms.

import { failed, load, minutes, now, setMinutes } from "../now-store";
import { Choice, Empty, Failed, Loading, Page } from "../parts";
import type { Now } from "../types";
import { Alarms } from "./now/alarms";
import { Figures } from "./now/figures";
import { Funds } from "./now/funds";
import { Prices } from "./now/prices";
import { Overhead, Quality, Spend, Traffic } from "./now/traffic";
import "./now/now.css";

const STRETCHES = [
  [15, "15 min"],
  [60, "1 h"],
  [360, "6 h"],
  [1440, "24 h"],
  [10_080, "7 d"],
] as const;

const LEAST_MIN = 1;

/** The minutes that the charts show: of a gateway that is younger than what was asked for, its age. */
function shownOf(now: Now, asked: number): number {
  const first = now.points[0]?.t ?? now.at_s;
  return Math.min(asked, Math.max(LEAST_MIN, (now.at_s - first) / 60));
}

export default function NowPage() {
  const have = now.value;
  const stretch = <Choice<number> label="Time shown" value={minutes.value} options={STRETCHES} onChange={setMinutes} />;
  if (!have) {
    return (
      <Page title="Now" aside={stretch}>
        {failed.value ? <Failed error={failed.value} again={() => void load()} /> : <Loading />}
      </Page>
    );
  }
  const stretch_min = shownOf(have, minutes.value);
  const begun = have.points.some((one) => one.queries > 0);
  const active = have.alarms.some((one) => one.active);
  return (
    <Page title="Now" note={`Estimates from ${have.estimates_from}`} aside={stretch}>
      <Figures now={have} minutes={minutes.value} />
      {active && <Alarms alarms={have.alarms} />}
      {begun ? (
        <div class="now-charts">
          <Traffic now={have} minutes={stretch_min} />
          <Quality now={have} minutes={stretch_min} />
          <Spend now={have} minutes={stretch_min} />
        </div>
      ) : (
        <section class="card">
          <Empty title="No queries yet">
            Point a client at this gateway's /v1 and ask for the model "auto". The charts begin with the first query.
          </Empty>
        </section>
      )}
      <Funds now={have} minutes={stretch_min} />
      <div class="now-rest">
        {have.funds.length > 0 && <Prices now={have} minutes={stretch_min} />}
        {begun && <Overhead now={have} minutes={stretch_min} />}
      </div>
      {!active && <Alarms alarms={have.alarms} />}
    </Page>
  );
}
