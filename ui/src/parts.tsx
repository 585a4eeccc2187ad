// The parts that every page is made of. Each takes plain values; none loads anything.
import { signal } from "@preact/signals";
import type { ComponentChildren, ComponentProps } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import * as format from "./format";
import { clock } from "./now-store";
import { hueOf } from "./theme";
import { useTitle } from "./use";

export { type Column, Table } from "./table";

type Children = { children?: ComponentChildren };
export type Tone = "good" | "warn" | "bad" | "accent" | "plain";

/** A page: its title (level one), what stands beside the title, and what it shows.
 * `fill`: it is as high as the window. */
export function Page({
  title,
  note,
  aside,
  fill,
  children,
}: Children & { title: string; note?: ComponentChildren; aside?: ComponentChildren; fill?: boolean }) {
  useTitle(title);
  return (
    <div class={`page stack ${fill ? "fill" : ""}`}>
      <header class="page-head">
        <div>
          <h1 id="page-title" tabIndex={-1}>
            {title}
          </h1>
          {note && <p class="soft small">{note}</p>}
        </div>
        {aside && <div class="row push">{aside}</div>}
      </header>
      {children}
    </div>
  );
}

/** A card with a heading (level two). `flush`: what is inside reaches its edges, e.g. a table. */
export function Card({
  title,
  note,
  aside,
  flush,
  children,
  class: extra = "",
}: Children & {
  title?: ComponentChildren;
  note?: ComponentChildren;
  aside?: ComponentChildren;
  flush?: boolean;
  class?: string;
}) {
  const id = useId();
  return (
    <section class={`card ${flush ? "flush" : ""} ${extra}`} aria-labelledby={title ? id : undefined}>
      {(title || aside) && (
        <div class="card-head">
          {title && <h2 id={id}>{title}</h2>}
          {note && <span class="card-note">{note}</span>}
          {aside && <div class="row push">{aside}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

/** A row of figures: `Stat`s inside. */
export const Stats = ({ children }: Children) => <dl class="stats">{children}</dl>;

/** One figure with its name. */
export function Stat({
  label,
  value,
  note,
  tone = "plain",
}: {
  label: string;
  value: ComponentChildren;
  note?: ComponentChildren;
  tone?: Tone;
}) {
  return (
    <div class="stat">
      <dt title={label}>{label}</dt>
      <dd class={tone}>{value}</dd>
      {note !== undefined && <dd class="stat-note">{note || "\u00a0"}</dd>}
    </div>
  );
}

// States

export const Loading = ({ what = "Loading" }: { what?: string }) => (
  <div class="loading" role="status">
    {what}…
  </div>
);

/** Nothing to show: what would be here, and what makes it come. */
export const Empty = ({ title, children }: Children & { title: string }) => (
  <div class="empty">
    <strong>{title}</strong>
    {children && <p>{children}</p>}
  </div>
);

/** It couldn't be loaded: why, and a button that tries again. */
export const Failed = ({ error, again }: { error: Error; again?: () => void }) => (
  <div class="empty" role="alert">
    <strong>This couldn't be loaded</strong>
    <p>{error.message}</p>
    {again && <Button onClick={again}>Try again</Button>}
  </div>
);

/** A line that tells something about the page. */
export const Notice = ({ tone = "plain", children, aside }: Children & { tone?: Tone; aside?: ComponentChildren }) => (
  <div class={`notice ${tone}`} role={tone === "bad" ? "alert" : "status"}>
    <span>{children}</span>
    {aside && <span class="push">{aside}</span>}
  </div>
);

// Controls

interface ButtonProps extends Omit<ComponentProps<"button">, "class"> {
  kind?: "primary" | "danger" | "plain";
  little?: boolean;
  disabled?: boolean;
  type?: "button" | "submit";
}

export function Button({ kind, little, type = "button", ...rest }: ButtonProps) {
  return <button {...rest} type={type} class={`button ${kind ?? ""} ${little ? "little" : ""}`} />;
}

/** A control with its name, a hint and what is wrong with it; the control is made by `children(ids)`. */
export function Field({
  label,
  hint,
  problem,
  children,
}: {
  label: ComponentChildren;
  hint?: ComponentChildren;
  problem?: ComponentChildren;
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ComponentChildren;
}) {
  const id = useId();
  const told = `${id}-told`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({
        id,
        ...((hint || problem) && { "aria-describedby": told }),
        ...(problem && { "aria-invalid": true }),
      })}
      {(hint || problem) && (
        <span id={told} class={problem ? "problem" : "hint"}>
          {problem || hint}
        </span>
      )}
    </div>
  );
}

/** A choice from a list. */
export function Select({
  value,
  options,
  onChange,
  ...rest
}: {
  value: string;
  options: readonly (readonly [value: string, label: string])[];
  onChange: (value: string) => void;
  id?: string;
  disabled?: boolean;
  "aria-label"?: string;
  "aria-describedby"?: string;
}) {
  return (
    <select {...rest} class="select" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      {options.map(([id, label]) => (
        <option key={id} value={id}>
          {label}
        </option>
      ))}
    </select>
  );
}

/** One of a few, side by side. */
export function Choice<T extends string | number>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly (readonly [value: T, label: string])[];
  onChange: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([id, text]) => (
        <button key={id} type="button" aria-pressed={id === value} onClick={() => onChange(id)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** A window above the page; the browser keeps the focus inside and Escape closes it. */
export function Dialog({
  title,
  onClose,
  wide,
  children,
}: Children & { title: string; onClose: () => void; wide?: boolean }) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => (before instanceof HTMLElement ? before.focus() : undefined);
  }, []);
  return (
    <dialog
      ref={box}
      class={`dialog ${wide ? "wide" : ""}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button kind="plain" little onClick={onClose} aria-label="Close">
          ✕
        </Button>
      </div>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

// Figures

export const Tag = ({ tone = "plain", title, children }: Children & { tone?: Tone; title?: string }) => (
  <span class={`tag ${tone}`} title={title}>
    {children}
  </span>
);

/** A model's id after its colour; `short` leaves the provider out. */
export const Model = ({ id, short }: { id: string; short?: boolean }) => (
  <span class={`model hue-${hueOf(id)}`} title={id}>
    <span>{short ? format.brief(id) : id}</span>
  </span>
);

export const Money = ({ nano }: { nano: number | null | undefined }) => (
  <span class="tabular">{format.money(nano)}</span>
);

export const Percent = ({ share, digits = 0 }: { share: number | null | undefined; digits?: number }) => (
  <span class="tabular">{format.percent(share, digits)}</span>
);

/** How long ago, kept current; the whole date on hovering. */
export const Ago = ({ at_s }: { at_s: number | null | undefined }) =>
  at_s === null || at_s === undefined ? (
    <span>–</span>
  ) : (
    <time dateTime={new Date(at_s * 1000).toISOString()} title={format.whole(at_s)} class="tabular nowrap">
      {format.ago(at_s, clock.value)}
    </time>
  );

/** A share of a whole as a bar; `label` says what it is a share of, `mark`: where it should be, as a share too. */
export const Meter = ({
  share,
  label,
  mark,
  tone = "plain",
}: {
  share: number;
  label: string;
  mark?: number | undefined;
  tone?: Tone;
}) => {
  const held = Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0));
  return (
    <div
      class={`meter ${tone}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(held * 100)}
    >
      <i style={{ width: `${held * 100}%` }} />
      {mark !== undefined && <b style={{ left: `${Math.max(0, Math.min(1, mark)) * 100}%` }} />}
    </div>
  );
};

// Short messages that go by themselves

const said = signal<{ id: number; text: string }[]>([]);
let sayings = 0;

/** Says something in a corner for a few seconds, to screen readers too. */
export function say(text: string): void {
  sayings += 1;
  const id = sayings;
  said.value = [...said.value, { id, text }];
  window.setTimeout(() => {
    said.value = said.value.filter((one) => one.id !== id);
  }, 6000);
}

export const Sayings = () => (
  <div class="toasts" role="status" aria-live="polite">
    {said.value.map(({ id, text }) => (
      <div key={id} class="toast">
        {text}
      </div>
    ))}
  </div>
);
