import { open } from "node:fs/promises";
import type { ByteStream } from "@tvix/byte-stream";

/** Bytes read at a time. */
const PIECE_BYTES = 512 << 10;

/**
 * A file from its beginning to its end, in memory that is used again: a piece is valid until
 * the next one is asked for.
 */
export async function* readFileInPieces(path: string): ByteStream {
  const handle = await open(path);
  try {
    if ((await handle.stat()).isDirectory()) throw new Error(`${path} is a directory`);
    // The next piece is read while this one is being used.
    const buffers = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)] as const;
    let reading = handle.read(buffers[0]);
    for (let turn = 1; ; turn++) {
      const { bytesRead, buffer } = await reading;
      if (bytesRead === 0) return;
      reading = handle.read(turn % 2 === 0 ? buffers[0] : buffers[1]);
      // Looked at when its turn comes; until then a failure is nobody's.
      reading.catch(() => {});
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
