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

/** How a connection fails where nobody listens. */
const NOBODY_THERE = new Set(["ECONNREFUSED", "ENOENT"]);

/** A line on what to do, where there is something; else nothing. */
export function hintFor(error: unknown): string {
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    const errors: readonly unknown[] = current instanceof AggregateError ? current.errors : [current];
    if (errors.some(isNobodyThere)) {
      return "(is a server running there? start one with `tvix-store daemon`, or say --data DIRECTORY to work without)\n";
    }
  }
  return "";
}

function isNobodyThere(error: unknown): boolean {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return false;
  return error.syscall === "connect" && NOBODY_THERE.has(String(error.code));
}
