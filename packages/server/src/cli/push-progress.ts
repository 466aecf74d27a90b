import type { PushProgress } from "@tvix/nix-local";
import { withProgressBar } from "./progress-bar.ts";

const MIB = 1 << 20;

/** Runs a push, and shows how far it has come, and how fast. */
export async function pushProgress<T>(
  run: (onProgress: (progress: PushProgress) => void) => Promise<T>,
): Promise<T> {
  const begun = Date.now();
  const line = ({ paths, present, skipped, stored, bytes, narBytes }: PushProgress) => {
    const rate = bytes / MIB / Math.max(0.001, (Date.now() - begun) / 1000);
    const done = `${(bytes / MIB).toFixed(1)} of ${(narBytes / MIB).toFixed(1)} MiB, ${rate.toFixed(1)} MiB/s`;
    return `pushed ${stored} of ${paths - present - skipped} paths, ${done}`;
  };
  const first = { paths: 0, present: 0, skipped: 0, stored: 0, bytes: 0, narBytes: 0 };
  return await withProgressBar(first, line, (onProgress = () => {}) => run(onProgress));
}
