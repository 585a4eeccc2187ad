// The rows of the table, newest first: a page at a time from the gateway, and live ones on top of them. Kept outside
// of the page, so that coming back from a decision finds the table as it was left.
import { signal } from "@preact/signals";
import { get, live, query } from "../../api";
import { meet } from "../../theme";
import type { Decisions, Row } from "../../types";
import { type Filters, keyOf, passes } from "./filters";

const PAGE = 200;
const MOST = 20_000; // rows that are kept; older ones are asked for again
const MOST_WAITING = 2000;
const EMPTY_PAGES = 5; // pages without any fitting row that are followed by themselves

export interface Kept {
  key: string;
  rows: Row[];
  next: number | null;
  models: string[];
  keys: string[];
  reasons: string[];
}

export const kept = signal<Kept | null>(null);
export const problem = signal<Error | null>(null);
export const busy = signal(false);
/** Live rows that wait to be shown, and whether some were left out between them and the rows that are shown. */
export const waiting = signal<{ rows: Row[]; gap: boolean }>({ rows: [], gap: false });
/** Whether new rows wait instead of coming in. */
export const held = signal(false);
/** Where the table was scrolled to. */
export const place = { top: 0 };

let filters: Filters = {};

const ask = (before: number | null) => get<Decisions>(`/decisions${query({ ...filters, before, limit: PAGE })}`);

/** Asks from the newest on; a page may be empty although more follow, where little fits. */
async function page(before: number | null): Promise<Decisions> {
  let answer = await ask(before);
  for (let tries = 0; tries < EMPTY_PAGES && !answer.rows.length && answer.next !== null; tries += 1) {
    answer = await ask(answer.next);
  }
  return answer;
}

async function guarded(work: () => Promise<void>): Promise<void> {
  busy.value = true;
  try {
    await work();
    problem.value = null;
  } catch (error) {
    problem.value = error as Error;
  } finally {
    busy.value = false;
  }
}

/** Loads the newest rows that pass the filters; nothing to do if they are here. */
export async function show(next: Filters, again = false): Promise<void> {
  filters = next;
  const key = keyOf(next);
  if (!again && kept.peek()?.key === key) return;
  if (kept.peek()?.key !== key) place.top = 0;
  waiting.value = { rows: [], gap: false };
  await guarded(async () => {
    const answer = await page(null);
    if (key !== keyOf(filters)) return; // other filters meanwhile
    meet(answer.models);
    kept.value = { key, ...answer };
  });
}

/** Loads older rows below those that are here. */
export async function more(): Promise<void> {
  const have = kept.peek();
  if (!have || have.next === null || busy.peek()) return;
  await guarded(async () => {
    const answer = await page(have.next);
    const now = kept.peek();
    if (now?.key !== have.key || now.next !== have.next) return;
    kept.value = { ...now, rows: [...now.rows, ...answer.rows], next: answer.next };
  });
}

/** Puts the rows that wait on top. Where some were left out, the older ones go and are loaded again on scrolling. */
export function letIn(): void {
  const have = kept.peek();
  const { rows, gap } = waiting.peek();
  if (!have || !rows.length) return;
  waiting.value = { rows: [], gap: false };
  const all = gap ? rows : [...rows, ...have.rows];
  const cut = gap || all.length > MOST;
  const shown = all.slice(0, MOST);
  kept.value = { ...have, rows: shown, next: cut ? (shown.at(-1)?.number ?? have.next) : have.next };
}

live("decisions", ({ rows, skipped }) => {
  const have = kept.peek();
  if (!have) return;
  const was = waiting.peek();
  const newest = was.rows[0]?.number ?? have.rows[0]?.number ?? -1;
  const fresh = rows.filter((row) => row.number > newest && passes(row, filters));
  const oldest = rows.at(-1)?.number ?? 0;
  const gap = skipped > 0 && oldest > newest + 1;
  if (!fresh.length && !gap) return;
  const all = gap ? fresh : [...fresh, ...was.rows];
  waiting.value = { rows: all.slice(0, MOST_WAITING), gap: was.gap || gap || all.length > MOST_WAITING };
  if (!held.peek()) letIn();
});
live("again", () => {
  if (problem.peek() || (kept.peek() && !held.peek())) void show(filters, true);
  else kept.value = null;
});
