/** Turns values into bytes and back. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** @throws any error when the bytes are none of a value */
  decode(bytes: Uint8Array): T;
}

/** Bytes as they are. */
export const BYTES: Codec<Uint8Array> = {
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
};

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text in UTF-8. */
export const TEXT: Codec<string> = {
  encode: (text) => ENCODER.encode(text),
  decode: (bytes) => DECODER.decode(bytes),
};
