// Builds the dashboard into the Python package. Everything is a file of its own origin: the pages forbid
// inline scripts, inline styles and anything from elsewhere.
import { defineConfig } from "vite";

const GATEWAY = "http://127.0.0.1:8400"; // of `npm run dev`

export default defineConfig({
  base: "/ui/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/pointsman/serve/ui/static.aside", // put in place by built-from.mjs
    emptyOutDir: true,
    assetsInlineLimit: 0,
    license: { fileName: "licenses.md" },
    modulePreload: { polyfill: false },
    target: "es2022",
    rollupOptions: {
      output: {
        manualChunks: (id) => (/node_modules\/(echarts|zrender|tslib)\//.test(id) ? "charts" : undefined),
      },
    },
  },
  server: { proxy: { "/ui/api": GATEWAY } },
});
