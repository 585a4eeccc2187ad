// Entries of the ledger as a table: what was set aside, used and given back.
import * as format from "../../format";
import { clock } from "../../now-store";
import { type Column, Table, Tag, type Tone } from "../../parts";
import type { Entry } from "../../types";
import { nameOf } from "../now/states";

const TONES: Record<string, Tone> = { hold: "accent", post: "good", void: "plain", expire: "warn", correct: "warn" };

const COLUMNS: readonly Column<Entry>[] = [
  { id: "number", head: "No.", width: 5.5, num: true, from: 520, cell: (one) => String(one.number) },
  {
    id: "at",
    head: "Time",
    width: 5.5,
    cell: (one) => (
      <time dateTime={new Date(one.at_s * 1000).toISOString()} title={format.whole(one.at_s)} class="tabular">
        {format.moment(one.at_s, clock.peek())}
      </time>
    ),
  },
  { id: "kind", head: "Kind", width: 4.5, cell: (one) => <Tag tone={TONES[one.kind] ?? "plain"}>{one.kind}</Tag> },
  { id: "fund", head: "Fund", cell: (one) => <span title={one.fund}>{nameOf(one.fund)}</span> },
  { id: "amount", head: "Amount", num: true, width: 6.75, cell: (one) => format.amount(one.amount, one.unit) },
];

const MORE: readonly Column<Entry>[] = [
  {
    id: "decision",
    head: "Decision",
    width: 14,
    from: 760,
    cell: (one) =>
      one.decision_id ? (
        <a class="mono" href={`/ui/decisions/${one.decision_id}`} title={one.decision_id}>
          {one.decision_id}
        </a>
      ) : (
        <span class="soft">–</span>
      ),
  },
  { id: "note", head: "Note", from: 940, cell: (one) => <span title={one.note}>{one.note}</span> },
];

const ALL = [...COLUMNS, ...MORE];

/** `brief`: those of one decision, all of them, without naming it again. */
export function Entries({ rows, brief, onEnd }: { rows: Entry[]; brief?: boolean; onEnd?: () => void }) {
  return (
    <Table
      label="Entries of the ledger, newest first"
      columns={brief ? COLUMNS : ALL}
      rows={rows}
      rowKey={(one) => one.number}
      {...(!brief && { height: "100%" })}
      {...(onEnd && { onEnd })}
    />
  );
}
