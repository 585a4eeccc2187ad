// Virtual keys: who may ask, for which models, within which budget. Secrets are shown once, when they are made.
import { useState } from "preact/hooks";
import { del, get } from "../api";
import { READ_ONLY } from "../changes";
import * as format from "../format";
import { clock } from "../now-store";
import { Ago, Button, Card, type Column, Dialog, Empty, Failed, Loading, Meter, Page, say, Table, Tag } from "../parts";
import { mayChange } from "../session";
import type { Key } from "../types";
import { useData } from "../use";
import { NewKey } from "./keys/new-key";
import "./keys/keys.css";

export default function KeysPage() {
  const { data, error, reload } = useData("keys", (signal) => get<{ keys: Key[] }>("/keys", signal));
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Key | null>(null);
  const changes = mayChange.value;
  const [all, setAll] = useState(false);
  const keys = [...(data?.keys ?? [])].sort((a, b) => Number(isOver(a)) - Number(isOver(b)));
  const shown = all ? keys : keys.filter((one) => !isOver(one) || !one.id.startsWith(ONBOARDING));
  const make = (
    <Button kind="primary" disabled={!changes} title={changes ? undefined : READ_ONLY} onClick={() => setMaking(true)}>
      New key
    </Button>
  );
  return (
    <Page
      title="Keys"
      note="Clients sign in with these. Each may have models, limits and a budget of its own."
      aside={make}
    >
      {data ? (
        <Card flush>
          <Table
            label="Virtual keys, live ones first"
            columns={columns(setEnding)}
            rows={shown}
            rowKey={(one) => one.id}
            empty={
              <Empty title="No virtual keys yet">
                Give each team or application a key of its own: its traffic, spending and limits are then told apart.
              </Empty>
            }
          />
          {keys.length > shown.length && (
            <p class="keys-foot">
              <Button kind="plain" little onClick={() => setAll(true)}>
                Show {format.plural(keys.length - shown.length, "key")} of past onboardings
              </Button>
            </p>
          )}
        </Card>
      ) : error ? (
        <Failed error={error} again={reload} />
      ) : (
        <Loading />
      )}
      {making && <NewKey onClose={() => setMaking(false)} onMade={reload} />}
      {ending && <Revoke of={ending} onClose={() => setEnding(null)} onDone={reload} />}
    </Page>
  );
}

type State = "live" | "expired" | "revoked";
function stateOf(key: Key): State {
  if (key.revoked_s !== null) return "revoked";
  return key.expires_s !== null && key.expires_s <= clock.peek() ? "expired" : "live";
}

const isOver = (key: Key): boolean => stateOf(key) !== "live";
const ONBOARDING = "onboard-"; // how keys of onboardings begin; each lives as long as its onboarding

const limits = (key: Key): string =>
  [
    key.requests_per_minute !== null && `${format.short(key.requests_per_minute)} requests/min`,
    key.tokens_per_minute !== null && `${format.short(key.tokens_per_minute)} tokens/min`,
  ]
    .filter(Boolean)
    .join(", ") || "none";

const columns = (revoke: (key: Key) => void): readonly Column<Key>[] => [
  {
    id: "id",
    head: "Key",
    by: (one) => one.id,
    cell: (one) => (
      <span class="row key-id">
        <strong>{one.id}</strong>
        {one.tags.map((tag) => (
          <Tag key={tag}>{tag}</Tag>
        ))}
      </span>
    ),
  },
  {
    id: "state",
    head: "State",
    by: stateOf,
    cell: (one) => <Tag tone={stateOf(one) === "live" ? "good" : "plain"}>{stateOf(one)}</Tag>,
  },
  { id: "models", head: "Models", from: 720, cell: (one) => (one.models.length ? one.models.join(", ") : "all") },
  { id: "limits", head: "Limits", from: 860, cell: limits },
  {
    id: "budget",
    head: "Budget left",
    from: 420,
    by: (one) => one.fund?.remaining ?? null,
    cell: (one) => <BudgetCell of={one} />,
  },
  { id: "created", head: "Made", from: 640, by: (one) => one.created_s, cell: (one) => <Ago at_s={one.created_s} /> },
  {
    id: "ends",
    head: "Ends",
    from: 960,
    by: (one) => one.revoked_s ?? one.expires_s,
    cell: (one) =>
      (one.revoked_s ?? one.expires_s) === null ? (
        <span class="soft">never</span>
      ) : (
        <Ago at_s={one.revoked_s ?? one.expires_s} />
      ),
  },
  {
    id: "act",
    head: <span class="sr">Actions</span>,
    cell: (one) =>
      stateOf(one) === "live" && (
        <Button
          little
          kind="danger"
          disabled={!mayChange.value}
          title={mayChange.value ? undefined : READ_ONLY}
          aria-label={`Revoke ${one.id}`}
          onClick={() => revoke(one)}
        >
          Revoke
        </Button>
      ),
  },
];

function BudgetCell({ of }: { of: Key }) {
  if (!of.fund) return <span class="soft">{of.budget_usd === null ? "none" : `$${of.budget_usd}`}</span>;
  const { remaining, amount, unit, window, name } = of.fund;
  return (
    <span class="budget" title={window}>
      <Meter share={amount ? remaining / amount : 0} label={`Remaining of ${name}`} />
      <span class="tabular nowrap">
        {format.amount(remaining, unit)} <span class="soft">of {format.amount(amount, unit)}</span>
      </span>
    </span>
  );
}

function Revoke({ of, onClose, onDone }: { of: Key; onClose: () => void; onDone: () => void }) {
  const [problem, setProblem] = useState("");
  const send = () =>
    del(`/keys/${encodeURIComponent(of.id)}`)
      .then(() => {
        say(`${of.id} is revoked.`);
        onDone();
        onClose();
      })
      .catch((error: Error) => setProblem(error.message));
  return (
    <Dialog title={`Revoke ${of.id}?`} onClose={onClose}>
      <p>
        Requests with this key are refused within a second. A key can't be brought back; its entries stay in the books.
      </p>
      {problem && (
        <p class="bad" role="alert">
          {problem}
        </p>
      )}
      <div class="dialog-foot">
        <Button onClick={onClose}>Keep it</Button>
        <Button kind="danger" onClick={send}>
          Revoke
        </Button>
      </div>
    </Dialog>
  );
}
