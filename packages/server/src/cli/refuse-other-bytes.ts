import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { UsageError } from "./repeatable.ts";

/** What Node puts in the place of bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";

/**
 * Refuses arguments that are not UTF-8: Node changes their bytes, so that they would name another file. Where the system does not
 * tell which bytes they were, the name is taken as it is.
 *
 * @throws UsageError
 */
export function refuseOtherBytes(argv: readonly string[]): void {
  const changed = argv.find((argument) => argument.includes(REPLACEMENT));
  if (changed === undefined || isUtf8(bytesOfArguments())) return;
  const shown = JSON.stringify(changed);
  throw new UsageError(
    `an argument is not UTF-8, and would be taken for ${shown}: name the directory that it lies in, or a link to it`,
  );
}

function bytesOfArguments(): Uint8Array {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch {
    return new Uint8Array(0);
  }
}
