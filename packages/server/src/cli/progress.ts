import type { TreeProgress } from "@tvix/castore-fs";
import { withProgressBar } from "./progress-bar.ts";

const MIB = 1 << 20;

/** Runs an operation on a tree, and shows how far it has come. */
export async function withProgress<T>(
  verb: string,
  run: (onProgress: ((progress: TreeProgress) => void) | undefined) => Promise<T>,
): Promise<T> {
  const line = ({ entries, bytes }: TreeProgress) =>
    `${verb}: ${entries} entries, ${(bytes / MIB).toFixed(1)} MiB`;
  return await withProgressBar({ entries: 0, bytes: 0 }, line, run);
}
