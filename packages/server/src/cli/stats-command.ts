import type { Command } from "commander";
import type { StatsResult } from "../maintenance/maintenance.ts";
import { mebibytes, type StoreOptions, withMaintenance, withStore } from "./maintained-store.ts";
import { print } from "./output.ts";
import { integer } from "./parse.ts";
import { withElapsedTime } from "./progress.ts";

interface StatsCommandOptions extends StoreOptions {
  readonly compare?: number;
}

/** `tvix-store stats`: what is stored, and how much that takes. */
export function addStatsCommand(program: Command): void {
  withStore(program.command("stats"))
    .description("count what is stored, and what it takes")
    .option(
      "--compare <paths>",
      "compress so many paths, drawn at random, as zstd and xz NARs to compare",
      integer(1, 1000),
    )
    .action(stats);
}

async function stats({
  compare: comparedPaths,
  json = false,
  ...options
}: StatsCommandOptions): Promise<void> {
  const result = await withElapsedTime("stats", () =>
    withMaintenance(options, (maintenance) => maintenance.stats({ comparedPaths })),
  );
  await print(json ? `${JSON.stringify(result)}\n` : describe(result));
}

function describe(stats: StatsResult): string {
  const { narBytes, chunkBytes, storedBytes, files, comparison } = stats;
  const lines: (readonly [name: string, value: string])[] = [
    ["paths", `${stats.paths}, as NARs ${mebibytes(narBytes)}`],
    ["quarantined", String(stats.quarantined)],
    ["pins", String(stats.pins)],
    ["directories", String(stats.directories)],
    ["long blobs", String(stats.blobs)],
    ["chunks", `${stats.chunks}, of which ${stats.damaged} are damaged`],
    ["bytes of chunks", `${mebibytes(chunkBytes)}, 1 in ${ratio(narBytes, chunkBytes)} of the NARs`],
    ["stored", `${mebibytes(storedBytes)}, 1 in ${ratio(chunkBytes, storedBytes)} of the chunks`],
    [
      "files",
      `packs ${mebibytes(files.packs)}, index ${mebibytes(files.index)}, journal ${mebibytes(files.journal)}`,
    ],
  ];
  if (comparison !== undefined) {
    const { paths, zstdBytes, xzBytes } = comparison;
    const share = narBytes === 0 ? 0 : (files.packs + files.index + files.journal) / narBytes;
    lines.push([
      "compared",
      `${paths} paths, NARs of ${mebibytes(comparison.narBytes)}: as zstd ${mebibytes(zstdBytes)}, ` +
        `as xz ${mebibytes(xzBytes)}; this store takes ${mebibytes(share * comparison.narBytes)} for as many bytes`,
    ]);
  }
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

function ratio(before: number, after: number): string {
  return after === 0 ? "1.00" : (before / after).toFixed(2);
}
