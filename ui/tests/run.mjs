// Runs the tests of plain functions in Node's runner; those in TypeScript are bundled first with the build tool.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";

const here = import.meta.dirname;
const named = (end) => readdirSync(here).filter((name) => name.endsWith(end));
const names = named(".test.ts");
const folder = mkdtempSync(join(tmpdir(), "ui-tests-"));
try {
  await build({
    root: join(here, ".."),
    configFile: false,
    logLevel: "error",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: true,
      rollupOptions: { input: names.map((name) => join(here, name)), output: { entryFileNames: "[name].mjs" } },
    },
    ssr: { noExternal: true },
  });
  const files = names.map((name) => join(folder, name.replace(/\.ts$/, ".mjs")));
  const all = [...files, ...named(".test.mjs").map((name) => join(here, name))];
  const ran = spawnSync(process.execPath, ["--test", ...all], { stdio: "inherit", cwd: join(here, "..") });
  process.exitCode = ran.status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
