/** Signals with which a user, or a terminal that closes, ends a command. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * Runs what leaves something behind unless it may clean up: a signal aborts it, and ends the process
 * when it has ended. A second one ends the process at once.
 */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  let heard: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    for (const other of SIGNALS) process.off(other, interrupt);
    heard = signal;
    interruption.abort(new Error(`interrupted by ${signal}`));
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await run(interruption.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
    // As if it had not been caught: whoever waits for the process sees which signal it was.
    if (heard !== undefined) process.kill(process.pid, heard);
  }
}
