import type { ServerHttp2Stream } from "node:http2";

/**
 * Keeps the end of a request from being lost that nobody reads yet: Node tells of the end of an empty one whether anybody
 * listens or not, and whoever began to read it later would wait for it in vain.
 *
 * @returns called when somebody listens: tells of an end that nobody has heard of
 */
export function holdEnd(stream: ServerHttp2Stream): () => void {
  let isHeld = false;
  const hold = () => {
    isHeld = true;
  };
  stream.once("end", hold);
  return () => {
    stream.off("end", hold);
    if (isHeld) process.nextTick(() => stream.emit("end"));
  };
}
