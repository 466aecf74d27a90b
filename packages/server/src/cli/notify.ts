import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Logger } from "pino";

/** Time that systemd's program has to pass something on, in milliseconds. */
const TIMEOUT_MS = 5000;

/**
 * Tells systemd how a service is doing, where it wants to know (sd_notify(3)). Node has no sockets of that
 * kind, so systemd's own program does it; the unit needs `NotifyAccess=all`.
 *
 * @param states such as `READY=1`
 */
export async function notify(log: Logger, ...states: readonly string[]): Promise<void> {
  if (process.env["NOTIFY_SOCKET"] === undefined) return;
  try {
    await promisify(execFile)("systemd-notify", [`--pid=${process.pid}`, ...states], { timeout: TIMEOUT_MS });
  } catch (error) {
    log.warn({ err: error }, "systemd could not be told that the daemon is ready");
  }
}
