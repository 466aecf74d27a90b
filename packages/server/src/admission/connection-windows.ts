import type { ServerHttp2Session } from "node:http2";

/** The window of a connection, in bytes: no less than clients count on, no more than one of them makes use of. */
const LEAST_BYTES = 64 << 10;
const MOST_BYTES = 8 << 20;

/**
 * Shares what may come ahead of whoever reads it among the connections: what is in their windows comes into memory
 * whether it is read or not. Where there are many, each client sends less ahead, and waits instead of being refused.
 */
export class ConnectionWindows {
  readonly #capacity: number;
  readonly #sessions = new Set<ServerHttp2Session>();
  #bytes = MOST_BYTES;

  /** @param capacity bytes of all windows, as long as each has the least there is */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Gives a connection its window, until it is closed. */
  add(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once("close", () => {
      this.#sessions.delete(session);
      // Not before there is room for larger ones with some more connections: each change goes to all of them.
      this.#share(Math.ceil(this.#sessions.size * 1.5), (fair) => fair > this.#bytes);
    });
    session.setLocalWindowSize(this.#bytes);
    this.#share(this.#sessions.size, (fair) => fair < this.#bytes);
  }

  /** Gives all of them what is fair among so many, if that is wanted. */
  #share(sessions: number, isWanted: (fair: number) => boolean): void {
    const part = this.#capacity / Math.max(1, sessions);
    // By powers of two, so that it seldom changes.
    const fair = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, 2 ** Math.floor(Math.log2(part))));
    if (!isWanted(fair)) return;
    this.#bytes = fair;
    for (const session of this.#sessions) if (!session.destroyed) session.setLocalWindowSize(fair);
  }
}
