// Columns of the table of models.
import { brief, money, ms, number, percent, score, usd } from "../../format";
import { type Column, Model, Tag, type Tone } from "../../parts";
import type { ModelRow } from "../../types";

const DUTY: Record<ModelRow["duty"], Tone> = { serving: "good", waiting: "accent", shadow: "plain", retired: "plain" };
const HEALTH: Record<ModelRow["health"], Tone> = { up: "good", resting: "bad", unknown: "plain" };
const FAILING = 0.05; // share of failed answers that stands out

export const DutyTag = ({ one }: { one: ModelRow }) => (
  <Tag tone={DUTY[one.duty]} title={one.why}>
    {one.duty}
  </Tag>
);

export const HealthTag = ({ one }: { one: ModelRow }) => <Tag tone={HEALTH[one.health]}>{healthOf(one)}</Tag>;

function healthOf(one: ModelRow): string {
  if (one.health !== "resting" || one.endpoints.length < 2) return one.health;
  const resting = one.endpoints.filter((endpoint) => endpoint.resting_s !== null).length;
  return `${resting} of ${one.endpoints.length} resting`;
}

const AlarmsTag = ({ one }: { one: ModelRow }) =>
  one.alarms > 0 ? <Tag tone="bad">{`${one.alarms} ${one.alarms === 1 ? "alarm" : "alarms"}`}</Tag> : null;

const Failing = ({ share }: { share: number | null }) => (
  <span class={share !== null && share >= FAILING ? "bad" : ""}>{percent(share, 1)}</span>
);

/** Of traffic; who isn't there to serve has none. */
const shareOf = (one: ModelRow): number | null => (one.duty === "serving" || one.share ? one.share : null);

const Soft = ({ text }: { text: string }) => <span class="soft"> {text}</span>;

/** From what matters most to what matters least; the last ones go first where there is little room. */
export function columns(): Column<ModelRow>[] {
  return [
    { id: "id", head: "Model", by: (one) => brief(one.id), cell: (one) => <Model id={one.id} /> },
    {
      id: "state",
      head: "State",
      by: (one) => one.duty,
      cell: (one) => (
        <span class="states">
          <DutyTag one={one} />
          {one.health === "resting" && <HealthTag one={one} />}
          <AlarmsTag one={one} />
        </span>
      ),
    },
    {
      id: "quality",
      head: "Estimate",
      title: "Mean estimated quality, and its spread",
      num: true,
      by: (one) => one.quality,
      cell: (one) => (
        <>
          {score(one.quality)}
          <Soft text={`±${one.spread.toFixed(3)}`} />
        </>
      ),
    },
    {
      id: "feedback",
      head: "Feedback",
      title: "Mean score given, and for how many answers",
      num: true,
      by: (one) => one.feedback,
      cell: (one) => (
        <>
          {score(one.feedback)}
          {one.scored > 0 && <Soft text={`of ${number(one.scored)}`} />}
        </>
      ),
      from: 700,
    },
    { id: "share", head: "Share", num: true, by: shareOf, cell: (one) => percent(shareOf(one), 1) },
    {
      id: "cost",
      head: "Cost",
      title: "Mean of an answer",
      num: true,
      by: (one) => one.cost_nano,
      cell: (one) => money(one.cost_nano),
    },
    {
      id: "p50",
      head: "p50",
      num: true,
      by: (one) => one.total_p50_ms,
      cell: (one) => ms(one.total_p50_ms),
      from: 640,
    },
    {
      id: "p99",
      head: "p99",
      num: true,
      by: (one) => one.total_p99_ms,
      cell: (one) => ms(one.total_p99_ms),
      from: 860,
    },
    {
      id: "failed",
      head: "Failed",
      num: true,
      by: (one) => one.failed_share,
      cell: (one) => <Failing share={one.failed_share} />,
      from: 700,
    },
    {
      id: "answered",
      head: "Answered",
      num: true,
      by: (one) => one.answered,
      cell: (one) => number(one.answered),
      from: 1080,
    },
    {
      id: "rates",
      head: "Rates",
      title: "Input and output, per million tokens",
      num: true,
      by: (one) => one.output_usd,
      cell: (one) => `${usd(one.input_usd)} / ${usd(one.output_usd)}`,
      from: 1240,
    },
    { id: "known", head: "Known by", by: (one) => one.known_by, cell: (one) => one.known_by, from: 1440 },
  ];
}
