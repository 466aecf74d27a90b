import type { FileHandle } from "node:fs/promises";

/** Most buffers that one system call takes (IOV_MAX). */
const VECTOR_LENGTH = 1024;

/**
 * Writes buffers one after the other, all of them.
 *
 * @param start place in the file of the first byte
 */
export async function writeAll(
  handle: FileHandle,
  buffers: readonly Uint8Array[],
  start: number,
): Promise<void> {
  let position = start;
  for (let index = 0; index < buffers.length; index += VECTOR_LENGTH) {
    position += await writeVector(handle, buffers.slice(index, index + VECTOR_LENGTH), position);
  }
}

async function writeVector(
  handle: FileHandle,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<number> {
  const wanted = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  const { bytesWritten } = await handle.writev(buffers, position);
  let done = bytesWritten;
  if (done === wanted) return done;
  // A short write: the disk is filling up, or a signal came in between.
  const rest = Buffer.concat(buffers).subarray(done);
  for (let at = 0; at < rest.length; ) {
    const written = await handle.write(rest, at, rest.length - at, position + done);
    if (written.bytesWritten === 0) throw new Error("the file system takes no more bytes");
    at += written.bytesWritten;
    done += written.bytesWritten;
  }
  return done;
}
