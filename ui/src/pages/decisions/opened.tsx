// One decision: what was asked, who could have answered at what score, what it took, and what was booked.
import type { ComponentChildren } from "preact";
import { get } from "../../api";
import { Candidates } from "../../candidates";
import * as format from "../../format";
import { Ago, Button, Card, Empty, Failed, Loading, Model, Money, Page, Stat, Stats, say } from "../../parts";
import { go } from "../../router";
import type { Opened } from "../../types";
import { useData } from "../../use";
import { Entries } from "../ledger/entries";
import { OutcomeTag } from "./list";
import { Neighbours } from "./neighbours";
import { kept } from "./rows";
import { Timeline } from "./timeline";

export function OpenedDecision({ id }: { id: string }) {
  const { data, error, reload } = useData(id, (signal) => get<Opened>(`/decisions/${encodeURIComponent(id)}`, signal));
  return (
    <Page
      title="Decision"
      note={
        <>
          <span class="mono wrap">{id}</span>
          {data && (
            <>
              {" · "}
              {format.whole(data.row.at_s)} (<Ago at_s={data.row.at_s} />)
            </>
          )}
        </>
      }
      aside={<Walk id={id} />}
    >
      {data ? <Body data={data} /> : error ? <Failed error={error} again={reload} /> : <Loading />}
    </Page>
  );
}

/** To the newer and the older one of the table, and back to it. */
function Walk({ id }: { id: string }) {
  const rows = kept.value?.rows ?? [];
  const at = rows.findIndex((row) => row.decision_id === id);
  const step = (by: number, name: string) => {
    const row = at < 0 ? undefined : rows[at + by];
    return (
      <Button disabled={!row} onClick={() => row && go(`decisions/${row.decision_id}`, { replace: true })}>
        {name}
      </Button>
    );
  };
  return (
    <>
      {step(-1, "Newer")}
      {step(1, "Older")}
      <a class="button" href="/ui/decisions" onClick={back}>
        All decisions
      </a>
    </>
  );
}

// Going back keeps the filters that the table had.
function back(event: MouseEvent): void {
  if (!kept.peek() || event.metaKey || event.ctrlKey || window.history.length < 2) return;
  event.preventDefault();
  window.history.back();
}

function Body({ data }: { data: Opened }) {
  const { row } = data;
  return (
    <>
      <Figures data={data} />
      <div class="opened-top">
        <Card title="Prompt" aside={data.topic && <Topic topic={data.topic} />}>
          {data.prompt.text === null ? (
            <Empty title="The prompt can't be shown">{data.prompt.why}</Empty>
          ) : (
            <pre class="prompt" tabIndex={0}>
              {data.prompt.text}
            </pre>
          )}
        </Card>
        <Card title="Course" note={`${format.ms(row.total_ms)} in all, ${format.ms(row.overhead_ms)} of it here`}>
          <Timeline stages={data.stages} hops={data.hops} />
        </Card>
      </div>
      <Card title="Candidates" note="quality less charge is the score; the best one that every fund can pay is taken">
        {data.candidates.length ? (
          <Candidates rows={data.candidates} chosen={row.model} />
        ) : (
          <Empty title="No candidates">No model was up for this query.</Empty>
        )}
      </Card>
      <div class="opened-books">
        <Card title="Funds it drew on" note="at their prices then">
          {data.funds.length ? <Prices funds={data.funds} /> : <Empty title="None">No fund limits this query.</Empty>}
        </Card>
        <Card flush title="Booked" note="in the ledger">
          {data.entries.length ? (
            <Entries rows={data.entries} brief />
          ) : (
            <Empty title="Nothing booked">This decision has no entry in the ledger.</Empty>
          )}
        </Card>
      </div>
      <Card title="Nearest recorded prompts" note={data.neighbours.rows.length ? data.neighbours.why : ""}>
        {data.neighbours.rows.length ? (
          <Neighbours rows={data.neighbours.rows} />
        ) : (
          <Empty title="None to show">{data.neighbours.why}</Empty>
        )}
      </Card>
      <Raw raw={data.raw} />
    </>
  );
}

const Topic = ({ topic }: { topic: NonNullable<Opened["topic"]> }) => (
  <span class="soft small">
    topic {topic.number}
    {topic.label && `: ${topic.label}`} · {format.percent(topic.share)} of traffic
  </span>
);

function Figures({ data: { row } }: { data: Opened }) {
  const asked: ComponentChildren = `asked for ${row.asked}`;
  return (
    <Stats>
      <Stat
        label="Model"
        value={<span class="opened-model">{row.model ? <Model id={row.model} short /> : "none"}</span>}
        note={asked}
      />
      <Stat label="Outcome" value={<OutcomeTag row={row} />} note={row.reason} />
      <Stat label="Cost" value={<Money nano={row.cost_nano} />} note={`held ${format.money(row.held_nano)}`} />
      <Stat
        label="Quality, estimated"
        value={format.score(row.quality)}
        note={row.spread === null ? "" : `± ${format.score(row.spread)}`}
      />
      <Stat
        label="Feedback"
        value={format.score(row.feedback)}
        note={row.feedback === null ? "none yet" : "score given"}
      />
      <Stat
        label="Tokens"
        value={
          row.input_tokens === null ? "–" : `${format.short(row.input_tokens)} → ${format.short(row.output_tokens)}`
        }
        note={`${row.shape}${row.stream ? ", streamed" : ""} · key ${row.key_id || "–"}`}
      />
    </Stats>
  );
}

function Prices({ funds }: { funds: Opened["funds"] }) {
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">Fund</th>
          <th scope="col" class="num">
            Price
          </th>
          <th scope="col">Per</th>
        </tr>
      </thead>
      <tbody>
        {funds.map((one) => (
          <tr key={one.fund}>
            <td class="wrap">{one.fund}</td>
            <td class="num">{format.price(one.price, one.unit)}</td>
            <td class="soft">{format.perUnit(one.unit)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Raw({ raw }: { raw: unknown }) {
  const text = JSON.stringify(raw, null, 2);
  const copy = () =>
    navigator.clipboard
      .writeText(text)
      .then(() => say("Copied."))
      .catch(() => say("The browser didn't allow copying."));
  return (
    <details class="card raw">
      <summary>
        As <code>GET /v1/decisions/…</code> gives it
      </summary>
      <Button little onClick={copy}>
        Copy
      </Button>
      <pre class="prompt" tabIndex={0}>
        {text}
      </pre>
    </details>
  );
}
