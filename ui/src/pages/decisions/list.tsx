import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import * as format from "../../format";
import { clock } from "../../now-store";
import { Button, type Column, Empty, Failed, Loading, Model, Page, Select, Table, Tag, type Tone } from "../../parts";
import type { Row } from "../../types";
import { useNarrow, useSettled } from "../../use";
import { clearFilters, type Filters, filtersOf, keyOf, OUTCOMES, SCORED, setFilter } from "./filters";
import { busy, held, kept, letIn, more, place, problem, show, waiting } from "./rows";

const OUTCOME_TAGS: Record<Row["outcome"], [tone: Tone, word: string]> = {
  served: ["good", "served"],
  refused: ["warn", "refused"],
  upstream_failed: ["bad", "failed"],
  client_gone: ["plain", "client gone"],
};

/** What is out of the ordinary has a colour; that a query was served is plain text. */
const OutcomeText = ({ row }: { row: Row }) =>
  row.outcome === "served" ? <span class="soft">served</span> : <OutcomeTag row={row} />;

export const OutcomeTag = ({ row }: { row: Row }) => {
  const [tone, word] = OUTCOME_TAGS[row.outcome];
  return (
    <Tag tone={tone} title={`status ${row.status}`}>
      {word}
    </Tag>
  );
};

const COLUMNS: readonly Column<Row>[] = [
  {
    id: "at",
    head: "Time",
    width: 5.5,
    cell: (row) => (
      <time dateTime={new Date(row.at_s * 1000).toISOString()} title={format.whole(row.at_s)} class="tabular">
        {format.moment(row.at_s, clock.peek())}
      </time>
    ),
  },
  {
    id: "model",
    head: "Model",
    cell: (row) => (row.model ? <Model id={row.model} short /> : <span class="soft">none</span>),
  },
  { id: "asked", head: "Asked for", width: 5.5, from: 820, cell: (row) => <span title={row.asked}>{row.asked}</span> },
  { id: "key", head: "Key", width: 7, from: 680, cell: (row) => <span title={row.key_id}>{row.key_id || "–"}</span> },
  { id: "outcome", head: "Outcome", width: 5.75, from: 420, cell: (row) => <OutcomeText row={row} /> },
  {
    id: "reason",
    head: "Reason",
    width: 6.5,
    from: 1000,
    cell: (row) => (
      <span class={row.reason === "best" ? "soft" : ""} title={row.reason}>
        {row.reason}
      </span>
    ),
  },
  {
    id: "tokens",
    head: "Tokens",
    title: "Input and output tokens",
    num: true,
    width: 6.75,
    from: 900,
    cell: (row) =>
      row.input_tokens === null ? "–" : `${format.short(row.input_tokens)} → ${format.short(row.output_tokens)}`,
  },
  { id: "cost", head: "Cost", num: true, width: 6.25, cell: (row) => format.money(row.cost_nano) },
  {
    id: "quality",
    head: "Estimate",
    title: "Estimated quality of the model that served",
    num: true,
    width: 4.75,
    from: 620,
    cell: (row) => format.score(row.quality, 2),
  },
  {
    id: "feedback",
    head: "Score",
    title: "Feedback",
    num: true,
    width: 3.75,
    from: 780,
    cell: (row) => format.score(row.feedback, 2),
  },
  {
    id: "runner",
    head: "Runner-up",
    from: 1300,
    cell: (row) => (row.runner_up ? <Model id={row.runner_up} short /> : <span class="soft">–</span>),
  },
  {
    id: "hops",
    head: "Hops",
    num: true,
    width: 3.25,
    from: 1100,
    cell: (row) => (row.hops > 1 ? <strong class="warn">{row.hops}</strong> : row.hops),
  },
  {
    id: "total",
    head: "Total",
    title: "From request to the end of the answer",
    num: true,
    width: 4.75,
    from: 540,
    cell: (row) => format.ms(row.total_ms),
  },
  {
    id: "overhead",
    head: "Overhead",
    title: "What the gateway itself added",
    num: true,
    width: 5.25,
    from: 1150,
    cell: (row) => format.ms(row.overhead_ms),
  },
];

/** On a phone there is no column for outcomes: what wasn't served says so instead of its cost. */
const PHONE = COLUMNS.map((column) =>
  column.id === "cost"
    ? {
        ...column,
        cell: (row: Row) => (row.outcome === "served" ? format.money(row.cost_nano) : <OutcomeTag row={row} />),
      }
    : column,
);

