// Where a prompt would go: the model, what it would cost, all candidates, the funds' prices, the nearest known prompts.
import { Candidates } from "../../candidates";
import { brief, percent, perUnit, price, score, usd } from "../../format";
import { Card, Model, Notice, Stat, Stats } from "../../parts";
import type { Candidate, Routed } from "../../types";
import { nameOf } from "../now/states";
import { Nearest } from "./nearest";

/** A reason as the gateway names it, in words. */
export const inWords = (reason: string): string => reason.replace(/[_-]/g, " ");

interface Props {
  routed: Routed;
  asked: string;
  fresh: boolean;
}

/** Where it would go, at a glance. */
export function Verdict({ routed, asked, fresh }: Props) {
  const chosen = routed.candidates.find((one) => one.model === routed.model);
  return (
    <Card class={fresh ? "verdict" : "verdict is-old"}>
      <p class="sr" aria-live="polite">
        {fresh && (routed.model ? `It would go to ${routed.model}` : "Nobody would answer it")}
      </p>
      {chosen ? (
        <Taken chosen={chosen} routed={routed} asked={asked} />
      ) : (
        <Notice tone="warn">Nobody would answer it: {inWords(routed.reason)}.</Notice>
      )}
      {routed.funds.length > 0 && <Prices funds={routed.funds} />}
    </Card>
  );
}

function Taken({ chosen, routed, asked }: { chosen: Candidate; routed: Routed; asked: string }) {
  const next = routed.candidates.find((one) => one.model !== chosen.model && one.score !== null);
  const lead = next?.score != null && chosen.score != null ? chosen.score - next.score : null;
  return (
    <>
      <p class="verdict-model">
        <span class="soft">{asked === "auto" ? "It would go to" : "You ask"}</span> <Model id={chosen.model} />
        <span class="soft small">{inWords(routed.reason)}</span>
      </p>
      <Stats>
        <Stat label="Expected cost" value={usd(chosen.cost_usd)} note="" />
        <Stat label="Quality" value={score(chosen.quality, 2)} note={intervalOf(chosen)} />
        <Stat label="Charge" value={score(chosen.charge, 3)} note={shareOf(chosen)} />
        <Stat label="Lead" value={score(lead, 3)} note={next ? `on ${brief(next.model)}` : ""} />
      </Stats>
    </>
  );
}

/** Why it would go there. */
export function Reasons({ routed, fresh }: { routed: Routed; fresh: boolean }) {
  return (
    <div class={fresh ? "stack" : "stack is-old"} aria-busy={!fresh}>
      <Card flush title="Candidates" note="estimated quality, less the charge">
        <Candidates rows={routed.candidates} chosen={routed.model} ahead />
      </Card>
      <Card
        flush
        title="Nearest known prompts"
        note={routed.neighbours.rows.length > 0 ? "and what models scored on them" : ""}
      >
        <Nearest {...routed.neighbours} />
      </Card>
    </div>
  );
}

const intervalOf = (one: Candidate): string =>
  one.low === null || one.high === null ? "" : `${score(one.low, 2)} to ${score(one.high, 2)}`;

const shareOf = (one: Candidate): string =>
  one.charge && one.quality ? `${percent(one.charge / one.quality)} of its quality` : "money isn't scarce";

const Prices = ({ funds }: { funds: Routed["funds"] }) => (
  <ul class="prices" aria-label="Prices of the funds that it would draw on">
    {funds.map((one) => (
      <li key={one.fund}>
        <span class="soft">price of</span> {nameOf(one.fund)} <b class="num">{price(one.price, one.unit)}</b>{" "}
        <span class="soft">{perUnit(one.unit)}</span>
      </li>
    ))}
  </ul>
);
