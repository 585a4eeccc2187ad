// Whether this session may change anything: off until it is asked for, with the master key where there is one.
import { useState } from "preact/hooks";
import { Button, Dialog, Field, say, Tag } from "./parts";
import { session, signIn } from "./session";

/** Says what the session may do, and switches changes on or off. */
export function ChangesSwitch() {
  const [asking, setAsking] = useState(false);
  const who = session.value;
  if (!who) return null;
  const set = (changes: boolean, key = "") => signIn(key, changes);
  const flip = () => {
    if (!who.changes && who.needs_key) setAsking(true);
    else set(!who.changes).catch((error: Error) => (who.needs_key ? setAsking(true) : say(error.message)));
  };
  return (
    <div class="row between">
      <span class="soft small">{who.role === "admin" ? "Admin" : "Viewer"}</span>
      {who.role === "admin" ? (
        <button type="button" class="button plain little" aria-pressed={who.changes} onClick={flip}>
          <Tag tone={who.changes ? "warn" : "plain"}>{who.changes ? "Changes on" : "Read-only"}</Tag>
        </button>
      ) : (
        <Tag>Read-only</Tag>
      )}
      {asking && <Ask changes={!who.changes} set={set} onClose={() => setAsking(false)} />}
    </div>
  );
}

function Ask({
  changes,
  set,
  onClose,
}: {
  changes: boolean;
  set: (changes: boolean, key: string) => Promise<void>;
  onClose: () => void;
}) {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState("");
  const send = (event: Event) => {
    event.preventDefault();
    set(changes, key)
      .then(onClose)
      .catch((error: Error) => setProblem(error.message));
  };
  return (
    <Dialog title={changes ? "Allow changes in this session" : "Make this session read-only"} onClose={onClose}>
      <form class="stack" onSubmit={send}>
        <p class="soft">
          {changes
            ? "Onboarding models, issuing keys, acknowledging alarms, sending prompts and writing proposed configurations become possible here. Nothing is changed until you do it."
            : "Nothing can be changed from here any more."}
        </p>
        <Field label="Master key" problem={problem}>
          {(ids) => (
            <input
              {...ids}
              class="input"
              type="password"
              autocomplete="current-password"
              required
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
          )}
        </Field>
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit">
            {changes ? "Allow changes" : "Make read-only"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Why a control is off in a session that may change nothing; for a `title`. */
export const READ_ONLY = "This session is read-only. Allow changes at the foot of the navigation.";
