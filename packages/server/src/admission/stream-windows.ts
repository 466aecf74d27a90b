import type { ServerHttp2Session } from "node:http2";

/** The window of a stream, in bytes: what a short message fits into, and what one of them alone makes use of. */
const LEAST_BYTES = 16 << 10;
const MOST_BYTES = 2 << 20;

/**
 * Shares what clients may send ahead among the streams that are open: Node takes what comes into memory up to the window
 * of each stream, whether it is read or not, and gives back at once what it counts for the connection. Where there are
 * many, each client sends less ahead, and waits instead of being refused.
 */
export class StreamWindows {
  readonly #capacity: number;
  /** What each connection was told last. */
  readonly #told = new Map<ServerHttp2Session, number>();
  #bytes = MOST_BYTES;

  /** @param capacity bytes of all windows, as long as each has the least there is */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Tells a connection how much its streams may send ahead, and again when that changes. */
  add(session: ServerHttp2Session): void {
    session.once("close", () => this.#told.delete(session));
    session.on("localSettings", () => this.#tell(session));
    this.#told.set(session, this.#bytes);
    session.settings({ initialWindowSize: this.#bytes });
  }

  /** Has each of so many streams take what is fair. */
  share(streams: number): void {
    const fair = this.#fairFor(streams);
    // Larger ones only when there is room for them with half as many streams more: each change goes to all connections.
    const isLarger = fair > this.#bytes && this.#fairFor(1.5 * streams) > this.#bytes;
    if (fair >= this.#bytes && !isLarger) return;
    this.#bytes = fair;
    for (const session of this.#told.keys()) this.#tell(session);
  }

  /** A power of two, so that it seldom changes. */
  #fairFor(streams: number): number {
    const part = this.#capacity / Math.max(1, streams);
    return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, 2 ** Math.floor(Math.log2(part))));
  }

  #tell(session: ServerHttp2Session): void {
    // One that has not answered is told when it has: too many that are not answered end a connection.
    if (this.#told.get(session) === this.#bytes || session.pendingSettingsAck) return;
    if (session.closed || session.destroyed) return;
    this.#told.set(session, this.#bytes);
    session.settings({ initialWindowSize: this.#bytes });
  }
}
