/** Whether there is a line of progress on the terminal. */
let isShown = false;

/** Takes the line of progress away for what is printed in its place; it comes again with what is told next. */
export function clearProgressLine(): void {
  if (isShown && process.stdout.isTTY) process.stderr.write("\r\u001b[K");
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
    { format, stream: process.stderr, clearOnComplete: true, fps: 5 },
    Presets.shades_classic,
  );
  bar.start(0, 0, { told: first });
  isShown = true;
  try {
    return await run((told) => bar.update(0, { told }));
  } finally {
    isShown = false;
    bar.stop();
  }
}
