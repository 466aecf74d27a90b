/** Most characters of a value that a message shows. */
const SHOWN_CHARACTERS = 60;

/**
 * Streams come from anywhere, also from programs without types: a number has no length, and would
 * be taken for no bytes at all.
 *
 * @throws TypeError that names what came in place of bytes
 */
export function assertPiece(piece: unknown): asserts piece is Uint8Array {
  if (piece instanceof Uint8Array) return;
  const shown = String(piece).slice(0, SHOWN_CHARACTERS);
  throw new TypeError(`a stream of bytes consists of Uint8Arrays, got ${shown} (${typeof piece})`);
}
