// Addresses without hashes: /ui/decisions/abc?model=x. The gateway gives the same index.html for all of them.
import { signal } from "@preact/signals";

const ROOT = "/ui/";

/** A place in the dashboard: the page's name, what comes after it, and the query string. */
export interface Place {
  page: string;
  rest: string;
  search: URLSearchParams;
}

function placeOf(location: Location | URL): Place {
  const path = location.pathname.startsWith(ROOT) ? location.pathname.slice(ROOT.length) : "";
  const [page = "", ...rest] = path.split("/");
  return {
    page: page || "now",
    rest: decodeURIComponent(rest.join("/")),
    search: new URLSearchParams(location.search),
  };
}

export const place = signal<Place>(placeOf(window.location));

/** Goes to an address below /ui/, e.g. `go("decisions/abc")`. */
export function go(to: string, { replace = false } = {}): void {
  const url = new URL(to.startsWith("/") ? to : ROOT + to, window.location.href);
  const same = url.pathname + url.search === window.location.pathname + window.location.search;
  if (!same) window.history[replace ? "replaceState" : "pushState"](null, "", url.pathname + url.search);
  place.value = placeOf(url);
}

/** Writes some of the query string in place; null and "" take a value out. */
export function search(values: Record<string, string | null>): void {
  const next = new URLSearchParams(place.value.search);
  for (const [name, value] of Object.entries(values)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  const text = next.toString();
  go(window.location.pathname + (text ? `?${text}` : ""), { replace: true });
}

window.addEventListener("popstate", () => {
  place.value = placeOf(window.location);
});

// Links stay plain <a href>: open in a new tab, copy the address, all as people expect.
document.addEventListener("click", (event) => {
  const link = (event.target as Element | null)?.closest?.("a[href]");
  if (!(link instanceof HTMLAnchorElement) || link.origin !== window.location.origin) return;
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
  if (!link.pathname.startsWith(ROOT) || link.getAttribute("href")?.startsWith("#")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
