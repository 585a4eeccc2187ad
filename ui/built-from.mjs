// What the shipped files were built from: one SHA-256 over sources, configuration and lock file, sorted by path.
// `--put` puts what was just built in place, all at once, with the hash beside it; without it, exits 1 if the files in
// place were built from something else.
import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

const FILES = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"];
const PLACE = new URL("../src/pointsman/serve/ui/static/", import.meta.url);
const ASIDE = new URL("../src/pointsman/serve/ui/static.aside/", import.meta.url);
const NOTE = "built_from.txt";
// What the build's own list of licences doesn't know of.
const NOTICES = [
  ["Inter, the font (OFL-1.1)", "@fontsource-variable/inter/LICENSE"],
  ["echarts: NOTICE", "echarts/NOTICE"],
];

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

if (process.argv.includes("--put")) {
  writeFileSync(new URL(NOTE, ASIDE), digest);
  for (const [name, path] of NOTICES) {
    const text = readFileSync(new URL(`node_modules/${path}`, import.meta.url), "utf8");
    appendFileSync(new URL("licenses.md", ASIDE), `\n## ${name}\n\n\`\`\`\n${text.trim()}\n\`\`\`\n`);
  }
  rmSync(PLACE, { recursive: true, force: true });
  renameSync(ASIDE, PLACE);
} else if (readFileSync(new URL(NOTE, PLACE), "utf8") !== digest) {
  console.error("The shipped dashboard was built from other sources: run `npm run build` in ui/.");
  process.exit(1);
}
