// Hooks that every page uses.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Events, live } from "./api";

export interface Loaded<T> {
  data: T | null;
  error: Error | null;
  loading: boolean;
  reload: () => void;
  /** Puts other data in its place, e.g. from a live event. */
  set: (next: T | ((was: T | null) => T | null)) => void;
}

/**
 * Loads something, and again whenever `key` changes or `reload` is called. What was there stays while it loads, and
 * an answer that comes too late is dropped.
 */
export function useData<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [data, set] = useState<T | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [loading, setLoading] = useState(true);
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const stop = new AbortController();
    setLoading(true);
    latest
      .current(stop.signal)
      .then((next) => {
        if (stop.signal.aborted) return;
        set(next);
        setError(null);
        setLoading(false);
      })
      .catch((problem: Error) => {
        if (stop.signal.aborted) return;
        setError(problem);
        setLoading(false);
      });
    return () => stop.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((was) => was + 1), []);
  // the gateway is back: what couldn't be loaded may be there now
  const waits = useRef(false);
  waits.current = error !== null;
  useEffect(() => live("again", () => waits.current && reload()), [reload]);
  return { data, error, loading, reload, set: set as Loaded<T>["set"] };
}

/** Calls the handler with every live event of a topic while the component is shown. */
export function useLive<T extends keyof Events>(topic: T, handler: (data: Events[T]) => void): void {
  const latest = useRef(handler);
  latest.current = handler;
  useEffect(() => live(topic, (data) => latest.current(data)), [topic]);
}

/** A value that follows another one after a pause. */
export function useSettled<T>(value: T, pause_ms: number): T {
  const [settled, set] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => set(value), pause_ms);
    return () => window.clearTimeout(timer);
  }, [value, pause_ms]);
  return settled;
}

/** The width of an element in pixels, 0 until it is known. */
export function useWidth(): [(element: Element | null) => void, number] {
  const [width, set] = useState(0);
  const watcher = useRef<ResizeObserver | null>(null);
  const ref = useCallback((element: Element | null) => {
    watcher.current?.disconnect();
    if (!element) return;
    watcher.current = new ResizeObserver(([entry]) => set(Math.floor(entry?.contentRect.width ?? 0)));
    watcher.current.observe(element);
  }, []);
  return [ref, width];
}

/** Whether the window is narrower than so many pixels. */
export function useNarrow(width: number): boolean {
  const query = `(max-width: ${width}px)`;
  const [narrow, set] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const watched = window.matchMedia(query);
    const look = () => set(watched.matches);
    look();
    watched.addEventListener("change", look);
    return () => watched.removeEventListener("change", look);
  }, [query]);
  return narrow;
}

/** Sets the page's title in the browser. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Pointsman`;
  }, [title]);
}
