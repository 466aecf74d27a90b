import type { DataSample } from "@tvix/castore/backend";
import type { StoreFault } from "@tvix/store/verify";
import { type Command, InvalidArgumentError } from "commander";
import type { VerificationResult } from "../maintenance/maintenance.ts";
import { mebibytes, type StoreOptions, withMaintenance, withStore } from "./maintained-store.ts";
import { print } from "./output.ts";
import { integer } from "./parse.ts";

interface VerifyCommandOptions extends StoreOptions {
  readonly readData?: boolean;
  readonly readDataSubset?: DataSample;
  readonly maxRate?: number;
}

/** Exit status where something is wrong with the store. */
const FAULTS = 1;

/** `tvix-store verify`: looks through a store, and says what is wrong. */
export function addVerifyCommand(program: Command): void {
  withStore(program.command("verify"))
    .description(
      "look through everything that is stored, and say what is damaged or missing and which paths lack it",
    )
    .option("--read-data", "read all chunks, and compare them with their digests")
    .option(
      "--read-data-subset <part>",
      "read some: 2/7 for the second of seven parts, or 5% at random",
      parseSample,
    )
    .option("--max-rate <MiB>", "bytes that are read in a second, at most", integer(1, 1 << 20))
    .action(verify);
}

/** `n/t` or `x%`, as restic has it. */
function parseSample(text: string): DataSample {
  const [, part, of] = /^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? [];
  if (Number(part) >= 1 && Number(part) <= Number(of)) return { part: Number(part), of: Number(of) };
  const [, percent] = /^(\d{1,3}(?:\.\d{1,9})?)%$/.exec(text) ?? [];
  if (Number(percent) > 0 && Number(percent) <= 100) return { percent: Number(percent) };
  throw new InvalidArgumentError("expected a part such as 2/7, or a share such as 5%.");
}

async function verify(options: VerifyCommandOptions): Promise<void> {
  const { readData = false, readDataSubset, maxRate, json = false } = options;
  const result = await withMaintenance(options, (maintenance) =>
    maintenance.verify({
      data: readData ? "all" : (readDataSubset ?? "none"),
      bytesPerSecond: maxRate === undefined ? undefined : maxRate * 2 ** 20,
      onFault: (fault) => print(json ? `${JSON.stringify(fault)}\n` : `${describeFault(fault)}\n`),
    }),
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
  const found = faults === 0 ? "nothing is wrong" : `${faults} faults; what is stored again is mended`;
  return `looked at ${seen}, read ${mebibytes(bytesRead)}: ${found}\n`;
}
