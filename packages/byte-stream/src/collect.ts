import type { ByteSource } from "./byte-stream.ts";
import { limitBytes } from "./limit.ts";

/** The pieces as one; a single piece is returned as it is, not copied. */
export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0] as Uint8Array;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let end = 0;
  for (const piece of pieces) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}

/**
 * All bytes of a source.
 *
 * @param maxBytes most bytes held in memory
 * @throws StreamTooLongError as soon as a piece goes beyond `maxBytes`
 */
export async function collect(source: ByteSource, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of limitBytes(source, maxBytes)) pieces.push(piece);
  return concatBytes(pieces);
}
