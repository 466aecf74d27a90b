import type { Server as Http1Server } from "node:http";
import type { Http2Server } from "node:http2";
import type { Socket } from "node:net";

/** What an HTTP/2 client with prior knowledge sends first (RFC 9113, section 3.4). */
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Time a client has for its first bytes, in milliseconds. */
const FIRST_BYTES_MS = 10_000;

/**
 * Hands a new connection to one server or the other, by its first bytes: HTTP/2 begins with a
 * preface that no HTTP/1.1 request begins with.
 *
 * @param onSwitched called when one of them has it, or it has closed
 */
export function switchProtocol(
  socket: Socket,
  http1: Http1Server,
  http2: Http2Server,
  onSwitched: () => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), FIRST_BYTES_MS);
  const onReadable = () => {
    const piece: Buffer | null = socket.read();
    if (piece === null) return;
    seen = seen.length === 0 ? piece : Buffer.concat([seen, piece]);
    const length = Math.min(seen.length, HTTP2_PREFACE.length);
    const isHttp2 = seen.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length));
    // Part of the preface may yet turn out to be something else.
    if (isHttp2 && length < HTTP2_PREFACE.length) return;
    stop();
    socket.unshift(seen);
    (isHttp2 ? http2 : http1).emit("connection", socket);
  };
  const onError = () => socket.destroy();
  const stop = () => {
    clearTimeout(timer);
    onSwitched();
    socket.off("readable", onReadable).off("error", onError).off("close", stop);
  };
  socket.on("readable", onReadable).on("error", onError).on("close", stop);
}
