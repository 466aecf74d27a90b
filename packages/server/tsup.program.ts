import type { Options } from "tsup";

/**
 * What stays a package of its own: native code, what is loaded only when it is asked for and brings hundreds of files, what
 * starts threads from its own files, and the files of the page.
 */
export const SEPARATE_PACKAGES: readonly string[] = [
  "classic-level",
  "@napi-rs/lzma",
  "@napi-rs/blake-hash",
  "pg",
  "@aws-sdk/client-s3",
  "@opentelemetry/sdk-node",
  "pino",
  "pino-pretty",
  "@tvix/web",
  // CommonJS that is loaded when it is asked for: in a bundle it would lose the names of what it exports.
  "undici",
  "cli-progress",
];

/**
 * The command, with all that it uses in a few files: to look up some 800 modules takes longer than everything else until a
 * daemon is ready.
 */
export const program: Options = {
  entry: {
    cli: "src/cli.ts",
    // Started as threads.
    "zstd-worker": "../castore-packs/dist/zstd-worker.js",
    "bzip2-worker": "../nar-bridge/dist/bzip2-worker.js",
  },
  outDir: "dist/program",
  format: "esm",
  target: "es2024",
  platform: "node",
  splitting: true,
  clean: true,
  metafile: true,
  external: [/^node:/, ...SEPARATE_PACKAGES],
  noExternal: [new RegExp(`^(?!node:|(?:${SEPARATE_PACKAGES.join("|")})(?:/|$))`)],
  // Chunks of packages without side effects are imported for their order only, and need not be.
  esbuildOptions: (options) => {
    options.logOverride = { "ignored-bare-import": "silent" };
  },
  // Some of Node's modules, such as node:sqlite, have no name without it.
  removeNodeProtocol: false,
  // CommonJS modules ask for Node's own by `require`.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
};
