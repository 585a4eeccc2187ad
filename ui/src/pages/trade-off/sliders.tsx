// What can be moved: the knob and the amount of every configured fund, each by slider, by keyboard or by typing.
import { useEffect, useId, useState } from "preact/hooks";
import { amount as amountText, percent, trim } from "../../format";
import { Button } from "../../parts";
import type { TradeOff } from "../../types";
import { amountAt, amountOf, STEPS, stepOf, typed } from "./scale";

type SliderFund = TradeOff["funds"][number];
const KNOB_MOST = 10;
const KNOB_STEP = 0.25;

/** A proposal: amounts by fund, and the knob. */
export interface Proposal {
  funds: Record<string, number>;
  knob: number;
}

/** What is in force. */
export function inForce(data: TradeOff): Proposal {
  return { funds: Object.fromEntries(data.funds.map((fund) => [fund.name, fund.amount])), knob: data.knob };
}

/** Whether a proposal changes anything. */
export function differs(proposal: Proposal, data: TradeOff): boolean {
  return proposal.knob !== data.knob || data.funds.some((fund) => proposal.funds[fund.name] !== fund.amount);
}

interface Props {
  data: TradeOff;
  proposal: Proposal;
  change: (next: Proposal) => void;
}

export function Sliders({ data, proposal, change }: Props) {
  return (
    <div class="sliders">
      <Knob value={proposal.knob} now={data.knob} set={(knob) => change({ ...proposal, knob })} />
      {data.funds.map((fund) => (
        <FundSlider
          key={fund.name}
          fund={fund}
          value={proposal.funds[fund.name] ?? fund.amount}
          set={(value) => change({ ...proposal, funds: { ...proposal.funds, [fund.name]: value } })}
        />
      ))}
    </div>
  );
}

function Knob({ value, now, set }: { value: number; now: number; set: (value: number) => void }) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>Trade-off</label>
      <output for={id} class="num">
        {trim(value)}
      </output>
      <input
        id={id}
        type="range"
        min={0}
        max={KNOB_MOST}
        step={KNOB_STEP}
        value={value}
        aria-valuetext={`${trim(value)} of 10, in force ${trim(now)}`}
        onInput={(event) => set(event.currentTarget.valueAsNumber)}
      />
      <div class="ends" aria-hidden="true">
        <span>best quality</span>
        <span>cheapest</span>
      </div>
      <Change was={now} is={value} text={`in force: ${trim(now)}`} reset={() => set(now)} />
    </div>
  );
}

function FundSlider({ fund, value, set }: { fund: SliderFund; value: number; set: (value: number) => void }) {
  const id = useId();
  const span = { least: fund.least, most: fund.most, amount: fund.amount };
  const show = (amount: number): string => amountText(amount, fund.unit);
  return (
    <div class="slider">
      <label for={id}>{fund.name}</label>
      <AmountField fund={fund} value={value} set={set} />
      <input
        id={id}
        type="range"
        min={0}
        max={STEPS}
        value={stepOf(value, span)}
        aria-valuetext={`${show(value)}, in force ${show(fund.amount)}`}
        onInput={(event) => set(amountAt(event.currentTarget.valueAsNumber, span))}
      />
      <Change was={fund.amount} is={value} text={`in force: ${show(fund.amount)}`} reset={() => set(fund.amount)} />
    </div>
  );
}

interface ChangeProps {
  was: number;
  is: number;
  text: string;
  reset: () => void;
}

function Change({ was, is, text, reset }: ChangeProps) {
  if (was === is) return <p class="slider-note">{text}</p>;
  const by = was > 0 ? ` (${is > was ? "+" : "−"}${percent(Math.abs(is / was - 1))})` : "";
  return (
    <p class="slider-note">
      <span>
        {text}
        {by}
      </span>
      <Button kind="plain" little onClick={reset}>
        Put back
      </Button>
    </p>
  );
}

/** An amount as text; taken over when it is one, and put right when the field is left. */
function AmountField({ fund, value, set }: { fund: SliderFund; value: number; set: (value: number) => void }) {
  const [text, setText] = useState(typed(value, fund.unit));
  const parsed = amountOf(text, fund.unit);
  const within = parsed !== null && parsed >= fund.least && parsed <= fund.most;
  useEffect(() => {
    if (amountOf(text, fund.unit) !== value) setText(typed(value, fund.unit));
  }, [value, fund.unit]);
  return (
    <span class="amount-field">
      {fund.unit === "usd" && <span aria-hidden="true">$</span>}
      <input
        type="text"
        inputMode="decimal"
        class="input num"
        aria-label={`Amount of ${fund.name} in ${fund.unit === "usd" ? "dollars" : fund.unit}`}
        aria-invalid={!within}
        value={text}
        onInput={(event) => {
          const next = event.currentTarget.value;
          setText(next);
          const read = amountOf(next, fund.unit);
          if (read !== null && read >= fund.least && read <= fund.most) set(read);
        }}
        onBlur={() => setText(typed(value, fund.unit))}
      />
      {fund.unit !== "usd" && <span aria-hidden="true">{fund.unit}</span>}
    </span>
  );
}
