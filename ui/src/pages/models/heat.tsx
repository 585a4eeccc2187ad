// What every model scores where: a table with coloured cells, rows are skills or topics, columns are models.
//
// The colour helps the eye and the figure is in the cell, so nothing is told by colour alone. The best of a row is
// underlined. Columns are ordered by the mean of what is known, the best first.
import { brief, percent } from "../../format";
import type { Id, Profile } from "../../types";

const LABEL_REM = 20; // of a row's label and note
const CELL_REM = 6; // of a cell, where there is room
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

/** A profile's rows of which anything is known, with their cells in the order of the columns. */
export function rowsOf(profile: Profile, columns: Id[]): Row[] {
  const prefix = commonPrefix(profile.rows.map((row) => row.label));
  return profile.rows
    .map((row, i) => ({
      label: shortened(row.label, prefix),
      title: [row.label, row.note].filter(Boolean).join(": "),
      note: row.share === null ? row.note : percent(row.share, row.share < 0.0995 ? 1 : 0),
      cells: columns.map((id) => profile.cells[id]?.[i] ?? null),
    }))
    .filter((row) => row.cells.some((cell) => cell !== null));
}

/** What all data sets that have a slash in their name begin with, up to it; labels name one or several. */
export function commonPrefix(labels: string[]): string {
  const named = labels.flatMap((label) => label.split(", ")).filter((part) => part.includes("/"));
  const prefix = `${(named[0] ?? "").split("/", 1)[0]}/`;
  return named.length > 1 && named.every((part) => part.startsWith(prefix)) ? prefix : "";
}

const PROBES = "probe:"; // how data sets of probes are called

/** A label without the prefix, and with probes told as such. */
function shortened(label: string, prefix: string): string {
  const short = (part: string): string => {
    if (part.startsWith(PROBES)) return `${part.slice(PROBES.length)} (probes)`;
    return part.startsWith(prefix) ? part.slice(prefix.length) : part;
  };
  return label.split(", ").map(short).join(", ");
}

export interface Row {
  label: string;
  title: string;
  note: string;
  cells: (number | null)[];
}

interface Props {
  profile: Profile;
  label: string;
  chosen: Id | null;
}

export function HeatMap({ profile, label, chosen }: Props) {
  const columns = columnsOf(profile);
  const range = rangeOf(profile);
  const ofTraffic = profile.rows.some((row) => row.share !== null);
  return (
    <>
      <section class="heat-scroll" tabIndex={0} aria-label={label}>
        <table class="heat" style={{ width: `min(100%, ${LABEL_REM + CELL_REM * columns.length}rem)` }}>
          <thead>
            <tr>
              <td />
              {ofTraffic && (
                <th scope="col" class="heat-share">
                  of traffic
                </th>
              )}
              {columns.map((id) => (
                <th key={id} scope="col" class={id === chosen ? "is-chosen" : ""} title={id}>
                  <span>{brief(id)}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rowsOf(profile, columns).map((row) => (
              <HeatRow key={row.title} row={row} range={range} ofTraffic={ofTraffic} />
            ))}
          </tbody>
        </table>
      </section>
      <Scale range={range} />
    </>
  );
}

function HeatRow({ row, range, ofTraffic }: { row: Row; range: [number, number]; ofTraffic: boolean }) {
  const best = Math.max(...row.cells.map((cell) => cell ?? -1));
  return (
    <tr>
      <th scope="row" title={row.title}>
        <span class="heat-label">{row.label}</span>
        {!ofTraffic && row.note && <span class="heat-note">{row.note}</span>}
      </th>
      {ofTraffic && <td class="heat-share">{row.note}</td>}
      {row.cells.map((cell, k) => (
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
