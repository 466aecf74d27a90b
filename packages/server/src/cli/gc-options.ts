import { type Command, Option } from "commander";
import { type CollectionDefaults, DEFAULT_GRACE_MS } from "../maintenance/local-maintenance.ts";
import { parseDuration } from "./duration.ts";
import { integer } from "./parse.ts";

/** Which paths a collection keeps, and how long it waits. */
export interface GcOptions {
  /** In milliseconds. */
  readonly gcKeepUnused?: number;
  /** In MiB. */
  readonly gcMaxSize?: number;
  /** In milliseconds. */
  readonly gcGrace?: number;
}

/** The options of a daemon that say how its store is collected. */
export interface DaemonGcOptions extends GcOptions {
  /** In milliseconds. */
  readonly gcInterval?: number;
  /** In MiB in a second. */
  readonly scrubRate?: number;
  /** In milliseconds. */
  readonly scrubPeriod: number;
}

/** Adds the options that say how the store of a daemon is collected. */
export function addDaemonGcOptions(command: Command): void {
  command
    .option(
      "--gc-interval <time>",
      "remove what nothing keeps so often, such as 12h or 1d; default only when somebody asks for it",
      parseDuration,
    )
    .option(
      "--gc-keep-unused <time>",
      "how long store paths are kept that nobody asks for, such as 30d; default for ever",
      parseDuration,
    )
    .option(
      "--gc-max-size <MiB>",
      "what all that is kept may take; who was used the longest time ago goes first; default any size",
      integer(1, 1 << 30),
    )
    .option(
      "--scrub-rate <MiB>",
      "look through the store by itself, and read so much of it in a second at most; default it is not",
      integer(1, 1 << 20),
    )
    .addOption(
      new Option("--scrub-period <time>", "time in which all of it is read once, a part a day")
        .argParser(parseDuration)
        .default(30 * 86_400_000, "30d"),
    )
    .addOption(
      new Option("--gc-grace <time>", "how long what is condemned can still be had back")
        .argParser(parseDuration)
        .default(DEFAULT_GRACE_MS, "1d"),
    );
}

/** How a store is collected unless a request says otherwise. */
export function collectionDefaults({ gcKeepUnused, gcMaxSize, gcGrace }: GcOptions): CollectionDefaults {
  return {
    unusedMs: gcKeepUnused,
    maxBytes: gcMaxSize === undefined ? undefined : gcMaxSize * 2 ** 20,
    graceMs: gcGrace ?? DEFAULT_GRACE_MS,
  };
}
