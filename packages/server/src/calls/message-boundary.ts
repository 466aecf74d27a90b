/** Bytes in front of each message: flags, and its length (gRPC, gRPC-Web and Connect alike). */
const HEAD_BYTES = 5;

/**
 * The same body, while it says whether what has come ends with a message: a client may take its time for
 * the next one, and not in the middle of one.
 */
export async function* watchBoundaries(
  body: AsyncIterable<Uint8Array>,
  onChange: (isBetweenMessages: boolean) => void,
): AsyncIterable<Uint8Array> {
  const head = new DataView(new ArrayBuffer(HEAD_BYTES));
  let headFilled = 0;
  let left = 0;
  onChange(true);
  for await (const piece of body) {
    for (let at = 0; at < piece.length; ) {
      if (left > 0) {
        const taken = Math.min(left, piece.length - at);
        left -= taken;
        at += taken;
        continue;
      }
      head.setUint8(headFilled++, piece[at++] as number);
      if (headFilled < HEAD_BYTES) continue;
      headFilled = 0;
      left = head.getUint32(1);
    }
    onChange(headFilled === 0 && left === 0);
    yield piece;
  }
}
