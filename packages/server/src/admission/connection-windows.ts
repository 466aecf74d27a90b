import type { ServerHttp2Session } from "node:http2";
import { FairWindow } from "./fair-window.ts";

/** The window of a connection, in bytes: no less than clients count on, no more than one of them makes use of. */
const LEAST_BYTES = 64 << 10;
const MOST_BYTES = 8 << 20;

/**
 * Shares among the connections what may be on its way at once. Node takes all of it into memory, and the windows of
 * streams bound that only when a client has been told of them: until then it is what all connections can send at once.
 */
export class ConnectionWindows {
  readonly #window: FairWindow;
  readonly #sessions = new Set<ServerHttp2Session>();

  /** @param capacity bytes of all windows, as long as each has the least there is */
  constructor(capacity: number) {
    this.#window = new FairWindow(capacity, LEAST_BYTES, MOST_BYTES);
  }

  /** Gives a connection its window, until it is closed. */
  add(session: ServerHttp2Session): void {
    // First, so that it is never told of more.
    this.#share(this.#sessions.size + 1);
    this.#sessions.add(session);
    session.setLocalWindowSize(this.#window.bytes);
    session.once("close", () => {
      this.#sessions.delete(session);
      this.#share(this.#sessions.size);
    });
  }

  #share(count: number): void {
    if (!this.#window.fitTo(count)) return;
    for (const session of this.#sessions)
      if (!session.destroyed) session.setLocalWindowSize(this.#window.bytes);
  }
}
