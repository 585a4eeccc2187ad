import { Page } from "../parts";

export default function DecisionsPage() {
  return <Page title="Decisions" />;
}
