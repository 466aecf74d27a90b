/** Turns values into bytes and back. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** @throws CastoreError CORRUPT when the bytes are none of a value */
  decode(bytes: Uint8Array): T;
}

/** Bytes as they are. */
export const BYTES: Codec<Uint8Array> = {
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
};

/** Text in UTF-8. */
export const TEXT: Codec<string> = {
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes) => new TextDecoder().decode(bytes),
};
