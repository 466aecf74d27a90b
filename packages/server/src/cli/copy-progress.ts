import type { CopyProgress } from "@tvix/store";
import { withProgressBar } from "./progress-bar.ts";

const MIB = 1 << 20;

/** Runs a copy, and shows how far it has come. */
export async function copyProgress<T>(
  run: (onProgress: (progress: CopyProgress) => void) => Promise<T>,
): Promise<T> {
  const line = ({ paths, copiedPaths, sentBytes }: CopyProgress) =>
    `copied: ${copiedPaths} of ${paths} paths, ${(sentBytes / MIB).toFixed(1)} MiB sent`;
  const first = { paths: 0, copiedPaths: 0, narBytes: 0, sentBytes: 0 };
  return await withProgressBar(first, line, (onProgress = () => {}) => run(onProgress));
}
