// What every model scores where: a table with coloured cells, rows are skills or topics, columns are models.
//
// The colour helps the eye and the figure is in the cell, so nothing is told by colour alone. The best of a row is
// underlined. Columns are ordered by the mean of what is known, the best first.
import { brief, percent } from "../../format";
import type { Id, Profile } from "../../types";

const LABEL_REM = 22; // of a row's label and note
const CELL_REM = 6; // at most, of a cell
const STEPS = 9; // of the colour scale, as in models.css

/** The models with any score, the best on average first. */
export function columnsOf(profile: Profile): Id[] {
  const mean = (id: Id): number => {
    const known = (profile.cells[id] ?? []).filter((cell) => cell !== null);
    return known.length ? known.reduce((sum, cell) => sum + cell, 0) / known.length : -1;
  };
  const scored = Object.keys(profile.cells).map((id): [Id, number] => [id, mean(id)]);
  return scored
    .filter(([, score]) => score >= 0)
    .sort((a, b) => b[1] - a[1])
    .map(([id]) => id);
}

/** The range of scores that the colours span, in tenths. */
export function rangeOf(profile: Profile): [number, number] {
  const known = Object.values(profile.cells)
    .flat()
    .filter((cell) => cell !== null);
  if (known.length === 0) return [0, 1];
  const low = Math.floor(Math.min(...known) * 10) / 10;
  return [low, Math.max(low + 0.1, Math.ceil(Math.max(...known) * 10) / 10)];
}

export function stepOf(value: number, [low, high]: [number, number]): number {
  return Math.min(STEPS - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * STEPS)));
}

interface Props {
  profile: Profile;
  label: string;
  chosen: Id | null;
}

export function HeatMap({ profile, label, chosen }: Props) {
  const columns = columnsOf(profile);
  const range = rangeOf(profile);
  return (
    <>
      <section class="heat-scroll" tabIndex={0} aria-label={label}>
        <table class="heat" style={{ width: `min(100%, ${LABEL_REM + CELL_REM * columns.length}rem)` }}>
          <thead>
            <tr>
              <td />
              {columns.map((id) => (
                <th key={id} scope="col" class={id === chosen ? "is-chosen" : ""} title={id}>
                  <span>{brief(id)}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {profile.rows.map((row, i) => (
              <HeatRow key={i} row={row} cells={columns.map((id) => profile.cells[id]?.[i] ?? null)} range={range} />
            ))}
          </tbody>
        </table>
      </section>
      <Scale range={range} />
    </>
  );
}

interface RowProps {
  row: Profile["rows"][number];
  cells: (number | null)[];
  range: [number, number];
}

function HeatRow({ row, cells, range }: RowProps) {
  const best = Math.max(...cells.map((cell) => cell ?? -1));
  const note = [row.note, row.share === null ? "" : `${percent(row.share)} of traffic`].filter(Boolean).join(" · ");
  return (
    <tr>
      <th scope="row">
        <span class="heat-label">{row.label}</span>
        {note && <span class="heat-note">{note}</span>}
      </th>
      {cells.map((cell, k) => (
        <Cell key={k} value={cell} best={cell !== null && cell === best} range={range} />
      ))}
    </tr>
  );
}

function Cell({ value, best, range }: { value: number | null; best: boolean; range: [number, number] }) {
  if (value === null) {
    return (
      <td class="heat-none">
        <span class="sr">not known</span>
      </td>
    );
  }
  return <td class={`heat-${stepOf(value, range)}${best ? " is-best" : ""}`}>{value.toFixed(2).replace(/^0/, "")}</td>;
}

function Scale({ range: [low, high] }: { range: [number, number] }) {
  return (
    <p class="heat-scale" aria-hidden="true">
      {low.toFixed(1)}
      {Array.from({ length: STEPS }, (_, step) => (
        <i key={step} class={`heat-${step}`} />
      ))}
      {high.toFixed(1)} mean score · <u>best of the row</u> · <i class="heat-none" /> not known
    </p>
  );
}
