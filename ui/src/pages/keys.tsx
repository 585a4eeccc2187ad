import { Page } from "../parts";

export default function KeysPage() {
  return <Page title="Keys" />;
}
