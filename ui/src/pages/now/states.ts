// What a fund's state is called, and what a fund is called.
import type { Tone } from "../../parts";
import type { FundState } from "../../types";

export const STATES: Record<FundState, [tone: Tone, word: string]> = {
  fine: ["good", "on pace"],
  fast: ["bad", "runs out early"],
  slow: ["warn", "underspent"],
  empty: ["bad", "empty"],
};

/** What needs looking at first. */
export const URGENCY: Record<FundState, number> = { empty: 0, fast: 1, slow: 2, fine: 3 };

const OF_KEY: Record<string, string> = { budget: "budget", rpm: "requests a minute", tpm: "tokens a minute" };

/** A fund's name; of a virtual key's own, the key's and what it limits. */
export function nameOf(fund: string): string {
  const [, key, what = ""] = /^key:(.+):([a-z]+)$/.exec(fund) ?? [];
  if (!key) return fund;
  return `Key ${key}${what === "budget" ? "" : `, ${OF_KEY[what] ?? what}`}`;
}
