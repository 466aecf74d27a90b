import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";

/** Time that a connection which is told to go has for it, in milliseconds. */
const GRACE_MS = 1000;

/**
 * Ends a connection of HTTP/2 that has had no call for a while, whatever else comes on it: pings cost a
 * client nothing. Node itself does so for HTTP/1.1.
 *
 * @param idleMs in milliseconds
 */
export function endIdleSession(session: ServerHttp2Session, idleMs: number): void {
  let calls = 0;
  const end = () => {
    session.close();
    setTimeout(() => session.destroy(), GRACE_MS).unref();
  };
  const timer = setTimeout(end, idleMs).unref();
  session.on("stream", (stream: ServerHttp2Stream) => {
    calls++;
    clearTimeout(timer);
    stream.once("close", () => {
      calls--;
      if (calls === 0 && !session.destroyed) timer.refresh();
    });
  });
  session.once("close", () => clearTimeout(timer));
}
