/** What a platform has to run something after whatever else is due; Node's is the quicker one. */
const { setImmediate: soon = (run: () => void) => void setTimeout(run, 0) } = globalThis as {
  readonly setImmediate?: (run: () => void) => void;
};

/**
 * Resolves when everything else that is due has had its turn: for long work whose every step is at hand, during which
 * nothing else would run.
 */
export async function letOthersRun(): Promise<void> {
  await new Promise<void>((resolve) => soon(resolve));
}
