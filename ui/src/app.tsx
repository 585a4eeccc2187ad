// The shell: who is signed in, where one is, what is open; pages come in as they are asked for.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { link } from "./api";
import { Help } from "./help";
import { useKeys } from "./keys";
import { Nav } from "./nav";
import { alarmsOpen, load } from "./now-store";
import { Empty, Failed, Loading, Notice, Page, Sayings } from "./parts";
import { place } from "./router";
import { arrive, session } from "./session";
import { SignIn } from "./sign-in";

type PageModule = { default: ComponentType<{ rest: string }> };
const PAGES = import.meta.glob<PageModule>("./pages/*.tsx");
const ready = new Map<string, PageModule["default"]>();

export function App() {
  const [problem, setProblem] = useState<Error | null>(null);
  const who = session.value;
  const begin = () => {
    setProblem(null);
    arrive().catch(setProblem);
  };
  useEffect(begin, []);
  if (problem) return <Failed error={problem} again={begin} />;
  if (!who) return <Loading what="Connecting" />;
  return (
    <>
      {who.signed_in ? <Shell /> : <SignIn />}
      <Sayings />
    </>
  );
}

function Shell() {
  const [help, setHelp] = useState(false);
  const { page, rest } = place.value;
  useKeys(() => setHelp(true));
  useEffect(() => void load(), []);
  useEffect(() => {
    document.documentElement.dataset.alarms = String(alarmsOpen.value);
  });
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <Nav onHelp={() => setHelp(true)} />
      <main id="main" tabIndex={-1}>
        {link.value === "lost" && (
          <Notice tone="warn">
            The connection to the gateway is lost; trying again. What is shown may be out of date.
          </Notice>
        )}
        <LazyPage page={page} rest={rest} />
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function LazyPage({ page, rest }: { page: string; rest: string }) {
  const [, setTurn] = useState(0);
  const [problem, setProblem] = useState<Error | null>(null);
  const load = PAGES[`./pages/${page}.tsx`];
  const Shown = ready.get(page);
  useEffect(() => {
    setProblem(null);
    if (ready.has(page) || !load) return;
    load()
      .then((module) => {
        ready.set(page, module.default);
        setTurn((was) => was + 1);
      })
      .catch(() => setProblem(new Error("This page couldn't be fetched; the gateway may have been updated.")));
  }, [page, load]);
  useEffect(() => window.scrollTo(0, 0), [page]);
  if (!load) {
    return (
      <Page title="Page not found">
        <div class="card" role="alert">
          <Empty title={`There is no page “${page}”`}>The navigation leads to all there are.</Empty>
        </div>
      </Page>
    );
  }
  if (problem) {
    return (
      <Page title="Page not loaded">
        <Failed error={problem} again={() => window.location.reload()} />
      </Page>
    );
  }
  return Shown ? <Shown rest={rest} /> : <Loading />;
}
