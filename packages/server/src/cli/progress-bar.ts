/** Ends the line of progress that is on the terminal. */
let end: (() => void) | undefined;

/** Takes the line of progress away for good, before anything else is printed: it stands where that is to stand. */
export function endProgressLine(): void {
  end?.();
  end = undefined;
}

/** How a line of progress reads, made of what has been told last. */
export type ProgressLine<P> = (progress: P) => string;

/**
 * Runs something, and shows how far it has come in one line, on stderr when that is a terminal; otherwise it tells
 * nobody, and need not count.
 *
 * @param line for what was told, from `first` on
 */
export async function withProgressBar<P extends object, T>(
  first: P,
  line: ProgressLine<P>,
  run: (onProgress: ((progress: P) => void) | undefined) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return await run(undefined);
  const { Presets, SingleBar } = await import("cli-progress");
  const format = (_: unknown, __: unknown, payload: { readonly told?: P }) => line(payload.told ?? first);
  const bar = new SingleBar(
    { format, stream: process.stderr, clearOnComplete: true, linewrap: true, fps: 5 },
    Presets.shades_classic,
  );
  bar.start(0, 0, { told: first });
  end = () => bar.stop();
  try {
    return await run((told) => {
      if (end !== undefined) bar.update(0, { told });
    });
  } finally {
    endProgressLine();
  }
}
