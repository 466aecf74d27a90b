import type { CopyProgress } from "@tvix/store";

const MIB = 1 << 20;

/** Runs a copy, and shows how far it has come, on stderr when that is a terminal. */
export async function copyProgress<T>(
  run: (onProgress: (progress: CopyProgress) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return await run(() => {});
  const { Presets, SingleBar } = await import("cli-progress");
  const format = (
    _: unknown,
    { value }: { value: number },
    { copied, sent }: { copied?: number; sent?: number },
  ) => `copied: ${copied ?? 0} of ${value} paths, ${((sent ?? 0) / MIB).toFixed(1)} MiB sent`;
  const bar = new SingleBar(
    { format, stream: process.stderr, clearOnComplete: true, fps: 5 },
    Presets.shades_classic,
  );
  bar.start(0, 0, {});
  try {
    return await run(({ paths, copiedPaths, sentBytes }) =>
      bar.update(paths, { copied: copiedPaths, sent: sentBytes }),
    );
  } finally {
    bar.stop();
  }
}
