// Before and after: what a proposal would have made of the same queries.
import type { ComponentChildren } from "preact";
import { amount, brief, money, percent, score } from "../../format";
import { Model } from "../../parts";
import type { Id, Outcome, Replayed } from "../../types";
import { nameOf } from "../now/states";

/** The models of either, the one with the largest share in force first. */
export function modelsOf({ before, after }: Replayed): Id[] {
  const ids = [...new Set([...Object.keys(before.shares), ...Object.keys(after.shares)])];
  const share = (id: Id): number => Math.max(before.shares[id] ?? 0, after.shares[id] ?? 0);
  return ids.filter((id) => share(id) > 0.0005).sort((a, b) => share(b) - share(a));
}

interface Props {
  replayed: Replayed;
  changed: boolean;
}

export function Compare({ replayed, changed }: Props) {
  const { before, after } = replayed;
  return (
    <div class="compare">
      <Sheet title="The same queries" changed={changed}>
        <Line name="Mean quality" was={before.quality} is={after.quality} show={score} good={1} changed={changed} />
        <Line name="Money" was={before.cost_nano} is={after.cost_nano} show={money} good={-1} changed={changed} />
        <Line name="Served" was={before.served} is={after.served} show={tenths} good={1} changed={changed} />
      </Sheet>
      <Sheet title="Share of queries" changed={changed}>
        {modelsOf(replayed).map((id) => (
          <Line
            key={id}
            name={<Model id={id} short />}
            was={before.shares[id] ?? 0}
            is={after.shares[id] ?? 0}
            show={tenths}
            good={0}
            changed={changed}
          />
        ))}
      </Sheet>
      {before.funds.length > 0 && (
        <div class="compare-funds">
          <Funds before={before} after={after} changed={changed} />
        </div>
      )}
    </div>
  );
}

const tenths = (share: number): string => percent(share, 1);

interface SheetProps {
  title: string;
  changed: boolean;
  children: ComponentChildren;
}

const Sheet = ({ title, changed, children }: SheetProps) => (
  <table class="table">
    <thead>
      <tr>
        <th scope="col">{title}</th>
        {(changed ? ["In force", "Proposed", "Change"] : ["In force"]).map((name) => (
          <th key={name} scope="col" class="num">
            {name}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>{children}</tbody>
  </table>
);

function Funds({ before, after, changed }: { before: Outcome; after: Outcome; changed: boolean }) {
  return (
    <Sheet title="Funds: spent of their part" changed={changed}>
      {before.funds.map((was) => {
        const is = after.funds.find((one) => one.fund === was.fund);
        return (
          <tr key={was.fund}>
            <th scope="row">{nameOf(was.fund)}</th>
            <Spent fund={was} />
            {changed && (is ? <Spent fund={is} /> : <td class="num">–</td>)}
            {changed && <td class="num">{is && signed(is.spent - was.spent, (v) => amount(v, is.unit))}</td>}
          </tr>
        );
      })}
    </Sheet>
  );
}

type FundOutcome = Outcome["funds"][number];

const Spent = ({ fund }: { fund: FundOutcome }) => (
  <td class="num">
    {amount(fund.spent, fund.unit)}
    <span class="of">of {amount(fund.amount, fund.unit)}</span>
    {fund.runs_out !== null && <span class="of worse">empty after {percent(fund.runs_out)}</span>}
  </td>
);

const signed = (by: number, show: (value: number) => string): string =>
  by === 0 ? "–" : `${by > 0 ? "+" : "−"}${show(Math.abs(by))}`;

interface LineProps {
  name: ComponentChildren;
  was: number;
  is: number;
  show: (value: number) => string;
  good: -1 | 0 | 1; // which way is for the better
  changed: boolean;
}

function Line({ name, was, is, show, good, changed }: LineProps) {
  const by = is - was;
  const way = Math.abs(by) < 1e-9 || good === 0 ? "" : by * good > 0 ? "better" : "worse";
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="num">{show(was)}</td>
      {changed && <td class="num">{show(is)}</td>}
      {changed && <td class={`num ${way}`}>{signed(by, show)}</td>}
    </tr>
  );
}

/** The change in one sentence, also for screen readers as it moves. */
export function inWords({ before, after, moved }: Replayed): string {
  const quality = after.quality - before.quality;
  const way = quality >= 0 ? "gains" : "loses";
  const cost = before.cost_nano > 0 ? after.cost_nano / before.cost_nano - 1 : 0;
  const dearer = cost >= 0 ? "more" : "less";
  const top = modelsOf({ before, after, moved })
    .map((id): [Id, number] => [id, (after.shares[id] ?? 0) - (before.shares[id] ?? 0)])
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))[0];
  const mover = top && Math.abs(top[1]) >= 0.005 ? ` ${brief(top[0])} would serve ${points(top[1])}.` : "";
  return (
    `${percent(moved, 1)} of the queries would go elsewhere: quality ${way} ${score(Math.abs(quality))}, ` +
    `${percent(Math.abs(cost))} ${dearer} money.${mover}`
  );
}

const points = (share: number): string => `${percent(Math.abs(share), 1)} ${share > 0 ? "more" : "fewer"} of them`;
