// The navigation: a column on wide windows, a bar with a menu on narrow ones.
import { useEffect, useState } from "preact/hooks";
import { type Link, link } from "./api";
import { ChangesSwitch } from "./changes";
import { alarmsOpen } from "./now-store";
import { PAGES } from "./pages";
import { Choice, say } from "./parts";
import { place } from "./router";
import { session, signOut } from "./session";
import { type Mode, mode, setMode } from "./theme";

const LINKS: Record<Link, [tone: string, name: string]> = {
  live: ["good", "Live"],
  connecting: ["warn", "Connecting"],
  lost: ["bad", "Connection lost"],
  off: ["", "Not connected"],
};
const MODES = [
  ["auto", "Auto"],
  ["light", "Light"],
  ["dark", "Dark"],
] as const;

export function Nav({ onHelp }: { onHelp: () => void }) {
  const [open, setOpen] = useState(false);
  const page = place.value.page;
  const who = session.value;
  useEffect(() => setOpen(false), [page]);
  const [tone, state] = LINKS[link.value];
  const alarms = alarmsOpen.value;
  return (
    <header class={`side ${open ? "open" : ""}`}>
      <div class="side-top">
        <a class="brand" href="/ui/now">
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
            <rect width="32" height="32" rx="7" fill="#1f5fd0" />
            <path d="M4 22h8c6 0 6-12 12-12h4" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" />
            <path
              d="M14 22h14"
              stroke="#fff"
              stroke-opacity=".6"
              stroke-width="3"
              stroke-linecap="round"
              stroke-dasharray=".1 5"
            />
          </svg>
          Pointsman
        </a>
        <span class="link-state" role="status" title={state}>
          <i class={`dot ${tone}`} aria-hidden="true" />
          <span>{state}</span>
        </span>
        {who?.notice && (
          <span class="tag accent notice-tag" title={who.notice}>
            {who.notice}
          </span>
        )}
        <button
          type="button"
          class="button plain menu"
          aria-expanded={open}
          aria-controls="side-body"
          onClick={() => setOpen(!open)}
        >
          Menu
        </button>
      </div>
      <div id="side-body" class="side-body">
        <nav aria-label="Pages">
          <ul>
            {PAGES.map((one) => (
              <li key={one.id}>
                <a href={`/ui/${one.id}`} aria-current={one.id === page ? "page" : undefined} title={`g ${one.key}`}>
                  <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
                    <path
                      d={one.icon}
                      fill="none"
                      stroke="currentColor"
                      stroke-width="1.4"
                      stroke-linecap="round"
                      stroke-linejoin="round"
                    />
                  </svg>
                  {one.name}
                  {one.id === "now" && alarms > 0 && (
                    <span class="count">
                      {alarms}
                      <span class="sr"> open alarms</span>
                    </span>
                  )}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="side-foot">
          <ChangesSwitch />
          <Choice<Mode> label="Colours" value={mode.value} options={MODES} onChange={setMode} />
          <div class="row between">
            <button type="button" class="button plain little" onClick={onHelp}>
              Shortcuts <kbd>?</kbd>
            </button>
            {who?.needs_key && (
              <button
                type="button"
                class="button plain little"
                onClick={() => signOut().catch((error: Error) => say(error.message))}
              >
                Sign out
              </button>
            )}
          </div>
        </div>
      </div>
    </header>
  );
}
