import type { ServerHttp2Stream } from "node:http2";

const OURS: unique symbol = Symbol("closed by us");

interface Marked {
  [OURS]?: true;
}

/** Resets a stream: a call that the server gives up, which looks to Node as if its client had taken it back. */
export function closeStream(stream: ServerHttp2Stream, code: number): void {
  (stream as Marked)[OURS] = true;
  stream.close(code);
}

/** Whether it was the server that has reset it. */
export function isClosedByUs(stream: ServerHttp2Stream): boolean {
  return (stream as Marked)[OURS] === true;
}
