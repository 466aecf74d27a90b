import type { TreeProgress } from "@tvix/castore-fs";
import { withProgressBar } from "./progress-bar.ts";

const MIB = 1 << 20;

/** Runs something that takes its time and tells nothing of it, and shows for how long it has been at it. */
export async function withElapsedTime<T>(verb: string, run: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const line = () => `${verb}: ${Math.floor((performance.now() - begun) / 1000)} s`;
  return await withProgressBar({}, line, run);
}

/** Runs an operation on a tree, and shows how far it has come. */
export async function withProgress<T>(
  verb: string,
  run: (onProgress: ((progress: TreeProgress) => void) | undefined) => Promise<T>,
): Promise<T> {
  const line = ({ entries, bytes }: TreeProgress) =>
    `${verb}: ${entries} entries, ${(bytes / MIB).toFixed(1)} MiB`;
  return await withProgressBar({ entries: 0, bytes: 0 }, line, run);
}
