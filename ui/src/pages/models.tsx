// The models: how each does, where each is good, which err alike, whether estimates hold; and a new one is taken in.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { READ_ONLY } from "../changes";
import { brief, plural } from "../format";
import { Button, Card, Choice, Empty, Failed, Loading, Page, Table } from "../parts";
import { go, place } from "../router";
import { mayChange } from "../session";
import type { Id, ModelRow, Models, Profile } from "../types";
import { useData, useLive } from "../use";
import { CalibrationChart, curvesOf } from "./models/calibration";
import { Chosen } from "./models/chosen";
import { columns } from "./models/health";
import { columnsOf, HeatMap, rowsOf } from "./models/heat";
import { loadModels } from "./models/known";
import { LikenessMap } from "./models/likeness";
import { OnboardDialog } from "./models/onboard";
import { Earlier, Running, useOnboardings } from "./models/onboardings";
import { SpeedChart, timedOf } from "./models/speed";
import "./models/models.css";

const AGAIN_MS = 15_000; // figures of health, cost and time grow old

export default function ModelsPage() {
  const models = useData<Models>("models", loadModels);
  const onboardings = useOnboardings();
  const [asked, setAsked] = useState<Id | null>(null); // to be onboarded; "" leaves the choice open
  useEffect(() => {
    const timer = window.setInterval(() => document.hidden || models.reload(), AGAIN_MS);
    return () => window.clearInterval(timer);
  }, [models.reload]);
  useLive("changed", models.reload);
  useLive("again", models.reload);
  const data = models.data;
  return (
    <Page
      title="Models"
      note={data && countsOf(data.models)}
      aside={data && <OnboardButton ask={() => setAsked("")} />}
    >
      {!data && models.loading && <Loading />}
      {models.error && <Failed error={models.error} again={models.reload} />}
      <Running {...onboardings} ended={models.reload} />
      {data && <Shown data={data} onboard={setAsked} />}
      <Earlier all={onboardings.all} />
      {data && asked !== null && (
        <OnboardDialog
          models={data.models}
          chosen={asked}
          onClose={() => setAsked(null)}
          begun={() => {
            setAsked(null);
            onboardings.reload();
          }}
        />
      )}
    </Page>
  );
}

const OnboardButton = ({ ask }: { ask: () => void }) => (
  <Button kind="primary" disabled={!mayChange.value} title={mayChange.value ? undefined : READ_ONLY} onClick={ask}>
    Onboard a model
  </Button>
);

function countsOf(models: ModelRow[]): string {
  const of = (duty: ModelRow["duty"]): number => models.filter((one) => one.duty === duty).length;
  const resting = models.filter((one) => one.health === "resting").length;
  const parts = [`${of("serving")} serving`];
  for (const duty of ["waiting", "shadow", "retired"] as const) if (of(duty)) parts.push(`${of(duty)} ${duty}`);
  if (resting) parts.push(`${resting} resting`);
  return parts.join(" · ");
}

function Shown({ data, onboard }: { data: Models; onboard: (id: Id) => void }) {
  const id = place.value.search.get("model");
  const chosen = data.models.find((one) => one.id === id) ?? null;
  const cells = useMemo(() => columns(), []);
  if (data.models.length === 0) {
    return <Empty title="No models">Put models into the configuration; they appear here without a restart.</Empty>;
  }
  return (
    <>
      <Card flush class="models-table">
        <Table
          label="Models, their health, quality, cost and time"
          columns={cells}
          rows={data.models}
          rowKey={(one) => one.id}
          href={(one) => addressOf(one.id === id ? null : one.id)}
          chosen={id}
        />
      </Card>
      {chosen && <Chosen model={chosen} onboard={() => onboard(chosen.id)} close={() => go(addressOf(null))} />}
      <Charts data={data} chosen={chosen?.id ?? null} />
    </>
  );
}

const addressOf = (id: Id | null): string => (id ? `/ui/models?model=${encodeURIComponent(id)}` : "/ui/models");

function Charts({ data, chosen }: { data: Models; chosen: Id | null }) {
  const timed = timedOf(data.models);
  const curves = curvesOf(data.calibration);
  return (
    <div class="models-charts">
      <Profiles data={data} chosen={chosen} />
      <Part title="Likeness" note="near: they err on the same prompts" none={data.likeness.length < 2 && whyOf(data)}>
        <LikenessMap spots={data.likeness} chosen={chosen} />
        <p class="soft small">{missingOf(data)}</p>
      </Part>
      <Part title="Cost and time" note="median, up to the 99th percentile" none={timed.length === 0 && NO_ANSWERS}>
        <SpeedChart models={data.models} chosen={chosen} />
      </Part>
      <Part
        title="Calibration"
        class="models-calibration"
        note="feedback against the estimate"
        none={curves.length === 0 && NO_FEEDBACK}
      >
        <CalibrationChart curves={data.calibration} chosen={chosen} choose={(one) => go(addressOf(one))} />
      </Part>
    </div>
  );
}

function missingOf(data: Models): string {
  const there = new Set(data.likeness.map((spot) => spot.id));
  const missing = data.models.filter((one) => one.duty === "serving" && !there.has(one.id));
  const names = missing.map((one) => brief(one.id)).join(", ");
  const none = missing.length === 1 ? "has" : "have";
  return missing.length > 0 ? `Not on it: ${names}, which ${none} too few outcomes on the same prompts as others.` : "";
}

const NO_ANSWERS = "Nothing has been answered yet.";
const NO_FEEDBACK = "It takes feedback on answers: POST /v1/feedback with a score.";
const whyOf = (data: Models): string => data.likeness_why || "It takes two models with outcomes on the same prompts.";

interface PartProps {
  title: string;
  note: string;
  none: string | false;
  class?: string;
  children: ComponentChildren;
}

const Part = ({ none, children, ...card }: PartProps) => (
  <Card {...card}>{none === false ? children : <Empty title="Nothing to show yet">{none}</Empty>}</Card>
);

type Kind = "skills" | "topics";
const WITHOUT: Record<Kind, string> = {
  skills: "Skills are known of models that were onboarded here, by graded probes.",
  topics: "Topics come with the first fit on recorded outcomes.",
};

function Profiles({ data, chosen }: { data: Models; chosen: Id | null }) {
  const has = (kind: Kind): boolean => data[kind].rows.length > 0 && columnsOf(data[kind]).length > 0;
  const [wanted, setWanted] = useState<Kind | null>(null);
  const kind = wanted ?? (has("topics") || !has("skills") ? "topics" : "skills");
  const note = has(kind) ? `${countOf(data[kind], kind)} · mean scores` : "";
  return (
    <Card
      title="Who is good at what"
      class="models-profiles"
      note={note}
      aside={<KindChoice kind={kind} set={setWanted} />}
    >
      {has(kind) ? (
        <HeatMap profile={data[kind]} label={`Mean scores by ${kind} and model`} chosen={chosen} />
      ) : (
        <Empty title="Nothing to show yet">{WITHOUT[kind]}</Empty>
      )}
    </Card>
  );
}

function countOf(profile: Profile, kind: Kind): string {
  const [shown, all] = [rowsOf(profile, columnsOf(profile)).length, profile.rows.length];
  return shown === all ? plural(all, kind.slice(0, -1)) : `${shown} of ${all} ${kind} with outcomes`;
}

const KindChoice = ({ kind, set }: { kind: Kind; set: (kind: Kind) => void }) => (
  <Choice
    label="Rows"
    value={kind}
    options={[
      ["topics", "Topics"],
      ["skills", "Skills"],
    ]}
    onChange={set}
  />
);
