// What the shipped files were built from: one SHA-256 over sources, configuration and lock file, sorted by path.
// `--write` keeps it beside them; without it, exits 1 if they were built from something else.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const FILES = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"];
const KEPT = new URL("../src/pointsman/serve/ui/static/built_from.txt", import.meta.url);

const sources = readdirSync(new URL("src", import.meta.url), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`)
  .map((path) => path.slice(path.indexOf("/ui/src/") + "/ui/".length));

const hash = createHash("sha256");
for (const path of [...FILES, ...sources].sort()) {
  hash
    .update(`${path}\0`)
    .update(readFileSync(new URL(path, import.meta.url)))
    .update("\0");
}
const digest = `${hash.digest("hex")}\n`;

if (process.argv.includes("--write")) {
  writeFileSync(KEPT, digest);
} else if (readFileSync(KEPT, "utf8") !== digest) {
  console.error("The shipped dashboard was built from other sources: run `npm run build` in ui/.");
  process.exit(1);
}
