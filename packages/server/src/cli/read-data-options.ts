import type { DataSample } from "@tvix/castore/backend";
import { type Command, InvalidArgumentError } from "commander";
import { integer } from "./parse.ts";

/** Of how much of a store the bytes are read. */
export interface ReadDataOptions {
  readonly readData?: boolean;
  readonly readDataSubset?: DataSample;
  readonly maxRate?: number;
}

/** Adds the options that say of how much of a store the bytes are read. */
export function withReadData(command: Command): Command {
  return command
    .option("--read-data", "read all chunks, and compare them with their digests")
    .option(
      "--read-data-subset <part>",
      "read some: 2/7 for the second of seven parts, or 5% at random",
      parseSample,
    )
    .option("--max-rate <MiB>", "bytes that are read in a second, at most", integer(1, 1 << 20));
}

/** What these options say. */
export function readDataWishes({ readData = false, readDataSubset, maxRate }: ReadDataOptions): {
  readonly data: DataSample;
  readonly bytesPerSecond: number | undefined;
} {
  return {
    data: readData ? "all" : (readDataSubset ?? "none"),
    bytesPerSecond: maxRate === undefined ? undefined : maxRate * 2 ** 20,
  };
}

/** `n/t` or `x%`, as restic has it. */
function parseSample(text: string): DataSample {
  const [, part, of] = /^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? [];
  if (Number(part) >= 1 && Number(part) <= Number(of)) return { part: Number(part), of: Number(of) };
  const [, percent] = /^(\d{1,3}(?:\.\d{1,9})?)%$/.exec(text) ?? [];
  if (Number(percent) > 0 && Number(percent) <= 100) return { percent: Number(percent) };
  throw new InvalidArgumentError("expected a part such as 2/7, or a share such as 5%.");
}
