import type { Http2Session, ServerHttp2Session, ServerHttp2Stream, Settings } from "node:http2";

/** Bytes on their way to us in one stream, and in one connection, before the sender waits. */
const STREAM_WINDOW_BYTES = 2 << 20;
const SESSION_WINDOW_BYTES = 8 << 20;

/** Calls that one connection may have open at the same time, as far as a server of ours goes. */
export const MAX_CONCURRENT_STREAMS: number = 200;

/**
 * Memory that a connection may take in HTTP/2 itself, in megabytes. A stream that is written to
 * holds up to a message of 512 KiB, so that 200 of them come to 105 MB, and the window to 8 MB.
 * With less, Node refuses calls that it has offered: its own limit is 10.
 */
const SESSION_MEMORY_MB = 160;

/**
 * Settings that raise the window of each stream. HTTP/2's own 64 KiB halve the throughput of
 * large blobs even on one machine.
 */
export const WINDOW_SETTINGS: Settings = { initialWindowSize: STREAM_WINDOW_BYTES };

/** What sessions of either side are made with. */
export const SESSION_OPTIONS: { readonly settings: Settings; readonly maxSessionMemory: number } = {
  settings: WINDOW_SETTINGS,
  maxSessionMemory: SESSION_MEMORY_MB,
};

/** Windows of streams by how many there are, so that all of them together stay about as large. */
const WINDOWS: readonly { readonly streams: number; readonly bytes: number }[] = [
  { streams: 4, bytes: STREAM_WINDOW_BYTES },
  { streams: 16, bytes: 512 << 10 },
  { streams: Number.POSITIVE_INFINITY, bytes: 128 << 10 },
];

/**
 * Has the clients of a connection send less ahead in each stream, the more streams there are: Node takes
 * what comes into memory, whether it is read or not, up to the window of each stream.
 */
export function shareWindows(session: ServerHttp2Session): void {
  let streams = 0;
  let level = 0;
  const set = (next: number) => {
    if (next === level || session.closed || session.destroyed) return;
    level = next;
    session.settings({ initialWindowSize: WINDOWS[level]?.bytes });
  };
  session.on("stream", (stream: ServerHttp2Stream) => {
    streams++;
    if (streams > (WINDOWS[level]?.streams ?? 0)) set(level + 1);
    stream.once("close", () => {
      streams--;
      // Not before there are half as many: each change is a message to the client.
      if (level > 0 && streams <= (WINDOWS[level - 1]?.streams ?? 0) / 2) set(level - 1);
    });
  });
}

/** Raises the window of a connection; either window alone gives nothing. */
export function raiseSessionWindow(session: Http2Session): void {
  session.setLocalWindowSize(SESSION_WINDOW_BYTES);
}
