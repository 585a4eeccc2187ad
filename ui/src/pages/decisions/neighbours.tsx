// The recorded prompts nearest to this one, and how each model did on them.
import * as format from "../../format";
import { Model } from "../../parts";
import type { Neighbour } from "../../types";

export function Neighbours({ rows }: { rows: Neighbour[] }) {
  const models = [...new Set(rows.flatMap((row) => Object.keys(row.scores)))];
  return (
    <section class="scroll" tabIndex={0} aria-label="Nearest recorded prompts with the score of each model">
      <table class="table neighbours">
        <thead>
          <tr>
            <th scope="col" class="num" title="Cosine of the two embeddings">
              Likeness
            </th>
            <th scope="col">Prompt</th>
            {models.map((id) => (
              <th key={id} scope="col" class="num">
                <Model id={id} short />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.prompt_id}>
              <td class="num">{row.similarity.toFixed(2)}</td>
              <td class="neighbour-text">
                <span title={row.text ?? row.prompt_id}>{row.text ?? row.prompt_id}</span>
                <span class="soft small">{row.dataset}</span>
              </td>
              {models.map((id) => (
                <td key={id} class="num">
                  <ScoreCell value={row.scores[id]} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const ScoreCell = ({ value }: { value: number | undefined }) => {
  if (value === undefined) return <span class="soft">–</span>;
  const text = Number.isInteger(value) ? String(value) : format.score(value, 2);
  return <span class={value >= 0.5 ? "good" : "bad"}>{text}</span>;
};
