// The books: where every fund stands, every entry, and the audit that folds them all.
import { useEffect, useState } from "preact/hooks";
import { get, post, query } from "../api";
import * as format from "../format";
import { now } from "../now-store";
import { Button, Card, type Column, Empty, Failed, Loading, Meter, Notice, Page, Select, Table, Tag } from "../parts";
import { place, search } from "../router";
import { session } from "../session";
import type { Audit, Entries as EntriesPage, Entry, Fund } from "../types";
import { useLive } from "../use";
import { Entries } from "./ledger/entries";
import { nameOf, STATES } from "./now/states";
import "./ledger/ledger.css";

export default function LedgerPage() {
  return (
    <Page title="Ledger" note="Money is held before a query goes, then posted or given back." aside={<AuditButton />}>
      <FundsTable />
      <EntriesCard />
    </Page>
  );
}

function AuditButton() {
  const [found, setFound] = useState<Audit | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const admin = session.value?.role === "admin";
  const run = () => {
    setBusy(true);
    setProblem("");
    post<Audit>("/audit")
      .then(setFound)
      .catch((error: Error) => setProblem(error.message))
      .finally(() => setBusy(false));
  };
  return (
    <>
      <span role="status" class="audit">
        {problem && <span class="bad">{problem}</span>}
        {found && (
          <>
            <Tag tone={found.ok ? "good" : "bad"}>{found.ok ? "balanced" : "doesn't balance"}</Tag>{" "}
            <span class="soft small">
              {format.plural(found.entries, "entry", "entries")} in {format.seconds(found.took_s)}
            </span>
          </>
        )}
      </span>
      <Button disabled={busy || !admin} title={admin ? undefined : "Needs the master key."} onClick={run}>
        {busy ? "Auditing…" : "Audit"}
      </Button>
      {found?.problems.map((one) => (
        <Notice key={one} tone="bad">
          {one}
        </Notice>
      ))}
    </>
  );
}

/** An amount beside one that has its unit; a dash for none. */
const bare = (value: number, fund: Fund): preact.ComponentChildren => {
  if (!value) return <span class="soft">–</span>;
  return fund.unit === "usd" ? format.money(value) : format.short(value);
};

const share = (fund: Fund) => (fund.amount ? fund.remaining / fund.amount : 0);

const Clip = ({ text }: { text: string }) => (
  <span class="clip" title={text}>
    {text}
  </span>
);

const FUNDS: readonly Column<Fund>[] = [
  {
    id: "name",
    head: "Fund",
    cell: (one) => <span class="fund-name">{nameOf(one.name)}</span>,
    by: (one) => nameOf(one.name),
  },
  { id: "draws", head: "Drawn on by", from: 1240, cell: (one) => <Clip text={one.draws} /> },
  { id: "window", head: "Window", from: 760, cell: (one) => <Clip text={one.window} /> },
  { id: "amount", head: "Amount", num: true, from: 520, cell: (one) => format.amount(one.amount, one.unit) },
  { id: "spent", head: "Spent", num: true, cell: (one) => bare(one.spent, one) },
  { id: "held", head: "Held", num: true, from: 640, cell: (one) => bare(one.held, one) },
  { id: "remaining", head: "Remaining", num: true, cell: (one) => bare(one.remaining, one) },
  {
    id: "share",
    head: "Left",
    from: 420,
    by: share,
    cell: (one) => (
      <span class="fund-share" title={format.percent(share(one), 1)}>
        <Meter share={share(one)} label={`Remaining of ${nameOf(one.name)}`} />
      </span>
    ),
  },
  {
    id: "overrun",
    head: "Overrun",
    title: "What receipts took beyond what was held",
    num: true,
    from: 1000,
    by: (one) => one.overrun,
    cell: (one) => <span class="bad">{bare(one.overrun, one)}</span>,
  },
  {
    id: "price",
    head: "Price",
    title: "What one more unit would be worth: quality per dollar, per million tokens, per thousand requests",
    num: true,
    from: 1000,
    cell: (one) => format.price(one.price, one.unit),
  },
  {
    id: "state",
    head: "State",
    from: 560,
    by: (one) => one.state,
    cell: (one) => <Tag tone={STATES[one.state][0]}>{STATES[one.state][1]}</Tag>,
  },
];
const FEW = 12;

