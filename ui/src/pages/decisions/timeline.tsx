// What a query went through: the gateway's stages one after the other, and each hop to a model.
import * as format from "../../format";
import { Model, Tag } from "../../parts";
import type { Hop, Stage } from "../../types";

export function Timeline({ stages, hops }: { stages: Stage[]; hops: Hop[] }) {
  return (
    <div class="timeline">
      {stages.length > 0 && <Stages stages={stages} />}
      <h3>{hops.length === 1 ? "One hop" : `${hops.length} hops`}</h3>
      {hops.length ? (
        <ol class="hops">
          {hops.map((hop, at) => (
            <li key={at}>
              <span class="soft tabular">{at + 1}</span>
              <span class="hop-model">
                <Model id={hop.model} />
                {hop.endpoint && hop.endpoint !== hop.model && <span class="soft small">{hop.endpoint}</span>}
              </span>
              {hop.fault ? <Tag tone="bad">{hop.fault}</Tag> : <Tag tone="good">answered</Tag>}
              <span class="num">{format.seconds(hop.seconds)}</span>
              <span class="num">{format.money(hop.cost_nano)}</span>
            </li>
          ))}
        </ol>
      ) : (
        <p class="soft">It never left for a model.</p>
      )}
    </div>
  );
}

function Stages({ stages }: { stages: Stage[] }) {
  const total = stages.reduce((sum, stage) => sum + stage.seconds, 0) || 1;
  let before = 0;
  return (
    <table class="stages" aria-label="Stages, with how long each took">
      <tbody>
        {stages.map((stage) => {
          const left = before / total;
          before += stage.seconds;
          return (
            <tr key={stage.name}>
              <th scope="row">{stage.name.replaceAll("_", " ")}</th>
              <td class="stage-lane" aria-hidden="true">
                <i style={{ left: `${left * 100}%`, width: `max(2px, ${(stage.seconds / total) * 100}%)` }} />
              </td>
              <td class="num">{format.seconds(stage.seconds)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
