import { readFileSync } from "node:fs";
import { Option } from "commander";
import type { Composition } from "../compose/composition.ts";
import { readComposition } from "../compose/read-composition.ts";
import { describeMistakes } from "../config/config-file.ts";
import { directory } from "./parse.ts";
import { UsageError } from "./repeatable.ts";

/** `--store-composition`: a file that says what a store is made of. */
export function compositionOption(): Option {
  return new Option(
    "--store-composition <file>",
    "TOML file that says what the store is made of, as tvix-store has it; then no address counts",
  )
    .env("TVIX_STORE_COMPOSITION")
    .argParser(directory);
}

/** The same by the name and the variable of tvix-store. */
export function experimentalCompositionOption(): Option {
  return new Option("--experimental-store-composition <file>", "the same, as tvix-store calls it")
    .env("EXPERIMENTAL_STORE_COMPOSITION")
    .argParser(directory)
    .hideHelp();
}

/** What the command line says of a composition. */
export interface CompositionOptions {
  readonly storeComposition?: string;
  readonly experimentalStoreComposition?: string;
}

/**
 * The composition that a file has, where one is named.
 *
 * @throws UsageError that names every mistake with its place
 */
export function compositionOfFile(options: CompositionOptions): Composition | undefined {
  const path = options.storeComposition ?? options.experimentalStoreComposition;
  if (path === undefined) return undefined;
  const { composition, mistakes } = readComposition(readFileSync(path, "utf8"));
  if (composition !== undefined) return composition;
  throw new UsageError(describeMistakes(path, mistakes).join("\n"));
}
