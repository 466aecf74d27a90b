import type { PushProgress } from "@tvix/nix-local";

const MIB = 1 << 20;

/** Runs a push, and shows how far it has come, on stderr when that is a terminal. */
export async function pushProgress<T>(
  run: (onProgress: (progress: PushProgress) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return await run(() => {});
  const { Presets, SingleBar } = await import("cli-progress");
  const begun = Date.now();
  const format = (_: unknown, __: unknown, payload: Partial<PushProgress>) => {
    const { paths = 0, present = 0, skipped = 0, stored = 0, bytes = 0, narBytes = 0 } = payload;
    const rate = bytes / MIB / Math.max(0.001, (Date.now() - begun) / 1000);
    const left = `${(bytes / MIB).toFixed(1)} of ${(narBytes / MIB).toFixed(1)} MiB, ${rate.toFixed(1)} MiB/s`;
    return `pushed ${stored} of ${paths - present - skipped} paths, ${left}`;
  };
  const bar = new SingleBar(
    { format, stream: process.stderr, clearOnComplete: true, fps: 5 },
    Presets.shades_classic,
  );
  bar.start(0, 0, {});
  try {
    return await run((progress) => bar.update(progress.stored, progress));
  } finally {
    bar.stop();
  }
}
