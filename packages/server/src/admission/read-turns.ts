import type { Http2Session } from "node:http2";

/** Time for which connections may be read in one turn of the event loop before others are looked at, in milliseconds. */
const SLICE_MS = 2;

/** What Node reads a connection with: nothing else stops it from going on. */
interface ReadHandle {
  readStop(): void;
  readStart(): void;
}

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

  /** Something has come on a connection, and is about to be dealt with. */
  note(session: Http2Session | undefined): void {
    if (this.#began === undefined) {
      this.#began = performance.now();
      // Runs when all sockets have been looked at that can be read now.
      setImmediate(() => this.#endTurn());
      return;
    }
    if (session === undefined || this.#resting.has(session)) return;
    if (performance.now() - this.#began < SLICE_MS) return;
    this.#resting.add(session);
    handleOf(session)?.readStop();
  }

  #endTurn(): void {
    this.#began = undefined;
    for (const session of this.#resting) {
      this.#resting.delete(session);
      handleOf(session)?.readStart();
      break;
    }
    if (this.#resting.size > 0) setImmediate(() => this.#endTurn());
  }
}

/**
 * No public part of Node stops a connection of HTTP/2 from being read: its own way to it, which Node stops and starts by
 * itself as well. Undefined for a connection that has ended or is none of the system, such as standard input.
 */
function handleOf(session: Http2Session): ReadHandle | undefined {
  if (session.destroyed) return undefined;
  const { _handle: handle } = session.socket as unknown as { _handle?: Partial<ReadHandle> | null };
  return handle?.readStop !== undefined && handle.readStart !== undefined
    ? (handle as ReadHandle)
    : undefined;
}
