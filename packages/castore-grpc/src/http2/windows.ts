import type { Http2Session, Settings } from "node:http2";

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

/** Raises the window of a connection; either window alone gives nothing. */
export function raiseSessionWindow(session: Http2Session): void {
  session.setLocalWindowSize(SESSION_WINDOW_BYTES);
}
