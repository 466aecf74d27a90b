import { once } from "node:events";
import { endProgressLine } from "./progress-bar.ts";

/** Writes to stdout and waits until it takes more. */
export async function print(output: string | Uint8Array): Promise<void> {
  endProgressLine();
  if (!process.stdout.write(output)) await once(process.stdout, "drain");
}

/** Lets a reader of stdout go when it has seen enough: the process ends at once, with success. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`tvix-store: cannot write to stdout: ${error.message}\n`);
    process.exit(1);
  });
}
