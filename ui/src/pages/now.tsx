import { Page } from "../parts";

export default function NowPage() {
  return <Page title="Now" />;
}
