// What the drift watch has noticed, active ones first; acknowledging needs a session that may change things.
import { useState } from "preact/hooks";
import { post } from "../../api";
import { READ_ONLY } from "../../changes";
import { now } from "../../now-store";
import { Ago, Button, Card, Model, say, Tag } from "../../parts";
import { mayChange } from "../../session";
import type { Alarm } from "../../types";
import { useNarrow } from "../../use";

const FEW = 3;

export function Alarms({ alarms }: { alarms: Alarm[] }) {
  const [all, setAll] = useState(false);
  const order = [...alarms].sort((a, b) => Number(b.active) - Number(a.active) || b.since_s - a.since_s);
  const active = alarms.filter((one) => one.active).length;
  const few = useNarrow(640) ? 2 : FEW;
  const shown = all ? order : order.slice(0, active ? Math.min(active, few) : few);
  return (
    <Card
      flush
      title="Alarms"
      note={alarms.length ? (active ? "" : "none active") : "none"}
      aside={
        order.length > shown.length && (
          <Button kind="plain" little onClick={() => setAll(true)}>
            Show all {order.length}
          </Button>
        )
      }
    >
      <ul class="alarms">
        {shown.map((alarm) => (
          <li key={alarm.id} class={alarm.active ? alarm.severity : "past"}>
            <Tag tone={!alarm.active ? "plain" : alarm.severity === "alarm" ? "bad" : "warn"}>
              {alarm.active ? alarm.severity : "past"}
            </Tag>
            <span class="alarm-what">
              {alarm.model && !alarm.what.includes(alarm.model) && <Model id={alarm.model} />}
              {sentence(alarm.what)}
            </span>
            <span class="soft small">
              <Ago at_s={alarm.since_s} />
            </span>
            {alarm.active && <Acknowledge alarm={alarm} />}
          </li>
        ))}
      </ul>
    </Card>
  );
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function Acknowledge({ alarm }: { alarm: Alarm }) {
  if (alarm.acknowledged_s) return <Tag>acknowledged</Tag>;
  const send = () =>
    post<Alarm>(`/alarms/${encodeURIComponent(alarm.id)}/acknowledge`)
      .then(put)
      .catch((error: Error) => say(error.message));
  return (
    <Button little disabled={!mayChange.value} title={mayChange.value ? undefined : READ_ONLY} onClick={send}>
      Acknowledge
    </Button>
  );
}

function put(next: Alarm): void {
  const have = now.peek();
  if (!have) return;
  const alarms = have.alarms.map((one) => (one.id === next.id ? next : one));
  now.value = { ...have, alarms };
}
