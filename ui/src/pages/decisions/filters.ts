// The filters of the table: kept in the address, asked of the gateway, and tried on rows that come in live.
import { search } from "../../router";
import type { Row } from "../../types";

export const OUTCOMES = [
  ["", "Any outcome"],
  ["served", "Served"],
  ["refused", "Refused"],
  ["upstream_failed", "Upstream failed"],
  ["client_gone", "Client gone"],
] as const;

export const SCORED = [
  ["", "Scored or not"],
  ["yes", "Scored"],
  ["no", "Not scored"],
] as const;

const NAMES = ["text", "model", "key", "outcome", "reason", "asked", "scored", "least_cost_nano"] as const;
export type Filters = Partial<Record<(typeof NAMES)[number], string>>;

export function filtersOf(from: URLSearchParams): Filters {
  const found: Filters = {};
  for (const name of NAMES) {
    const value = from.get(name);
    if (value) found[name] = value;
  }
  return found;
}

export const setFilter = (name: keyof Filters, value: string): void => search({ [name]: value || null });
export const clearFilters = (): void => search(Object.fromEntries(NAMES.map((name) => [name, null])));

/** The filters as a text, equal for equal filters. */
export const keyOf = (filters: Filters): string => JSON.stringify(NAMES.map((name) => filters[name] ?? ""));

/** Whether a row passes, as the gateway would say. */
export function passes(row: Row, filters: Filters): boolean {
  const same = (wanted: string | undefined, value: string | null) => !wanted || wanted === value;
  const text = filters.text?.toLowerCase() ?? "";
  const seen = [row.decision_id, row.key_id, row.model, row.reason, row.asked];
  return (
    same(filters.model, row.model) &&
    same(filters.key, row.key_id) &&
    same(filters.outcome, row.outcome) &&
    same(filters.reason, row.reason) &&
    same(filters.asked, row.asked) &&
    (!filters.scored || (filters.scored === "yes") === (row.feedback !== null)) &&
    row.cost_nano >= Number(filters.least_cost_nano ?? 0) &&
    (!text || seen.some((one) => one?.toLowerCase().includes(text)))
  );
}
