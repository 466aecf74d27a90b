import { concatBytes, equalBytes } from "@tvix/byte-stream";
import { B3Digest } from "../digest/b3-digest.ts";

/** Bytes of the digest kept behind a value: enough to notice any damage. */
const CHECKSUM_BYTES = 8;

/** A value with a checksum behind it, bound to its key: for values that no digest names. */
export function seal(key: Uint8Array, value: Uint8Array): Uint8Array {
  return concatBytes([value, checksum(key, value)]);
}

/**
 * The value that {@link seal} was given.
 *
 * @throws Error when the checksum does not fit
 */
export function unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const end = sealed.length - CHECKSUM_BYTES;
  const value = sealed.subarray(0, Math.max(0, end));
  if (end < 0 || !equalBytes(sealed.subarray(end), checksum(key, value))) {
    throw new Error("the checksum does not fit");
  }
  return value;
}

function checksum(key: Uint8Array, value: Uint8Array): Uint8Array {
  return B3Digest.of(concatBytes([key, value])).bytes.subarray(0, CHECKSUM_BYTES);
}
