import type { Readable } from "node:stream";

/** A piece below this is short, in bytes. */
const SHORT_BYTES = 1 << 10;

/** Short pieces are put together up to this, in bytes. */
const GATHERED_BYTES = 4 << 10;

const NOTHING = Buffer.alloc(0);

/**
 * Has a stream put short pieces together while nobody reads them. Each piece is an object of some hundred bytes, and keeps
 * the whole read of its connection in memory: a client that sends each byte in a frame or chunk of its own would take a
 * hundred times what is counted.
 *
 * @param onPiece told of each piece that comes
 */
export function gatherShortPieces(stream: Readable, onPiece?: () => void): void {
  const { push, read } = stream;
  let gathered = NOTHING;
  let length = 0;
  let delivery: NodeJS.Immediate | undefined;
  const deliver = () => {
    clearImmediate(delivery);
    delivery = undefined;
    if (length === 0) return;
    const piece = gathered.subarray(0, length);
    gathered = NOTHING;
    length = 0;
    if (!stream.destroyed) push.call(stream, piece);
  };
  const gather = (piece: Uint8Array) => {
    if (length + piece.length > gathered.length) {
      // Memory of its own: that of a pool would be kept as a whole.
      const larger = Buffer.allocUnsafeSlow(Math.max(length + piece.length, 2 * gathered.length));
      larger.set(gathered.subarray(0, length));
      gathered = larger;
    }
    gathered.set(piece, length);
    length += piece.length;
  };
  stream.push = (piece: Uint8Array | null, encoding?: BufferEncoding) => {
    onPiece?.();
    if (piece === null || piece.length >= SHORT_BYTES) {
      deliver();
      return push.call(stream, piece, encoding);
    }
    // Who waits for more is told when all sockets have been read; who has something to read, when that is taken.
    if (length === 0 && stream.readableLength === 0) delivery = setImmediate(deliver);
    gather(piece);
    if (length >= GATHERED_BYTES) deliver();
    return stream.readableLength + length < stream.readableHighWaterMark;
  };
  stream.read = (size?: number) => {
    // With 0 nothing is taken: it only has more come.
    if (size !== 0) deliver();
    return read.call(stream, size);
  };
}
