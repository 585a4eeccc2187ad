import { Page } from "../parts";

export default function LedgerPage() {
  return <Page title="Ledger" />;
}
