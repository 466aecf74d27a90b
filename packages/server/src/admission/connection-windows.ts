import type { ServerHttp2Session } from "node:http2";

/** The window of a connection, in bytes: no less than clients count on, no more than one of them makes use of. */
const LEAST_BYTES = 64 << 10;
const MOST_BYTES = 8 << 20;

/**
 * Shares among the connections what may be on its way at once. Node takes all of it into memory, and the windows of
 * streams bound that only when a client has been told of them: until then it is what all connections can send at once.
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
    this.#share(this.#sessions.size + 1, (fair) => fair < this.#bytes);
    this.#sessions.add(session);
    session.once("close", () => {
      this.#sessions.delete(session);
      // Not before there is room for larger ones with some more connections: each change goes to all of them.
      this.#share(Math.ceil(this.#sessions.size * 1.5), (fair) => fair > this.#bytes);
    });
    session.setLocalWindowSize(this.#bytes);
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
