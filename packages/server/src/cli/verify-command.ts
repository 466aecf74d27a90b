import type { StoreFault } from "@tvix/store/verify";
import type { Command } from "commander";
import type { VerificationResult } from "../maintenance/maintenance.ts";
import { mebibytes, type StoreOptions, withMaintenance, withStore } from "./maintained-store.ts";
import { print } from "./output.ts";
import { withElapsedTime } from "./progress.ts";
import { type ReadDataOptions, readDataWishes, withReadData } from "./read-data-options.ts";

interface VerifyCommandOptions extends StoreOptions, ReadDataOptions {}

/** Exit status where something is wrong with the store. */
const FAULTS = 1;

/** `tvix-store verify`: looks through a store, and says what is wrong. */
export function addVerifyCommand(program: Command): void {
  withReadData(withStore(program.command("verify")))
    .description(
      "look through everything that is stored, and say what is damaged or missing and which paths lack it",
    )
    .action(verify);
}

async function verify(options: VerifyCommandOptions): Promise<void> {
  const { json = false } = options;
  const result = await withElapsedTime("verify", () =>
    withMaintenance(options, (maintenance) =>
      maintenance.verify({
        ...readDataWishes(options),
        onFault: (fault) => print(json ? `${JSON.stringify(fault)}\n` : `${describeFault(fault)}\n`),
      }),
    ),
  );
  if (json) await print(`${JSON.stringify(result)}\n`);
  else process.stderr.write(describeResult(result));
  if (result.faults > 0) process.exitCode = FAULTS;
}

function describeFault({ subject, name, kind, text, of }: StoreFault): string {
  return of === undefined ? `${kind} ${subject} ${name}: ${text}` : `${of} is not whole: ${text}`;
}

function describeResult({
  faults,
  paths,
  directories,
  blobs,
  chunks,
  bytesRead,
}: VerificationResult): string {
  const seen = `${paths} paths, ${directories} directories, ${blobs} long blobs, ${chunks} chunks`;
  const found =
    faults === 0
      ? "nothing is wrong"
      : `${faults} faults; repair mends what it can, and so does storing it again`;
  return `looked at ${seen}, read ${mebibytes(bytesRead)}: ${found}\n`;
}
