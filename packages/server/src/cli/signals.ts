/** What asks a process to end. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Waits for the first signal that asks the process to end. From then on the second one, whichever
 * it is, ends it at once, as it would without this.
 */
export async function waitForSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals) => {
      for (const other of SIGNALS) process.off(other, heard);
      resolve(signal);
    };
    for (const signal of SIGNALS) process.on(signal, heard);
  });
}