function FundsTable() {
  const [all, setAll] = useState(false);
  const have = now.value;
  if (!have) return <Loading />;
  const rows = all ? have.funds : have.funds.slice(0, FEW);
  return (
    <Card
      flush
      title="Funds"
      note={have.funds.length ? String(have.funds.length) : ""}
      aside={
        have.funds.length > rows.length && (
          <Button kind="plain" little onClick={() => setAll(true)}>
            Show all
          </Button>
        )
      }
    >
      <Table
        label="Every fund with its balance"
        columns={have.funds.some((one) => one.overrun) ? FUNDS : FUNDS.filter((one) => one.id !== "overrun")}
        rows={rows}
        rowKey={(one) => one.name}
        empty={
          <Empty title="No funds are set">Nothing limits what is spent, and nothing is booked against a limit.</Empty>
        }
      />
    </Card>
  );
}

const PAGE = 200;
const EVERY = 3; // pulses between two looks for new entries

interface Kept extends EntriesPage {
  key: string;
}

function EntriesCard() {
  const fund = place.value.search.get("fund") ?? "";
  const kind = place.value.search.get("kind") ?? "";
  const key = `${fund}\n${kind}`;
  const [kept, setKept] = useState<Kept | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const ask = (before: number | null) => get<EntriesPage>(`/entries${query({ fund, kind, before, limit: PAGE })}`);

  useEffect(() => {
    let late = false;
    ask(null)
      .then((page) => {
        if (late) return;
        setKept((was) => ({ ...page, ...merged(was?.key === key ? was : null, page), key }));
        setError(null);
      })
      .catch((problem: Error) => !late && setError(problem));
    return () => {
      late = true;
    };
  }, [key, Math.floor(turn / EVERY)]);
  useLive("pulse", () => setTurn((was) => was + 1));

  const more = () => {
    if (kept?.next === null || kept === null) return;
    ask(kept.next)
      .then((page) =>
        setKept((was) =>
          was?.next === kept.next ? { ...was, rows: [...was.rows, ...page.rows], next: page.next } : was,
        ),
      )
      .catch(setError);
  };
  const options = (any: string, values: string[]) =>
    [["", any], ...values.map((one) => [one, nameOf(one)])] as [string, string][];
  const ready = kept?.key === key ? kept : null;
  return (
    <Card
      flush
      class="entries"
      title="Entries"
      aside={
        <>
          <Select
            aria-label="Fund"
            value={fund}
            options={options("Any fund", kept?.funds ?? [])}
            onChange={(value) => search({ fund: value || null })}
          />
          <Select
            aria-label="Kind"
            value={kind}
            options={options("Any kind", kept?.kinds ?? [])}
            onChange={(value) => search({ kind: value || null })}
          />
        </>
      }
    >
      {error && !ready ? (
        <Failed error={error} again={() => setTurn((was) => was + EVERY)} />
      ) : !ready ? (
        <Loading />
      ) : ready.rows.length ? (
        <div class="entries-box">
          <Entries rows={ready.rows} onEnd={more} />
        </div>
      ) : (
        <Empty title={fund || kind ? "No entry passes these filters" : "No entries yet"}>
          {!fund && !kind && "A query that draws on a fund books a hold here, and then how it ended."}
        </Empty>
      )}
    </Card>
  );
}

/** New entries above those that are here; where some may lie between them, the new page alone. */
function merged(was: Kept | null, page: EntriesPage): { rows: Entry[]; next: number | null } {
  const newest = was?.rows[0]?.number;
  if (!was || newest === undefined || (page.rows.at(-1)?.number ?? 0) > newest) return page;
  return { rows: [...page.rows.filter((one) => one.number > newest), ...was.rows], next: was.next };
}
