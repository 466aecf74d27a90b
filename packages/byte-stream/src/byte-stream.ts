/**
 * Bytes that arrive in pieces of any length, also empty ones. Whoever takes a piece may
 * keep it; whoever gives one must not change it afterwards. Consumed once.
 */
export type ByteStream = AsyncIterable<Uint8Array>;

/** What a consumer of bytes accepts: a stream, pieces at hand, or one piece. */
export type ByteSource = ByteStream | Iterable<Uint8Array> | Uint8Array;
