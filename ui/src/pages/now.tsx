// What happens now: traffic, quality, spend, funds against their pace, prices, alarms.

import { failed, load, minutes, now, setMinutes } from "../now-store";
import { Choice, Empty, Failed, Loading, Page } from "../parts";
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
  const active = have.alarms.some((one) => one.active);
  return (
    <Page title="Now" note={`Estimates from ${have.estimates_from}`} aside={stretch}>
      <Figures now={have} minutes={minutes.value} />
      {active && <Alarms alarms={have.alarms} />}
      {have.points.length ? (
        <div class="now-charts">
          <Traffic now={have} minutes={minutes.value} />
          <Quality now={have} minutes={minutes.value} />
          <Spend now={have} minutes={minutes.value} />
        </div>
      ) : (
        <section class="card">
          <Empty title="No queries yet">
            Point a client at this gateway's /v1 and ask for the model "auto". The charts begin with the first query.
          </Empty>
        </section>
      )}
      <Funds now={have} minutes={minutes.value} />
      <div class="now-rest">
        <Prices now={have} minutes={minutes.value} />
        {have.points.length > 0 && <Overhead now={have} minutes={minutes.value} />}
      </div>
      {!active && <Alarms alarms={have.alarms} />}
    </Page>
  );
}
