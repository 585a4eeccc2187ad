// The models that a query could have gone to, best score first, each drawn as what its score is made of:
// the estimated quality with its 90 % interval, less the charge. What is left of the bar is the score.
//
// A table with bars in it rather than a chart, so that every figure is text to read, copy and have read out.
import { useState } from "preact/hooks";
import { score as figure, trim, usd } from "./format";
import { nameOf } from "./pages/now/states";
import { Button, Model } from "./parts";
import { hueOf } from "./theme";
import type { Candidate } from "./types";
import "./candidates.css";

const FEW = 12; // shown at first
const MOST_BELOW = -0.2; // scores below it are cut off at the lane's edge
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** Where the lane begins: at 0, or at the lowest score where one is below. */
export function laneFrom(rows: Candidate[]): number {
  const scores = rows.map((one) => one.score ?? 0);
  return Math.max(MOST_BELOW, Math.min(0, ...scores));
}

interface Props {
  rows: Candidate[];
  chosen: string | null;
  /** The decision is still to come, so it is told in another tense. */
  ahead?: boolean;
}

export function Candidates({ rows, chosen, ahead = false }: Props) {
  const [all, setAll] = useState(false);
  const from = laneFrom(rows);
  const shown = all ? rows : rows.slice(0, FEW);
  return (
    <section class="candidates" tabIndex={0} aria-label="Candidates by score">
      <table class="table">
        <caption class="sr">
          Models by score, the best first: estimated quality less the charge. The interval of the quality is of 90 %.
        </caption>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" class="lane-head">
              <span class="sr">Quality less charge</span>
              <Ticks from={from} />
            </th>
            <th scope="col" class="num">
              Quality
            </th>
            <th scope="col" class="num">
              Charge
            </th>
            <th scope="col" class="num">
              Score
            </th>
            <th scope="col" class="num">
              Cost
            </th>
            <th scope="col">{ahead ? "Why it would or wouldn't be taken" : "Why it was or wasn't taken"}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => (
            <Line key={one.model} one={one} from={from} chosen={one.model === chosen} />
          ))}
        </tbody>
      </table>
      <div class="candidates-foot">
        <Legend />
        {rows.length > FEW && (
          <Button kind="plain" little onClick={() => setAll(!all)}>
            {all ? `Show the first ${FEW}` : `Show all ${rows.length}`}
          </Button>
        )}
      </div>
    </section>
  );
}

function Line({ one, from, chosen }: { one: Candidate; from: number; chosen: boolean }) {
  const out = one.score === null;
  return (
    <tr class={`${chosen ? "chosen" : ""} ${out ? "out" : ""}`}>
      <th scope="row">
        <Model id={one.model} />
      </th>
      <td class="lane">
        <Lane one={one} from={from} />
      </td>
      <td class="num" data-label="Quality">
        {figure(one.quality)}
        {one.spread !== null && <span class="spread">±{figure(half(one))}</span>}
      </td>
      <td class="num" data-label="Charge">
        {one.charge === null ? "–" : figure(one.charge)}
      </td>
      <td class="num strong" data-label="Score">
        {figure(one.score)}
      </td>
      <td class="num" data-label="Cost">
        {usd(one.cost_usd)}
      </td>
      <td class="why">
        {chosen ? <strong>{sentence(one.why || "chosen")}</strong> : sentence(one.why)}
        <Parts one={one} />
      </td>
    </tr>
  );
}

/** Half of the interval's width, before it was cut at 0 and 1. */
const half = (one: Candidate): number | null => (one.spread === null ? null : 1.645 * one.spread);

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function Parts({ one }: { one: Candidate }) {
  const paid = one.parts.filter((part) => part.charge !== 0);
  if (paid.length === 0) return null;
  return (
    <span class="parts">charge: {paid.map((part) => `${nameOf(part.fund)} ${told(part.charge)}`).join(" + ")}</span>
  );
}

const told = (charge: number): string => (Math.abs(charge) >= 0.0005 ? charge.toFixed(3) : trim(charge));

function Lane({ one, from }: { one: Candidate; from: number }) {
  if (one.quality === null) return <span class="sr">not estimated</span>;
  const at = (value: number): number => (100 * (Math.min(1, Math.max(from, value)) - from)) / (1 - from);
  const left = one.score ?? one.quality - (one.charge ?? 0);
  const between = (a: number, b: number) => ({ left: `${at(a)}%`, width: `${Math.max(0, at(b) - at(a))}%` });
  return (
    <div class={`lane-in hue-${hueOf(one.model)}`} aria-hidden="true">
      {TICKS.map((tick) => (
        <i key={tick} class={tick === 0 ? "line zero" : "line"} style={{ left: `${at(tick)}%` }} />
      ))}
      {left > 0 && <i class="left" style={between(0, left)} />}
      <i class="charge" style={between(left, one.quality)} />
      {one.low !== null && one.high !== null && <i class="whisker" style={between(one.low, one.high)} />}
      <i class="mean" style={{ left: `${at(one.quality)}%` }} />
      {left < from && <i class="beyond">‹</i>}
    </div>
  );
}

function Ticks({ from }: { from: number }) {
  return (
    <span class="ticks" aria-hidden="true">
      {TICKS.map((tick) => (
        <i key={tick} style={{ left: `${(100 * (tick - from)) / (1 - from)}%` }}>
          {tick}
        </i>
      ))}
    </span>
  );
}

function Legend() {
  return (
    <p class="candidates-legend" aria-hidden="true">
      <span>
        <i class="key left" /> score
      </span>
      <span>
        <i class="key charge" /> charge
      </span>
      <span>
        <i class="key whisker" /> 90 % interval of the quality
      </span>
    </p>
  );
}
