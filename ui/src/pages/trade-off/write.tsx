// The change as a file for review: the gateway writes a proposed configuration beside the one in force and shows what
// differs. Nothing is put in force from here.
import type { Written } from "../../types";

/** How a line of a unified diff is to look. */
export function kindOf(line: string): "head" | "added" | "removed" | "hunk" | "same" {
  if (line.startsWith("+++") || line.startsWith("---")) return "head";
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("+")) return "added";
  return line.startsWith("-") ? "removed" : "same";
}

export function Diff({ diff }: { diff: string }) {
  const lines = diff.replace(/\n$/, "").split("\n");
  return (
    <section class="diff" tabIndex={0} aria-label="What differs">
      {lines.map((line, k) => (
        <code key={k} class={`diff-${kindOf(line)}`}>
          {line || " "}
        </code>
      ))}
    </section>
  );
}

export function WrittenChange({ written }: { written: Written }) {
  return (
    <div class="written">
      <p>
        Written to <code>{written.path}</code>. The configuration in force is untouched: look it over and put it in its
        place yourself. The gateway takes a new configuration over without a restart.
      </p>
      <Diff diff={written.diff} />
    </div>
  );
}
