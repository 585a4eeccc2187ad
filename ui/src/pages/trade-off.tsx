// What this traffic could be had for: the frontier, where we stand on it, and by replay what a change would do.
import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api";
import { READ_ONLY } from "../changes";
import { moment, percent, plural, score, usd } from "../format";
import { clock } from "../now-store";
import { Button, Card, Dialog, Empty, Failed, Loading, Notice, Page, Stat, Stats } from "../parts";
import { mayChange } from "../session";
import type { Outcome, Replayed, TradeOff, Written } from "../types";
import { useData, useLive, useSettled } from "../use";
import { met } from "./models/known";
import { Compare, inWords } from "./trade-off/compare";
import { FrontierChart, perThousand } from "./trade-off/frontier";
import { differs, inForce, type Proposal, Sliders } from "./trade-off/sliders";
import { WrittenChange } from "./trade-off/write";
import "./trade-off/trade-off.css";

const PAUSE_MS = 250; // a slider has come to rest

export default function TradeOffPage() {
  const found = useData<TradeOff>("trade-off", loadTradeOff);
  useLive("changed", found.reload);
  const data = found.data;
  const again = (
    <Button disabled={found.loading} onClick={found.reload}>
      {found.loading && data ? "Replaying…" : "Replay the latest"}
    </Button>
  );
  return (
    <Page title="Trade-off" note={data && noteOf(data)} aside={data && again}>
      {!data && found.loading && <Loading what="Replaying the latest queries" />}
      {found.error && <Failed error={found.error} again={found.reload} />}
      {data && (data.here ? <Shown data={data} here={data.here} /> : <None why={data.why} />)}
    </Page>
  );
}

async function loadTradeOff(signal: AbortSignal): Promise<TradeOff> {
  const data = await get<TradeOff>("/trade-off", signal);
  await met(data.models.map((one) => one.id));
  return data;
}

function noteOf(data: TradeOff): string {
  if (data.queries === 0 || data.from_s === null || data.to_s === null) return "";
  const now = clock.peek();
  return `The latest ${plural(data.queries, "query", "queries")}, ${moment(data.from_s, now)} to ${moment(data.to_s, now)}`;
}

const None = ({ why }: { why: string }) => (
  <Card>
    <Empty title="No traffic to replay yet">{why}</Empty>
  </Card>
);

function Shown({ data, here }: { data: TradeOff; here: Outcome }) {
  const [proposal, change] = useState<Proposal>(() => inForce(data));
  // what is in force may change under the proposal; amounts of funds that have come or gone follow it
  useEffect(() => change((was) => carriedOver(was, data)), [data]);
  const changed = differs(proposal, data);
  const asked = JSON.stringify(proposal);
  const settled = useSettled(asked, PAUSE_MS);
  const replay = useData(`${settled} ${data.to_s}`, (signal) => replayOf(settled, signal));
  const fresh = settled === asked && !replay.loading;
  // the last proposal's figures stay until the next one's are there; those of no change at all are no proposal's
  const still = replay.data?.asked === JSON.stringify(inForce(data));
  const replayed = changed && !still && !replay.error ? (replay.data?.replayed ?? null) : null;
  return (
    <>
      <Figures here={here} after={replayed?.after ?? null} queries={data.queries} />
      <div class="trade-off">
        <Card title="Quality against money" class="trade-off-chart">
          <FrontierChart data={data} after={replayed?.after ?? null} />
        </Card>
        <Card
          title="Try a change"
          class="trade-off-sliders"
          aside={<Reset off={!changed} reset={() => change(inForce(data))} />}
        >
          <Sliders data={data} proposal={proposal} change={change} />
          <WriteButton proposal={proposal} changed={changed} />
        </Card>
        <div class="stack trade-off-compare">
          {replay.error && <Failed error={replay.error} again={replay.reload} />}
          <Card title="What it would change">
            <Words replayed={replayed} changed={changed} fresh={fresh} />
            <Compare replayed={replayed ?? { before: here, after: here, moved: 0 }} changed={replayed !== null} />
          </Card>
          <p class="soft small rests">{data.why}</p>
        </div>
      </div>
    </>
  );
}

async function replayOf(asked: string, signal: AbortSignal): Promise<{ asked: string; replayed: Replayed }> {
  return { asked, replayed: await post<Replayed>("/trade-off/replay", JSON.parse(asked), signal) };
}

/** A proposal with the funds that are there now. */
export function carriedOver(was: Proposal, data: TradeOff): Proposal {
  const funds = data.funds.map((fund): [string, number] => [fund.name, was.funds[fund.name] ?? fund.amount]);
  return { funds: Object.fromEntries(funds), knob: was.knob };
}

const Reset = ({ off, reset }: { off: boolean; reset: () => void }) => (
  <Button little disabled={off} onClick={reset}>
    Put all back
  </Button>
);

function Figures({ here, after, queries }: { here: Outcome; after: Outcome | null; queries: number }) {
  const cost = (one: Outcome): string => usd(perThousand(one.cost_nano, queries));
  const then = (text: string | null): string => (text === null ? "in force" : `proposed: ${text}`);
  return (
    <Stats>
      <Stat label="Mean quality" value={score(here.quality)} note={then(after && score(after.quality))} />
      <Stat label="Cost of 1,000 queries" value={cost(here)} note={then(after && cost(after))} />
      <Stat label="Served" value={percent(here.served, 1)} note={then(after && percent(after.served, 1))} />
      <Stat
        label="Quality per dollar"
        value={perDollar(here, queries)}
        note={then(after && perDollar(after, queries))}
      />
    </Stats>
  );
}

/** The sum of the scores that a dollar bought. */
function perDollar(one: Outcome, queries: number): string {
  const dollars = one.cost_nano / 1e9;
  return dollars > 0 ? Math.round((one.quality * queries) / dollars).toLocaleString("en-US") : "–";
}

const STILL = "Move a slider: the same queries are decided again as if that were in force.";

function Words({ replayed, changed, fresh }: { replayed: Replayed | null; changed: boolean; fresh: boolean }) {
  return (
    <p class="words" aria-live="polite" aria-busy={!fresh}>
      {!changed ? STILL : fresh && replayed ? inWords(replayed) : fresh ? "" : "Replaying…"}
    </p>
  );
}

function WriteButton({ proposal, changed }: { proposal: Proposal; changed: boolean }) {
  const [written, setWritten] = useState<Written | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const write = () => {
    setBusy(true);
    setProblem("");
    post<Written>("/trade-off/write", proposal)
      .then(setWritten)
      .catch((error: Error) => setProblem(error.message))
      .finally(() => setBusy(false));
  };
  const title = mayChange.value ? undefined : READ_ONLY;
  return (
    <div class="write">
      <Button kind="primary" disabled={!changed || !mayChange.value || busy} title={title} onClick={write}>
        {busy ? "Writing…" : "Write the change for review"}
      </Button>
      <p class="soft small">
        {mayChange.value ? "Into a file beside the configuration, which stays as it is." : READ_ONLY}
      </p>
      {problem && <Notice tone="bad">{problem}</Notice>}
      {written && (
        <Dialog title="The change, for review" wide onClose={() => setWritten(null)}>
          <WrittenChange written={written} />
          <div class="dialog-foot">
            <Button kind="primary" onClick={() => setWritten(null)}>
              Done
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
