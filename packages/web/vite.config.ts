import { defineConfig } from "vite";

/** The page below `/web/`, in files whose names change with their contents; beside what tsup has built. */
export default defineConfig({
  root: "src/page",
  base: "/web/",
  build: {
    outDir: "../../dist/page",
    emptyOutDir: true,
    // A page that may run nothing but its own files holds none of them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  logLevel: "warn",
});
