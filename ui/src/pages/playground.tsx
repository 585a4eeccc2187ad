// Type a prompt, see where it would go and what it would cost, before anything is spent; then send it.
import { useMemo, useState } from "preact/hooks";
import { ApiError, post } from "../api";
import { READ_ONLY } from "../changes";
import { number, plural } from "../format";
import { Button, Card, Empty, Failed, Field, Loading, Page, Select } from "../parts";
import { mayChange } from "../session";
import type { Routed } from "../types";
import { useData, useSettled } from "../use";
import { loadModels } from "./models/known";
import { AnswerCard, useAnswer } from "./playground/answer";
import { Reasons, Verdict } from "./playground/routed";
import "./playground/playground.css";

const PAUSE_MS = 300; // in typing
const AUTO = "auto";
const EXAMPLES = [
  "What is the capital of Australia?",
  "Prove that there are infinitely many primes.",
  "Write a Python function that merges two sorted lists, with tests.",
] as const;

export default function PlaygroundPage() {
  const [prompt, setPrompt] = useState("");
  const [model, setModel] = useState(AUTO);
  const answer = useAnswer();
  const settled = useSettled(prompt.trim(), PAUSE_MS);
  const routed = useData<Routed | null>(`${model} ${settled}`, (signal) => route(settled, model, signal));
  const fresh = settled === prompt.trim() && !routed.loading;
  const shown = settled && !routed.error ? routed.data : null;
  const send = () => {
    if (mayChange.value && prompt.trim() && !answer.busy) answer.send(prompt, model);
  };
  return (
    <Page title="Playground" note="Nothing is spent until you send.">
      <div class="playground">
        <Card class="ask">
          <Asked prompt={prompt} setPrompt={setPrompt} model={model} setModel={setModel} send={send} />
          <div class="row">
            <Button
              kind="primary"
              disabled={!mayChange.value || !prompt.trim() || answer.busy}
              title={mayChange.value ? undefined : READ_ONLY}
              onClick={send}
            >
              {answer.busy ? "Answering…" : "Send"}
            </Button>
            <span class="soft small">{mayChange.value ? <Keys /> : READ_ONLY}</span>
            {shown && <span class="push soft small">{tokensOf(shown)}</span>}
          </div>
        </Card>
        <div class="stack">
          {!settled && !prompt && <Examples choose={setPrompt} />}
          {settled && routed.error && <Refused error={routed.error} again={routed.reload} />}
          {settled && !routed.data && !routed.error && <Loading what="Routing" />}
          {shown && <Verdict routed={shown} asked={model} fresh={fresh} />}
          <AnswerCard {...answer} />
        </div>
      </div>
      {shown && <Reasons routed={shown} fresh={fresh} />}
    </Page>
  );
}

const route = (prompt: string, model: string, signal: AbortSignal): Promise<Routed | null> =>
  prompt ? post<Routed>("/route", { prompt, model }, signal) : Promise.resolve(null);

const tokensOf = (routed: Routed): string => `about ${plural(Math.round(routed.input_tokens), "token")}`;

const Keys = () => (
  <>
    <kbd>Ctrl</kbd> <kbd>Enter</kbd>
  </>
);

interface AskedProps {
  prompt: string;
  setPrompt: (text: string) => void;
  model: string;
  setModel: (model: string) => void;
  send: () => void;
}

function Asked({ prompt, setPrompt, model, setModel, send }: AskedProps) {
  const models = useData("models", namesOf);
  const options = useMemo(
    () => [[AUTO, "auto: let the router choose"] as const, ...(models.data ?? []).map((id) => [id, id] as const)],
    [models.data],
  );
  return (
    <>
      <Field label="Prompt">
        {(ids) => (
          <textarea
            {...ids}
            class="input"
            rows={8}
            value={prompt}
            placeholder="Type a prompt; where it would go is worked out as you type."
            onInput={(event) => setPrompt(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
              event.preventDefault();
              send();
            }}
          />
        )}
      </Field>
      <Field label="Model">{(ids) => <Select {...ids} value={model} options={options} onChange={setModel} />}</Field>
    </>
  );
}

async function namesOf(signal: AbortSignal): Promise<string[]> {
  const { models } = await loadModels(signal);
  return models.filter((one) => one.duty !== "retired").map((one) => one.id);
}

const Examples = ({ choose }: { choose: (prompt: string) => void }) => (
  <Card>
    <Empty title="Where would it go?">
      Every model that may answer is shown with its estimated quality, what it would be charged at the funds' prices of
      this moment, and why it would or wouldn't be taken.
    </Empty>
    <ul class="examples">
      {EXAMPLES.map((one) => (
        <li key={one}>
          <Button little onClick={() => choose(one)}>
            {one}
          </Button>
        </li>
      ))}
    </ul>
  </Card>
);

/** A refusal is an answer too: nobody can be asked this, and why. */
function Refused({ error, again }: { error: Error; again: () => void }) {
  const refused = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 404;
  if (!refused) return <Failed error={error} again={again} />;
  return (
    <Card>
      <Empty title={`It would be refused (status ${number(error.status)})`}>{error.message}</Empty>
    </Card>
  );
}
