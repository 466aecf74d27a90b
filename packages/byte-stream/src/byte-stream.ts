/**
 * Bytes that arrive in pieces of any length, also empty ones. Consumed once. A piece may be kept
 * and is not changed, unless whoever gives or takes the stream says that its memory is used again
 * when the next piece is asked for.
 */
export type ByteStream = AsyncIterable<Uint8Array>;

/** What a consumer of bytes accepts: a stream, pieces at hand, or one piece. */
export type ByteSource = ByteStream | Iterable<Uint8Array> | Uint8Array;