/** The table under its filters. New rows come in on top, unless one looks closer or has paused it. */
export function List({ search }: { search: URLSearchParams }) {
  const filters = useMemo(() => filtersOf(search), [search.toString()]);
  const phone = useNarrow(460);
  const [paused, setPaused] = useState(false);
  const [over, setOver] = useState(false);
  const [top, setTop] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const have = kept.value;
  const stands = have?.key === keyOf(filters);

  useEffect(() => void show(filters), [filters, have === null]);
  const hold = paused || over || !top;
  useEffect(() => {
    held.value = hold;
    if (!hold) letIn();
    return () => {
      held.value = false;
    };
  }, [hold]);
  useScrollKept(box, stands);

  const toTop = () => {
    box.current?.querySelector(".scroll")?.scrollTo({ top: 0 });
    letIn();
  };
  const coming = waiting.value.rows.length;
  return (
    <Page
      title="Decisions"
      fill
      aside={
        <Button aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? "Paused: go on" : "Pause"}
        </Button>
      }
    >
      <FilterBar filters={filters} />
      <div
        ref={box}
        class="card flush decisions"
        onPointerEnter={(event) => event.pointerType === "mouse" && setOver(true)}
        onPointerLeave={() => setOver(false)}
      >
        {coming > 0 && (
          <button type="button" class="button primary little fresh" onClick={toTop}>
            {format.number(coming)}
            {waiting.value.gap ? "+" : ""} new
          </button>
        )}
        {stands && have ? (
          <Table
            label="Decisions, newest first"
            columns={phone ? PHONE : COLUMNS}
            rows={have.rows}
            rowKey={(row) => row.number}
            href={(row) => `/ui/decisions/${row.decision_id}`}
            height="100%"
            onEnd={() => void more()}
            onTop={setTop}
            empty={<Nothing filters={filters} more={have.next !== null} />}
          />
        ) : problem.value ? (
          <Failed error={problem.value} again={() => void show(filters, true)} />
        ) : (
          <Loading />
        )}
      </div>
      <p class="soft small decisions-foot" role="status">
        {stands && have && (
          <>
            {format.plural(have.rows.length, "decision")} loaded
            {have.next === null ? ", all there are" : ""}
            {busy.value ? "; loading more…" : ""}
            {hold && !paused && coming > 0 ? "; new ones wait while you look" : ""}
          </>
        )}
        {stands && problem.value && <span class="bad"> {problem.value.message}</span>}
      </p>
    </Page>
  );
}

/** Keeps where the table is scrolled to while one is away from it. */
function useScrollKept(box: { current: HTMLDivElement | null }, ready: boolean): void {
  useEffect(() => {
    const scroll = box.current?.querySelector(".scroll");
    if (!ready || !scroll) return;
    scroll.scrollTop = place.top;
    const keep = () => {
      place.top = scroll.scrollTop;
    };
    scroll.addEventListener("scroll", keep, { passive: true });
    return () => scroll.removeEventListener("scroll", keep);
  }, [ready]);
}

function Nothing({ filters, more: further }: { filters: Filters; more: boolean }) {
  const filtered = Object.keys(filters).length > 0;
  return (
    <Empty title={filtered ? "No decision passes these filters" : "No decisions yet"}>
      {filtered ? (
        <>
          {further && "Not all of the journal has been looked through. "}
          <Button onClick={clearFilters}>Clear filters</Button>
          {further && (
            <Button kind="plain" onClick={() => void more()}>
              Look further back
            </Button>
          )}
        </>
      ) : (
        "Each query that this gateway routes appears here as it ends."
      )}
    </Empty>
  );
}

const optionsOf = (any: string, values: readonly string[], chosen: string | undefined) =>
  [
    ["", any],
    ...(chosen && !values.includes(chosen) ? [[chosen, chosen]] : []),
    ...values.map((one) => [one, one]),
  ] as [string, string][];

function FilterBar({ filters }: { filters: Filters }) {
  const have = kept.value;
  const [text, setText] = useState(filters.text ?? "");
  const [least, setLeast] = useState(filters.least_cost_nano ? String(Number(filters.least_cost_nano) / 1e9) : "");
  const settled = useSettled(text.trim(), 250);
  const cost = useSettled(least, 400);
  const first = useRef(true);
  // the address may change under the fields: filters cleared, or one went back
  useEffect(() => setText((was) => (was.trim() === (filters.text ?? "") ? was : (filters.text ?? ""))), [filters.text]);
  useEffect(() => {
    if (!filters.least_cost_nano) setLeast("");
  }, [filters.least_cost_nano]);
  useEffect(() => {
    if (first.current) return;
    setFilter("text", settled);
  }, [settled]);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const dollars = Number(cost);
    setFilter("least_cost_nano", dollars > 0 ? String(Math.round(dollars * 1e9)) : "");
  }, [cost]);
  const choice = (name: keyof Filters, label: string, options: readonly (readonly [string, string])[]) => (
    <Select
      aria-label={label}
      value={filters[name] ?? ""}
      options={options}
      onChange={(value) => setFilter(name, value)}
    />
  );
  return (
    <search class="filters">
      <input
        class="input filter-text"
        type="search"
        data-search=""
        aria-label="Search by id, key, model, reason or what was asked for"
        placeholder="Search id, key, model, reason"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {choice("model", "Model", optionsOf("Any model", have?.models ?? [], filters.model))}
      {choice("key", "Key", optionsOf("Any key", have?.keys ?? [], filters.key))}
      {choice("outcome", "Outcome", OUTCOMES)}
      {choice("reason", "Reason", optionsOf("Any reason", have?.reasons ?? [], filters.reason))}
      {choice("scored", "Feedback", SCORED)}
      <input
        class="input filter-cost"
        inputMode="decimal"
        aria-label="Least cost in dollars"
        placeholder="Least cost, $"
        value={least}
        onInput={(event) => setLeast(event.currentTarget.value)}
      />
      {Object.keys(filters).length > 0 && (
        <Button
          kind="plain"
          onClick={() => {
            setText("");
            setLeast("");
            clearFilters();
          }}
        >
          Clear
        </Button>
      )}
    </search>
  );
}
