export { ByteReader } from "./byte-reader.ts";
export type { ByteSource, ByteStream } from "./byte-stream.ts";
export { compareBytes, equalBytes, escapeBytes, toBytes } from "./byte-string.ts";
export { collect, concatBytes } from "./collect.ts";
export { StreamEndedError, StreamTooLongError } from "./errors.ts";
export { followedBy, gatherShort } from "./gather-short.ts";
export { limitBytes } from "./limit.ts";
export { rechunk } from "./rechunk.ts";
export { tap } from "./tap.ts";
