import type { IncomingMessage } from "node:http";

/** Time in which the rest of a request may come that has been answered already, in milliseconds. */
const REST_OF_REQUEST_MS = 5000;

/**
 * Takes what still comes of a request that was answered before it had ended: the next one on its
 * connection comes behind that. A client that goes on sending loses the connection.
 */
export function dropRestOfRequest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  const timer = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, REST_OF_REQUEST_MS);
  // Node tells of either alone where somebody has begun to read it and has left.
  request.once("end", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
  // Whoever waited for more of it waits no longer: a request that is read by somebody does not flow. One
  // that flows already would stop with this.
  if (request.listenerCount("readable") > 0) request.removeAllListeners("readable");
  request.resume();
}
