import type { RepairStep } from "@tvix/store/repair";
import type { Command } from "commander";
import type { RepairResult } from "../maintenance/maintenance.ts";
import { mebibytes, type StoreOptions, withMaintenance, withStore } from "./maintained-store.ts";
import { print } from "./output.ts";
import { withElapsedTime } from "./progress.ts";
import { type ReadDataOptions, readDataWishes, withReadData } from "./read-data-options.ts";
import { repeatableSecret, UsageError } from "./repeatable.ts";
import { type DaemonUpstream, parseDaemonUpstream } from "./upstream-option.ts";

interface RepairCommandOptions extends StoreOptions, ReadDataOptions {
  readonly from?: readonly DaemonUpstream[];
  readonly remakeIndex?: boolean;
}

/** Exit status where something is lost. */
const LOST = 1;

/** `tvix-store repair`: looks through a store, and mends what is wrong. */
export function addRepairCommand(program: Command): void {
  withReadData(withStore(program.command("repair")))
    .description(
      "look through everything as verify does, and mend what is wrong; what cannot be mended counts as absent",
    )
    .addOption(
      repeatableSecret(
        "--from <address>",
        "who has what is lost: grpc+http(s)://… or nix+http(s)://…; a daemon asks its upstreams",
        parseDaemonUpstream,
      ),
    )
    .option("--remake-index", "set the index aside, and make it again from the journal and the packs")
    .action(repair);
}

async function repair(options: RepairCommandOptions): Promise<void> {
  const { from = [], remakeIndex = false, data, json = false } = options;
  if (data === undefined && (from.length > 0 || remakeIndex)) {
    throw new UsageError("options '--from' and '--remake-index' are for a data directory, with '--data'");
  }
  const result = await withElapsedTime("repair", () =>
    withMaintenance(
      options,
      (maintenance) => maintenance.repair({ ...readDataWishes(options), onStep: (step) => tell(step, json) }),
      { remakesIndex: remakeIndex ? "always" : "damaged", repairUpstreams: from },
    ),
  );
  if (json) await print(`${JSON.stringify(result)}\n`);
  else process.stderr.write(describeResult(result));
  if (result.steps.lost + result.steps.quarantined > 0) process.exitCode = LOST;
}

async function tell(step: RepairStep, json: boolean): Promise<void> {
  const { action, name, text } = step;
  await print(json ? `${JSON.stringify(step)}\n` : `${action} ${name}: ${text}\n`);
}

function describeResult({ steps, paths, directories, blobs, chunks, bytesRead }: RepairResult): string {
  const seen = `${paths} paths, ${directories} directories, ${blobs} long blobs, ${chunks} chunks`;
  const done = Object.entries(steps).filter(([, count]) => count > 0);
  const text = done.map(([action, count]) => `${count} ${action}`).join(", ");
  return `looked at ${seen}, read ${mebibytes(bytesRead)}: ${text === "" ? "nothing was wrong" : text}\n`;
}
