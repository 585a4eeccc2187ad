// The table of decisions, live and filtered; with an id in the address, that decision opened.
import { place } from "../router";
import { List } from "./decisions/list";
import { OpenedDecision } from "./decisions/opened";
import "./decisions/decisions.css";

export default function DecisionsPage({ rest }: { rest: string }) {
  return rest ? <OpenedDecision key={rest} id={rest} /> : <List search={place.value.search} />;
}
