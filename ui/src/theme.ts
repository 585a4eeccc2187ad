// Light or dark, and the colours that charts and models take from theme.css.
import { computed, signal } from "@preact/signals";

export type Mode = "auto" | "light" | "dark";
const KEPT = "pointsman-theme";
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(prefersDark.matches);
prefersDark.addEventListener("change", (event) => {
  systemDark.value = event.matches;
});

function kept(): Mode {
  const mode = window.localStorage?.getItem(KEPT);
  return mode === "light" || mode === "dark" ? mode : "auto";
}

export const mode = signal<Mode>(kept());
export const dark = computed(() => (mode.value === "auto" ? systemDark.value : mode.value === "dark"));

export function setMode(next: Mode): void {
  mode.value = next;
  if (next === "auto") window.localStorage?.removeItem(KEPT);
  else window.localStorage?.setItem(KEPT, next);
}

export interface Colours {
  text: string;
  soft: string; // secondary text
  line: string; // grid lines
  edge: string; // axes, borders
  card: string;
  sunk: string;
  accent: string;
  good: string;
  warn: string;
  bad: string;
  hues: string[]; // of models, in order
  ramp: string[]; // from little to much
  font: string;
}

const read = (style: CSSStyleDeclaration, name: string) => style.getPropertyValue(name).trim();

function coloursNow(): Colours {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => read(style, `--${name}`);
  const list = (name: string, count: number) => Array.from({ length: count }, (_, i) => of(`${name}-${i + 1}`));
  return {
    text: of("text"),
    soft: of("soft"),
    line: of("line"),
    edge: of("edge"),
    card: of("card"),
    sunk: of("sunk"),
    accent: of("accent"),
    good: of("good"),
    warn: of("warn"),
    bad: of("bad"),
    hues: list("hue", 10),
    ramp: list("ramp", 5),
    font: of("font"),
  };
}

/** The colours in force; read once for each theme. */
export const colours = computed<Colours>(() => {
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
  return coloursNow();
});

// A model has one colour everywhere: by the configuration's order as the page Now knows it, then in the order in which
// others are met. What other pages meet before that order is known keeps a place behind it.
const serving = signal<string[] | null>(null);
const met = signal<string[]>([]);

/** Every model in the order of its colour. */
export const modelOrder = computed(() => {
  const first = serving.value ?? [];
  return [...first, ...met.value.filter((id) => !first.includes(id))];
});

/** Tells of models, in the configuration's order. `first`: they are those that serve, as the page Now knows them. */
export function meet(models: readonly string[], first = false): void {
  if (first && serving.peek() === null && models.length) serving.value = [...models];
  const fresh = models.filter((id) => !modelOrder.peek().includes(id));
  if (fresh.length) met.value = [...met.peek(), ...new Set(fresh)];
}

/** The number of a model's colour, 1 to 10; for the CSS class `hue-N`. */
export function hueOf(model: string): number {
  const at = modelOrder.value.indexOf(model);
  if (at < 0) queueMicrotask(() => meet([model]));
  return (Math.max(at, 0) % 10) + 1;
}

export const colourOf = (model: string): string => colours.value.hues[hueOf(model) - 1] ?? colours.value.accent;
