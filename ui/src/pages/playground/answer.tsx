// Sending, and the answer as it comes: text, then what it cost and the way to its decision.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, request } from "../../api";
import { money, ms } from "../../format";
import { Button, Card, Model, Notice } from "../../parts";
import type { Opened } from "../../types";
import { readAnswer, type Told } from "./stream";

export interface Answer {
  text: string;
  model: string | null;
  decision_id: string | null;
  cost_nano: number | null;
  first_ms: number | null; // until the first text came
  total_ms: number | null; // null while it comes
  finish: string | null;
  error: string | null;
}

const NOTHING: Answer = {
  text: "",
  model: null,
  decision_id: null,
  cost_nano: null,
  first_ms: null,
  total_ms: null,
  finish: null,
  error: null,
};

export interface Sending {
  answer: Answer | null;
  busy: boolean;
  send: (prompt: string, model: string) => void;
  stop: () => void;
}

/** An answer with one more part of its stream. */
export function added(was: Answer, part: Told, passed_ms: number): Answer {
  return {
    ...was,
    text: was.text + part.text,
    model: part.model ?? was.model,
    cost_nano: part.cost_nano ?? was.cost_nano,
    first_ms: was.first_ms ?? (part.text ? passed_ms : null),
    finish: part.finish ?? was.finish,
    error: part.error ?? was.error,
  };
}

export function useAnswer(): Sending {
  const [answer, set] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const going = useRef<AbortController | null>(null);
  const send = (prompt: string, model: string) => {
    const stop = new AbortController();
    going.current = stop;
    setBusy(true);
    set(NOTHING);
    converse(prompt, model, stop.signal, (change) => set((was) => change(was ?? NOTHING))).finally(() =>
      setBusy(false),
    );
  };
  return { answer, busy, send, stop: () => going.current?.abort() };
}

type Change = (change: (was: Answer) => Answer) => void;

async function converse(prompt: string, model: string, signal: AbortSignal, tell: Change): Promise<void> {
  const began = performance.now();
  const passed = (): number => performance.now() - began;
  let id: string | null = null;
  try {
    const body = JSON.stringify({ prompt, model });
    const stream = await request("/send", { method: "POST", body, signal });
    id = stream.headers.get("x-pointsman-decision-id");
    tell((was) => ({ ...was, model: stream.headers.get("x-pointsman-model"), decision_id: id }));
    await readAnswer(stream, (part) => tell((was) => added(was, part, passed())));
  } catch (error) {
    const said = signal.aborted ? "Stopped. What had come by then was paid for." : (error as Error).message;
    tell((was) => ({ ...was, error: said }));
  }
  tell((was) => ({ ...was, total_ms: passed() }));
  if (id) await addCost(id, tell);
}

// The journal knows what it cost where the stream didn't say; it may be a moment behind.
async function addCost(id: string, tell: Change): Promise<void> {
  await new Promise((done) => window.setTimeout(done, 400));
  const opened = await get<Opened>(`/decisions/${encodeURIComponent(id)}`).catch(() => null);
  if (opened) tell((was) => ({ ...was, cost_nano: was.cost_nano ?? opened.row.cost_nano }));
}

export function AnswerCard({ answer, busy, stop }: Sending) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (busy) place.current?.scrollIntoView({ block: "nearest" });
  }, [busy]);
  if (!answer) return null;
  const halt = busy && (
    <Button little onClick={stop}>
      Stop
    </Button>
  );
  return (
    <div ref={place} class="answer-place">
      <Card title="Answer" note={answer.model ? <Model id={answer.model} /> : ""} aside={halt}>
        <section class="answer" tabIndex={0} aria-label="Text of the answer" aria-live="polite" aria-busy={busy}>
          <Text text={answer.text} />
          {busy && <i class="caret" aria-hidden="true" />}
        </section>
        {answer.error && <Notice tone="bad">{answer.error}</Notice>}
        {answer.finish === "length" && <p class="soft small">Cut off at the most tokens that an answer may have.</p>}
        <Figures answer={answer} />
      </Card>
    </div>
  );
}

/** Text as it was written, with what stands between fences as code. */
function Text({ text }: { text: string }) {
  return (
    <>{blocksOf(text).map((one, k) => (one.code ? <pre key={k}>{one.text}</pre> : <span key={k}>{one.text}</span>))}</>
  );
}

export function blocksOf(text: string): { code: boolean; text: string }[] {
  const parts = text.split(/^```.*\n?/m);
  return parts
    .map((part, k) => ({ code: k % 2 === 1, text: k % 2 === 1 ? part.replace(/\n$/, "") : part }))
    .filter((one) => one.text !== "");
}

function Figures({ answer }: { answer: Answer }) {
  return (
    <p class="answer-figures tabular">
      {answer.cost_nano !== null && <span>{money(answer.cost_nano)}</span>}
      {answer.first_ms !== null && <span>first words after {ms(answer.first_ms)}</span>}
      {answer.total_ms !== null && <span>{ms(answer.total_ms)} in all</span>}
      {answer.decision_id && answer.total_ms !== null && (
        <a class="push" href={`/ui/decisions/${encodeURIComponent(answer.decision_id)}`}>
          Open the decision
        </a>
      )}
    </p>
  );
}
