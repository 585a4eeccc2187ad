// One model of the table, in full.
import { READ_ONLY } from "../../changes";
import { number, seconds, usd } from "../../format";
import { Button, Card, Model } from "../../parts";
import { mayChange } from "../../session";
import type { ModelRow } from "../../types";
import { DutyTag, HealthTag } from "./health";

const KNOWN: Record<ModelRow["known_by"], string> = {
  fitted: "fitted on its outcomes",
  placed: "placed by its likeness to known models",
  declared: "by its tier alone, as the configuration declares it",
};

interface Props {
  model: ModelRow;
  onboard: () => void;
  close: () => void;
}

export function Chosen({ model, onboard, close }: Props) {
  return (
    <Card title={<Model id={model.id} />} aside={<Acts model={model} onboard={onboard} close={close} />}>
      <dl class="facts">
        <dt>Duty</dt>
        <dd>
          <DutyTag one={model} /> {model.why}
        </dd>
        <dt>Known</dt>
        <dd>
          {KNOWN[model.known_by]}, {number(model.outcomes)} outcomes
        </dd>
        <dt>Rates</dt>
        <dd class="tabular">
          {usd(model.input_usd)} in, {usd(model.output_usd)} out, per million tokens
        </dd>
        <dt>Endpoints</dt>
        <dd>
          <HealthTag one={model} />
          <ul class="endpoints">
            {model.endpoints.map((one) => (
              <li key={one.name}>
                {one.name}
                {one.resting_s !== null && <span class="bad"> rests for {seconds(one.resting_s)} more</span>}
              </li>
            ))}
          </ul>
        </dd>
      </dl>
    </Card>
  );
}

function Acts({ model, onboard, close }: Props) {
  const off = !mayChange.value || model.duty === "retired";
  return (
    <>
      <a class="button little" href={`/ui/decisions?model=${encodeURIComponent(model.id)}`}>
        Its decisions
      </a>
      <Button little disabled={off} title={mayChange.value ? undefined : READ_ONLY} onClick={onboard}>
        {model.outcomes > 0 ? "Onboard again" : "Onboard"}
      </Button>
      <Button kind="plain" little onClick={close} aria-label="Close">
        ✕
      </Button>
    </>
  );
}
