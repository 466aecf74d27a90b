import type { Http2Session, Settings } from "node:http2";

/** Bytes on their way to us in one stream, and in one connection, before the sender waits. */
const STREAM_WINDOW_BYTES = 2 << 20;
const SESSION_WINDOW_BYTES = 8 << 20;

/**
 * Settings that raise the window of each stream. HTTP/2's own 64 KiB halve the throughput of
 * large blobs even on one machine.
 */
export const WINDOW_SETTINGS: Settings = { initialWindowSize: STREAM_WINDOW_BYTES };

/** Raises the window of a connection; either window alone gives nothing. */
export function raiseSessionWindow(session: Http2Session): void {
  session.setLocalWindowSize(SESSION_WINDOW_BYTES);
}
