// Asks for an onboarding: which model, for how much money, with how many probes.
import { useState } from "preact/hooks";
import { post } from "../../api";
import { Button, Dialog, Field, Select, say } from "../../parts";
import type { Id, ModelRow } from "../../types";

const DUTIES = ["waiting", "shadow", "serving"]; // in this order are they offered
const MOST_PROBES = 10_000;

/** Those that can be onboarded, the ones that wait for it first. */
export function offered(models: ModelRow[]): ModelRow[] {
  const able = models.filter((one) => one.duty !== "retired");
  return able.sort((a, b) => DUTIES.indexOf(a.duty) - DUTIES.indexOf(b.duty));
}

interface Props {
  models: ModelRow[];
  chosen: Id;
  onClose: () => void;
  begun: () => void;
}

export function OnboardDialog({ models, chosen, onClose, begun }: Props) {
  const options = offered(models);
  const [model, setModel] = useState(chosen || (options[0]?.id ?? ""));
  const [budget, setBudget] = useState("1");
  const [probes, setProbes] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const send = (event: Event) => {
    event.preventDefault();
    setBusy(true);
    post("/onboardings", { model, budget_usd: budget.trim(), ...(probes && { probes: Number(probes) }) })
      .then(() => {
        say(`Onboarding of ${model} has begun.`);
        begun();
      })
      .catch((error: Error) => {
        setProblem(error.message);
        setBusy(false);
      });
  };
  return (
    <Dialog title="Onboard a model" onClose={onClose}>
      <form class="stack" onSubmit={send}>
        <p class="soft">
          The gateway asks it probes with known answers, grades what it says and learns where to send it queries. It
          pays the model's own rates from a budget of its own.
        </p>
        <Field label="Model" hint="A new one: put it into the configuration with `duty: waiting`.">
          {(ids) => (
            <Select
              {...ids}
              value={model}
              options={options.map((one) => [one.id, `${one.id} (${one.duty})`])}
              onChange={setModel}
            />
          )}
        </Field>
        <Field label="Budget, in dollars" problem={problem}>
          {(ids) => (
            <input
              {...ids}
              class="input"
              inputMode="decimal"
              required
              pattern="\s*\d*\.?\d+\s*"
              value={budget}
              onInput={(event) => setBudget(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field
          label="Probes at most"
          hint="Left empty: as many as it takes, and it stops early where more would change nothing."
        >
          {(ids) => (
            <input
              {...ids}
              class="input"
              type="number"
              min={1}
              max={MOST_PROBES}
              value={probes}
              onInput={(event) => setProbes(event.currentTarget.value)}
            />
          )}
        </Field>
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" disabled={busy || model === ""}>
            {busy ? "Beginning…" : "Begin"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
