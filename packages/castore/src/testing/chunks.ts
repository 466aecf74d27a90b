import { asItIs, type FreshlyEncoded } from "../chunks/chunk-codec.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import { pseudoRandomBytes } from "./fixtures.ts";

/** A chunk to be stored. */
export interface TestChunk {
  readonly digest: B3Digest;
  readonly bytes: Uint8Array;
}

/** A chunk that no other seed gives. */
export function testChunk(length: number, seed: number): TestChunk {
  const bytes = pseudoRandomBytes(length, seed);
  return { digest: B3Digest.of(bytes), bytes };
}

/** The stored form of a chunk in memory that is overwritten as soon as it is released. */
export function encodedOnce({ bytes }: TestChunk): FreshlyEncoded & { readonly isReleased: () => boolean } {
  const payload = bytes.slice();
  let released = 0;
  const release = () => {
    released++;
    payload.fill(0);
  };
  return { ...asItIs(payload), release, isReleased: () => released === 1 };
}
