// Onboardings as they go, and what earlier ones came to.
import { useEffect, useRef } from "preact/hooks";
import { del, get } from "../../api";
import { READ_ONLY } from "../../changes";
import { money, number, plural, score, seconds } from "../../format";
import { Button, Card, Meter, Model, say, Tag } from "../../parts";
import { mayChange } from "../../session";
import type { Onboarding } from "../../types";
import { useData, useLive } from "../../use";

interface Known {
  all: Onboarding[];
  reload: () => void;
}

/** Over: finished, or broken off. */
export const isOver = (one: Onboarding): boolean => one.done || one.error !== "";

/** All of them, kept current by live events. */
export function useOnboardings(): Known {
  const found = useData<Onboarding[]>("onboardings", async (signal) =>
    listOf(await get<Onboarding[] | { onboardings: Onboarding[] }>("/onboardings", signal)),
  );
  useLive("onboarding", ({ onboardings }) => found.set((was) => merged(was ?? [], onboardings)));
  useLive("again", found.reload);
  return { all: found.data ?? [], reload: found.reload };
}

const listOf = (given: Onboarding[] | { onboardings: Onboarding[] }): Onboarding[] =>
  Array.isArray(given) ? given : given.onboardings;

/** What was known, with what an event tells put in its place. */
export function merged(was: Onboarding[], news: Onboarding[]): Onboarding[] {
  const told = new Map(news.map((one) => [one.slug, one]));
  const kept = was.map((one) => told.get(one.slug) ?? one);
  return [...kept, ...news.filter((one) => !was.some((old) => old.slug === one.slug))];
}

/** Those that go on now. */
export function Running({ all, reload, ended }: Known & { ended: () => void }) {
  const running = all.filter((one) => !isOver(one));
  const before = useRef<string[]>([]);
  const told = useRef(ended);
  told.current = ended;
  const going = running.map((one) => one.slug).join(" ");
  useEffect(() => {
    const now = going ? going.split(" ") : [];
    if (before.current.some((slug) => !now.includes(slug))) told.current(); // a model is known better now
    before.current = now;
  }, [going]);
  return (
    <>
      {running.map((one) => (
        <Going key={one.slug} one={one} reload={reload} />
      ))}
    </>
  );
}

function Going({ one, reload }: { one: Onboarding; reload: () => void }) {
  const cancel = () =>
    del(`/onboardings/${encodeURIComponent(one.slug)}`)
      .then(() => {
        say(`Onboarding of ${one.model} is being ended; what was asked is kept.`);
        reload();
      })
      .catch((error: Error) => say(error.message));
  const stop = (
    <Button
      little
      kind="danger"
      disabled={!mayChange.value}
      title={mayChange.value ? undefined : READ_ONLY}
      onClick={cancel}
    >
      Cancel
    </Button>
  );
  return (
    <Card title={<>Onboarding {one.model}</>} note={one.stage} aside={stop}>
      <div class="onboarding">
        <Meter share={one.of > 0 ? one.graded / one.of : 0} label={`Probes of ${one.model} graded`} />
        <p class="onboarding-figures tabular">
          <span>{askedOf(one)}</span>
          <span>{money(one.spent_nano)} spent</span>
          {one.mean !== null && <span>{meanOf(one)}</span>}
          {one.eta_s !== null && <span class="push">about {seconds(one.eta_s)} left</span>}
        </p>
      </div>
    </Card>
  );
}

const askedOf = (one: Onboarding): string =>
  one.of === 0
    ? "getting ready: choosing what to ask"
    : `${number(one.graded)} of ${plural(one.of, "probe")} graded, ${number(one.asked)} asked`;

const meanOf = (one: Onboarding): string =>
  `mean score ${score(one.mean, 2)}${one.low === null ? "" : ` (${score(one.low, 2)} to ${score(one.high, 2)})`}`;

/** What earlier ones came to. */
export function Earlier({ all }: { all: Onboarding[] }) {
  const over = all.filter(isOver);
  if (over.length === 0) return null;
  return (
    <details class="card earlier">
      <summary>
        Earlier onboardings <span class="soft">{number(over.length)}</span>
      </summary>
      <ul>
        {over.map((one) => (
          <li key={one.slug}>
            <Model id={one.model} />
            <Tag tone={one.error ? "bad" : "good"}>{one.error ? "broken off" : "done"}</Tag>
            <span class="soft wrap tabular">
              {one.error || `${plural(one.graded, "probe")}, ${money(one.spent_nano)}, ${meanOf(one)}`}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
