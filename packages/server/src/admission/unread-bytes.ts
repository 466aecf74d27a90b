import type { ServerHttp2Session } from "node:http2";
import { ConnectionWindows } from "./connection-windows.ts";
import { StreamWindows } from "./stream-windows.ts";

/** What a stream may have unread without being accounted for, while there are no more than so many streams. */
const FREE_BYTES = 16 << 10;
const FEW_STREAMS = 1000;

/** Memory is tight with more streams than this, or with more than one part in so many of what may be held. */
const CALM_STREAMS = 64;
const CALM_PART = 4;

/** What all streams have received that is not read yet. */
export class UnreadBytes {
  readonly #capacity: number;
  readonly #connections: ConnectionWindows;
  readonly #windows: StreamWindows;
  #held = 0;
  #streams = 0;

  /** @param capacity bytes that may be held at once, beyond what is free */
  constructor(capacity: number) {
    this.#capacity = capacity;
    // Half of it, since it is held in steps.
    this.#connections = new ConnectionWindows(capacity / 2);
    this.#windows = new StreamWindows(capacity / 2);
  }

  /** What each stream may have without holding it, in bytes. */
  get freeBytes(): number {
    return this.#streams <= FEW_STREAMS ? FREE_BYTES : 0;
  }

  /** Whether what is kept takes no more memory than it has to. */
  get isTight(): boolean {
    return this.#streams > CALM_STREAMS || this.#held > this.#capacity / CALM_PART;
  }

  /** Has the clients of a connection send as much ahead as there is room for. */
  addConnection(session: ServerHttp2Session): void {
    this.#connections.add(session);
    this.#windows.add(session);
  }

  /** There is one more stream from which more may come; followed by one {@link end}. */
  begin(): void {
    this.#windows.share(++this.#streams);
  }

  end(): void {
    this.#windows.share(--this.#streams);
  }

  /** Holds so many bytes if there is room for them; each is given back by {@link release}. */
  tryHold(bytes: number): boolean {
    if (this.#held + bytes > this.#capacity) return false;
    this.#held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}
