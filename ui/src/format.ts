// Figures in words, the same on every page. Money comes in whole nano-dollars, times in Unix seconds.

const NANO = 1e9;
const NONE = "–";

/** A number with thousands separators and at most so many digits after the point. */
export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/** A short number: 1,234 → 1.2k, 3,400,000 → 3.4M. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e4, "k"],
  ] as const) {
    if (size >= unit) return `${trim(value / (letter === "k" ? 1e3 : unit))}${letter}`;
  }
  return trim(value);
}

/** Three significant digits, without trailing zeros and without an exponent. */
export function trim(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1000) return number(value);
  return Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 12 });
}

/** A figure beside an axis. */
export const axis = (value: number): string => (Math.abs(value) >= 1e4 ? short(value) : trim(value));

/** Dollars: two digits from a dollar up, three significant ones below, two of the tiniest. */
export function usd(dollars: number | null | undefined): string {
  if (dollars === null || dollars === undefined || !Number.isFinite(dollars)) return NONE;
  const size = Math.abs(dollars);
  const sign = dollars < 0 ? "−" : "";
  if (size >= 100_000) return `${sign}$${short(size)}`;
  if (size >= 1)
    return `${sign}$${size.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  if (size > 0 && size < 1e-9) return `${sign}<$0.000000001`;
  return `${sign}$${size === 0 ? "0" : Number(size.toPrecision(size < 1e-4 ? 2 : 3)).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 10 })}`;
}

export const money = (nano: number | null | undefined): string =>
  nano === null || nano === undefined ? NONE : usd(nano / NANO);

/** An amount of a fund, in its unit. */
export function amount(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return NONE;
  return unit === "usd" ? money(value) : `${short(value)} ${value === 1 ? unit.slice(0, -1) : unit}`;
}

/** A fund's price as quality per whole unit that people think in: a dollar, a million tokens, a thousand requests. */
export function perUnit(unit: string): string {
  return unit === "usd" ? "quality per $" : unit === "tokens" ? "quality per 1M tokens" : `quality per 1k ${unit}`;
}

/** The factor from quality per dollar, token or request to `perUnit`. */
export const priceScale = (unit: string): number => (unit === "usd" ? 1 : unit === "tokens" ? 1e6 : 1e3);

export const price = (value: number | null | undefined, unit: string): string =>
  value === null || value === undefined ? NONE : axis(value * priceScale(unit));

export function percent(share: number | null | undefined, digits = 0): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return NONE;
  return `${(share * 100).toFixed(digits)} %`;
}

/** A score in [0, 1]. */
export const score = (value: number | null | undefined, digits = 3): string =>
  value === null || value === undefined || !Number.isFinite(value) ? NONE : value.toFixed(digits);

export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value >= 100_000) return seconds(value / 1000);
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10_000 ? 1 : 2)} s`;
  if (value >= 100) return `${Math.round(value)} ms`;
  return value >= 1 ? `${value.toFixed(1)} ms` : value === 0 ? "0 ms" : `${Math.round(value * 1000)} µs`;
}

/** A length of time, in its two largest units. */
export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value < 1) return ms(value * 1000);
  if (value < 60) return `${Math.round(value)} s`;
  const parts: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = parts.findIndex(([size]) => value >= size);
  const [size, name] = parts[first] ?? [1, "s"];
  const whole = Math.floor(value / size);
  const next = parts[first + 1];
  const rest = next && whole < 10 ? Math.floor((value - whole * size) / next[0]) : 0;
  return rest && next ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
}

/** A length of time in its largest unit alone. */
export const roughly = (value: number): string => seconds(value).split(" ").slice(0, 2).join(" ");

/** How long ago, or in how long. */
export function ago(at_s: number | null | undefined, now_s: number): string {
  if (at_s === null || at_s === undefined) return NONE;
  const passed = now_s - at_s;
  if (Math.abs(passed) < 2) return "now";
  return passed > 0 ? `${roughly(passed)} ago` : `in ${roughly(-passed)}`;
}

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export const time = (at_s: number): string => TIME.format(at_s * 1000);
export const minute = (at_s: number): string => MINUTE.format(at_s * 1000);
export const day = (at_s: number): string => DAY.format(at_s * 1000);
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
export const date = (at_s: number): string => DATE.format(at_s * 1000);
export const whole = (at_s: number): string => WHOLE.format(at_s * 1000);

/** The time alone if it is within a day of now, else with its date. */
export const moment = (at_s: number, now_s: number): string =>
  Math.abs(now_s - at_s) < 72_000 ? time(at_s) : day(at_s);

/** `provider/model` without the provider. */
export const brief = (model: string): string => model.slice(model.indexOf("/") + 1);

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;
