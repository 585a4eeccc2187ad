// Keyboard: g and a letter goes to a page, / to the search of a page, ? opens help.
import { useEffect } from "preact/hooks";
import { PAGES } from "./pages";
import { go } from "./router";

const WAIT_MS = 1200;

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function useKeys(help: () => void): void {
  useEffect(() => {
    let waiting = 0;
    const press = (event: KeyboardEvent) => {
      if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      const after = performance.now() - waiting < WAIT_MS;
      waiting = 0;
      const page = after && PAGES.find((one) => one.key === event.key);
      if (page) go(page.id);
      else if (event.key === "g") waiting = performance.now();
      else if (event.key === "?") help();
      else if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("[data-search]");
        if (!field) return;
        field.focus();
        event.preventDefault();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [help]);
}
