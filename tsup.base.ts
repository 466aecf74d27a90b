import type { Options } from "tsup";

/**
 * The one place for build options: ES modules with declarations and source maps
 * in `dist/`, one file per public entry, shared code in chunks beside them.
 *
 * @param entry public entries: name of the built file to its source
 */
export function library(entry: Record<string, string>): Options {
  return {
    entry,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    outDir: "dist",
    // Tests run without: to write them takes most of a build.
    dts: process.env["BUILD_TYPES"] !== "none",
    sourcemap: true,
    splitting: true,
    clean: true,
    // Declared dependencies stay imports anyway; so do Node's modules and import maps.
    external: [/^node:/, /^#/],
    // Some of Node's modules, such as node:sqlite, have no name without it.
    removeNodeProtocol: false,
  };
}
