/** What Connect puts in front of its messages: our own errors say it in words. */
const CONNECT_CODE = /^\[[a-z_]+\] /;

/**
 * A failure in one line for a person: its message and those of its causes, each once. Stacks
 * are for developers, who set TVIX_STORE_TRACE.
 */
export function describeFailure(error: unknown): string {
  if (process.env["TVIX_STORE_TRACE"] !== undefined && error instanceof Error) return String(error.stack);
  const messages: string[] = [];
  for (let current: unknown = error; current !== undefined; current = causeOf(current)) {
    const text = current instanceof Error ? current.message : String(current);
    const message = text.replace(CONNECT_CODE, "");
    if (message === "" || messages.some((known) => known.includes(message))) continue;
    const last = messages.pop();
    if (last !== undefined) messages.push(withoutEndOf(last, message));
    messages.push(message);
  }
  return messages.join(": ");
}

/** A message without the code at its end, when that of its cause begins with it: `ENOENT: no such …`. */
function withoutEndOf(message: string, cause: string): string {
  const end = `: ${cause.slice(0, cause.indexOf(": "))}`;
  return end !== ": " && message.endsWith(end) ? message.slice(0, -end.length) : message;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
