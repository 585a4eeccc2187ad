import { useState } from "preact/hooks";
import { post } from "../../api";
import { Button, Dialog, Field, Select, say } from "../../parts";
import type { Key } from "../../types";

const WINDOWS = [
  ["", "once, in all"],
  ['{"rolling_s":86400}', "in any 24 hours"],
  ['{"every":"day"}', "a day (UTC)"],
  ['{"every":"week"}', "a week (UTC)"],
  ['{"every":"month"}', "a month (UTC)"],
] as const;
const MONTH = WINDOWS[4][0];

const DAY_S = 86_400;
const EMPTY = {
  id: "",
  models: "",
  tags: "",
  days: "",
  budget_usd: "",
  budget_window: MONTH as string,
  requests: "",
  tokens: "",
};
type Given = typeof EMPTY;

const list = (text: string) => text.split(/[\s,]+/).filter(Boolean);

/** What is sent: only what was filled in. */
function bodyOf(given: Given): Record<string, unknown> {
  return {
    id: given.id.trim(),
    ...(given.models.trim() && { models: list(given.models) }),
    ...(given.tags.trim() && { tags: list(given.tags) }),
    ...(given.days && { expires_in_s: Math.round(Number(given.days) * DAY_S) }),
    ...(given.budget_usd && { budget_usd: given.budget_usd }),
    ...(given.budget_usd && given.budget_window && { budget_window: JSON.parse(given.budget_window) }),
    ...(given.requests && { requests_per_minute: Number(given.requests) }),
    ...(given.tokens && { tokens_per_minute: Number(given.tokens) }),
  };
}

export function NewKey({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [given, setGiven] = useState(EMPTY);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [secret, setSecret] = useState("");
  const send = (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    post<Key & { key: string }>("/keys", bodyOf(given))
      .then((made) => {
        setSecret(made.key);
        onMade();
      })
      .catch((error: Error) => setProblem(error.message))
      .finally(() => setBusy(false));
  };
  if (secret) return <Secret id={given.id} secret={secret} onClose={onClose} />;
  const text = (name: keyof Given, label: string, more: Record<string, unknown> = {}, hint = "") => (
    <Field label={label} hint={hint}>
      {(ids) => (
        <input
          {...ids}
          {...more}
          class="input"
          autocomplete="off"
          value={given[name]}
          onInput={(event) => setGiven({ ...given, [name]: event.currentTarget.value })}
        />
      )}
    </Field>
  );
  const figure = { type: "number", min: 0, step: "any" };
  return (
    <Dialog title="New key" onClose={onClose}>
      <form class="key-form" onSubmit={send}>
        {text(
          "id",
          "Name",
          { required: true, maxLength: 64 },
          "Letters, digits, dot, dash, underscore. It is never used again for another key.",
        )}
        <div class="key-pair">
          {text("models", "Models", { placeholder: "openai/*, …" }, "Empty: all of them.")}
          {text("tags", "Tags", {}, "Its queries carry them.")}
        </div>
        <div class="key-pair">
          {text("budget_usd", "Budget, $", { inputMode: "decimal" }, "Empty: none of its own.")}
          <Field label="Budget for">
            {(ids) => (
              <Select
                {...ids}
                value={given.budget_window}
                options={WINDOWS}
                onChange={(budget_window) => setGiven({ ...given, budget_window })}
              />
            )}
          </Field>
        </div>
        <div class="key-pair">
          {text("requests", "Requests a minute", figure)}
          {text("tokens", "Tokens a minute", figure)}
          {text("days", "Ends after days", figure)}
        </div>
        {problem && (
          <p class="bad" role="alert">
            {problem}
          </p>
        )}
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {busy ? "Making…" : "Make key"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Secret({ id, secret, onClose }: { id: string; secret: string; onClose: () => void }) {
  const copy = () =>
    navigator.clipboard
      .writeText(secret)
      .then(() => say("Copied."))
      .catch(() => say("The browser didn't allow copying; select the text."));
  return (
    <Dialog title={`Key ${id} is made`} onClose={onClose}>
      <p>This is its secret. It isn't kept and can't be shown again.</p>
      <p class="secret mono wrap">{secret}</p>
      <div class="dialog-foot">
        <Button onClick={copy}>Copy</Button>
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </Dialog>
  );
}
