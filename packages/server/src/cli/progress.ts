import type { TreeProgress } from "@tvix/castore-fs";

const MIB = 1 << 20;

/**
 * Runs an operation on a tree and shows how far it has come, on stderr when that is a
 * terminal, and not at all otherwise.
 */
export async function withProgress<T>(
  verb: string,
  run: (onProgress: ((progress: TreeProgress) => void) | undefined) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return await run(undefined);
  const { Presets, SingleBar } = await import("cli-progress");
  const format = (_: unknown, { value }: { value: number }, { bytes }: { bytes?: number }) =>
    `${verb}: ${value} entries, ${((bytes ?? 0) / MIB).toFixed(1)} MiB`;
  const bar = new SingleBar(
    { format, stream: process.stderr, clearOnComplete: true, fps: 5 },
    Presets.shades_classic,
  );
  bar.start(0, 0, { bytes: 0 });
  try {
    return await run(({ entries, bytes }) => bar.update(entries, { bytes }));
  } finally {
    bar.stop();
  }
}
