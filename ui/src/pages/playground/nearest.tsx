// The recorded prompts nearest to the one that was typed, and what the models scored on them, the best first.
import { brief, score } from "../../format";
import { Empty } from "../../parts";
import { hueOf } from "../../theme";
import type { Neighbour } from "../../types";

const MOST_SCORES = 8; // of a neighbour that are shown, the best first

export function Nearest({ rows, why }: { rows: Neighbour[]; why: string }) {
  if (rows.length === 0) return <Empty title="None to show">{why}</Empty>;
  return (
    <ol class="nearest">
      {rows.map((one) => (
        <li key={`${one.dataset} ${one.prompt_id}`}>
          <span class="nearest-likeness num" title="Cosine likeness">
            {score(one.similarity, 2)}
            <span class="sr"> likeness</span>
          </span>
          <div class="nearest-what">
            <p class={one.text === null ? "soft" : "nearest-text"}>{one.text ?? "The text isn't shown to viewers."}</p>
            <ul class="nearest-scores">
              {bestOf(one).map(([id, value]) => (
                <li key={id} class={`hue-${hueOf(id)}`} title={id}>
                  <i class="swatch" aria-hidden="true" />
                  {brief(id)} <b>{score(value, 2)}</b>
                </li>
              ))}
            </ul>
            <span class="soft small">
              {one.dataset} · {one.prompt_id}
            </span>
          </div>
        </li>
      ))}
    </ol>
  );
}

/** Models by their score on a neighbour, the best first. */
export function bestOf(one: Neighbour): [string, number][] {
  return Object.entries(one.scores)
    .sort((a, b) => b[1] - a[1])
    .slice(0, MOST_SCORES);
}
