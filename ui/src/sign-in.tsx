import { useEffect, useRef, useState } from "preact/hooks";
import { Button, Field } from "./parts";
import { session, signIn } from "./session";
import { useTitle } from "./use";

export function SignIn() {
  useTitle("Sign in");
  const [key, setKey] = useState("");
  const [changes, setChanges] = useState(false);
  const [problem, setProblem] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const [busy, setBusy] = useState(false);
  const send = (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    signIn(key.trim(), changes)
      .catch((error: Error) => setProblem(error.message))
      .finally(() => setBusy(false));
  };
  const notice = session.value?.notice;
  return (
    <main class="sign-in">
      <form class="card stack" onSubmit={send}>
        <div>
          <h1>Pointsman</h1>
          <p class="soft">{notice || "Sign in to see this gateway's traffic, funds and models."}</p>
        </div>
        <Field label="Key" hint="The dashboard key to look; the master key to see prompts too." problem={problem}>
          {(ids) => (
            <input
              {...ids}
              ref={field}
              class="input"
              type="password"
              autocomplete="current-password"
              required
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
          )}
        </Field>
        <label class="check">
          <input type="checkbox" checked={changes} onChange={(event) => setChanges(event.currentTarget.checked)} />
          <span>
            Allow changes in this session
            <br />
            <span class="soft small">Needs the master key. Without it, nothing can be changed from here.</span>
          </span>
        </label>
        <Button kind="primary" type="submit" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}
