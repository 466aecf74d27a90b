import { type ClientHttp2Session, connect, type Settings } from "node:http2";

/** A connection whose failures are nobody's concern. */
export function connectTo(url: string, settings: Settings = {}): ClientHttp2Session {
  const session = connect(url, { settings });
  session.on("error", () => {});
  return session;
}
