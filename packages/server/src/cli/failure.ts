/**
 * A failure in one line for a person: its message and those of its causes, each once. Stacks
 * are for developers, who set TVIX_STORE_TRACE.
 */
export function describeFailure(error: unknown): string {
  if (process.env["TVIX_STORE_TRACE"] !== undefined && error instanceof Error) return String(error.stack);
  const messages: string[] = [];
  for (let current: unknown = error; current !== undefined; current = causeOf(current)) {
    const message = current instanceof Error ? current.message : String(current);
    if (message !== "" && !messages.some((known) => known.includes(message))) messages.push(message);
  }
  return messages.join(": ");
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
