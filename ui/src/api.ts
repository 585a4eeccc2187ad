// The one way to the gateway: JSON requests below /ui/api, and one stream of live events for all pages.
// Refuses to retry anything by itself; only the stream comes back on its own.
import { signal } from "@preact/signals";
import type { Alarm, Fund, FundPoint, Onboarding, Point, Row } from "./types";

const BASE = "/ui/api";

/** What the gateway refused, or that it couldn't be reached (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Called with every 401, so that the sign-in comes up whichever request met it. */
export const onSignedOut: { current: () => void } = { current: () => {} };

const IN_WORDS: Record<number, string> = {
  401: "Please sign in again.",
  403: "This session may not do that.",
  404: "Not found.",
  429: "Too many requests. Try again in a minute.",
};

async function refusal(answer: Response): Promise<ApiError> {
  const text = await answer.text().catch(() => "");
  let message = IN_WORDS[answer.status] ?? `The gateway answered with status ${answer.status}.`;
  try {
    const body = JSON.parse(text);
    message = body?.error?.message ?? body?.message ?? body?.detail ?? message;
  } catch {
    // not JSON: the words for the status have to do
  }
  return new ApiError(answer.status, message);
}

/** A request below /ui/api whose answer is left to the caller to read, e.g. as a stream. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (init.method && init.method !== "GET") headers.set("x-pointsman-ui", "1");
  if (init.body) headers.set("content-type", "application/json");
  let answer: Response;
  try {
    answer = await fetch(BASE + path, { ...init, headers, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The gateway can't be reached.");
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && path !== "/session") onSignedOut.current();
  throw await refusal(answer);
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await request(path, init);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal) => json<T>(path, signal ? { signal } : undefined);
export const post = <T>(path: string, body: unknown = {}, signal?: AbortSignal) =>
  json<T>(path, { method: "POST", body: JSON.stringify(body), ...(signal && { signal }) });
export const del = <T = void>(path: string) => json<T>(path, { method: "DELETE" });

/** A query string of what is set: `?a=1&b=2`, or nothing. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const set = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return set.length ? `?${new URLSearchParams(set.map(([name, value]) => [name, String(value)]))}` : "";
}

// Live events

export interface Events {
  pulse: { point: Point; funds: FundPoint; balances: Fund[] };
  decisions: { rows: Row[]; skipped: number };
  alarms: { alarms: Alarm[] };
  onboarding: { onboardings: Onboarding[] };
  changed: Record<string, never>;
  /** The stream is back after a gap: what was loaded may be old. Made here, not sent by the gateway. */
  again: Record<string, never>;
}
const SENT = ["pulse", "decisions", "alarms", "onboarding", "changed"] as const;

export type Link = "off" | "connecting" | "live" | "lost";
export const link = signal<Link>("off");

const RETRY_S = [1, 2, 5, 10, 20];
type Handler = (data: never) => void;
const handlers = new Map<keyof Events, Set<Handler>>();
let source: EventSource | null = null;
let tries = 0;
let retry: number | undefined;
let gap = false;

function tell<T extends keyof Events>(topic: T, data: Events[T]): void {
  for (const handler of handlers.get(topic) ?? []) handler(data as never);
}

/** Calls the handler with every event of a topic, until the function that it gives is called. */
export function live<T extends keyof Events>(topic: T, handler: (data: Events[T]) => void): () => void {
  const set = handlers.get(topic) ?? new Set();
  handlers.set(topic, set);
  set.add(handler as Handler);
  return () => set.delete(handler as Handler);
}

/** Opens the stream, and opens it again whenever it is lost, until `hangUp`. */
export function connect(): void {
  if (source) return;
  window.clearTimeout(retry);
  link.value = tries ? "lost" : "connecting";
  source = new EventSource(`${BASE}/live`);
  source.onopen = () => {
    link.value = "live";
    tries = 0;
    if (gap) tell("again", {});
    gap = false;
  };
  source.onerror = lost;
  for (const topic of SENT) {
    source.addEventListener(topic, (event) => tell(topic, JSON.parse((event as MessageEvent<string>).data)));
  }
}

// The browser itself tries again after a cut, but not after an answer that isn't a stream (a gateway that starts,
// a session that has ended), so every loss is treated here in the same way.
function lost(): void {
  source?.close();
  source = null;
  link.value = "lost";
  gap = true;
  const wait_s = RETRY_S[Math.min(tries, RETRY_S.length - 1)] ?? 20;
  tries += 1;
  retry = window.setTimeout(async () => {
    // a session that has ended answers 401, which brings up the sign-in
    const session = await get<{ signed_in: boolean }>("/session").catch(() => null);
    if (session && !session.signed_in) return onSignedOut.current();
    if (link.value === "lost") connect();
  }, wait_s * 1000);
}

/** Closes the stream for good. */
export function hangUp(): void {
  window.clearTimeout(retry);
  source?.close();
  source = null;
  tries = 0;
  gap = false;
  link.value = "off";
}
