import type { ServerHttp2Session } from "node:http2";
import { FairWindow } from "./fair-window.ts";

/** The window of a stream, in bytes: what a short message fits into, and what one of them alone makes use of. */
const LEAST_BYTES = 16 << 10;
const MOST_BYTES = 2 << 20;

/**
 * Shares what clients may send ahead among the streams that are open: Node takes what comes into memory up to the window
 * of each stream, whether it is read or not, and gives back at once what it counts for the connection. Where there are
 * many, each client sends less ahead, and waits instead of being refused.
 */
export class StreamWindows {
  readonly #window: FairWindow;
  /** What each connection was told last. */
  readonly #told = new Map<ServerHttp2Session, number>();

  /** @param capacity bytes of all windows, as long as each has the least there is */
  constructor(capacity: number) {
    this.#window = new FairWindow(capacity, LEAST_BYTES, MOST_BYTES);
  }

  /** Tells a connection how much its streams may send ahead, and again when that changes. */
  add(session: ServerHttp2Session): void {
    session.once("close", () => this.#told.delete(session));
    session.on("localSettings", () => this.#tellIfChanged(session));
    this.#tell(session);
  }

  /** Has each of so many streams take what is fair. */
  share(streams: number): void {
    if (!this.#window.fitTo(streams)) return;
    for (const session of this.#told.keys()) this.#tellIfChanged(session);
  }

  #tellIfChanged(session: ServerHttp2Session): void {
    // One that has not answered is told when it has: too many that are not answered end a connection.
    if (this.#told.get(session) === this.#window.bytes || session.pendingSettingsAck) return;
    if (!session.closed && !session.destroyed) this.#tell(session);
  }

  #tell(session: ServerHttp2Session): void {
    this.#told.set(session, this.#window.bytes);
    session.settings({ initialWindowSize: this.#window.bytes });
  }
}
