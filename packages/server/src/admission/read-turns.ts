import type { Http2Session } from "node:http2";

/** Time for which connections may be read in one turn of the event loop before others are looked at, in milliseconds. */
const SLICE_MS = 2;

/** What Node reads a connection with: nothing else stops it from going on. */
interface ReadHandle {
  /** Bytes that its client has not taken yet. */
  readonly writeQueueSize?: number;
  readStop(): void;
  readStart(): void;
}

/** Time after which it is looked whether clients have taken what holds their connections up, in milliseconds. */
const RETRY_MS = 20;

/**
 * Has connections of HTTP/2 be read in turn. While bytes come as fast as they are dealt with, one connection is read
 * up to 32 times, 64 KiB each, before the next one is looked at: where these are thousands of short frames,
 * everybody else would wait for half a second. So the one that is being read when the time of a turn is up rests,
 * and is read again when the others have been, one after the other.
 */
export class ReadTurns {
  /** When the first bytes of this turn came; undefined: none have. */
  #began: number | undefined;
  readonly #resting = new Set<Http2Session>();
  #isScheduled = false;
  #retry: NodeJS.Timeout | undefined;

  /** Something has come on a connection, and is about to be dealt with. */
  note(session: Http2Session | undefined): void {
    if (this.#began === undefined) {
      this.#began = performance.now();
      this.#schedule();
      return;
    }
    if (session === undefined || this.#resting.has(session)) return;
    if (performance.now() - this.#began < SLICE_MS) return;
    this.#resting.add(session);
    handleOf(session)?.readStop();
  }

  /** Ends the turn when all sockets have been looked at that can be read now. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#isScheduled = false;
    this.#began = undefined;
    const isAnyRead = this.#readOne();
    if (this.#resting.size === 0) return;
    if (isAnyRead) this.#schedule();
    else this.#retry ??= setTimeout(() => this.#lookAgain(), RETRY_MS).unref();
  }

  #lookAgain(): void {
    this.#retry = undefined;
    this.#schedule();
  }

  /**
   * Has the first of those that rest be read on which may be: one whose client does not take what it is sent is not read by
   * Node either, so that what has to be answered does not pile up.
   */
  #readOne(): boolean {
    for (const session of this.#resting) {
      const handle = handleOf(session);
      if ((handle?.writeQueueSize ?? 0) > 0) continue;
      this.#resting.delete(session);
      handle?.readStart();
      return true;
    }
    return false;
  }
}

/**
 * No public part of Node stops a connection of HTTP/2 from being read: its own way to it, which Node stops and starts by
 * itself as well. Undefined for a connection that has ended.
 */
function handleOf(session: Http2Session): ReadHandle | undefined {
  if (session.destroyed) return undefined;
  const { _handle: handle } = session.socket as unknown as { _handle?: Partial<ReadHandle> | null };
  return handle?.readStop !== undefined && handle.readStart !== undefined
    ? (handle as ReadHandle)
    : undefined;
}
