import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import type { ByteStream } from "@tvix/byte-stream";
import { CastoreError, type FileNode } from "@tvix/castore";
import { type HostPath, onPath, onPathSync, showPath } from "./host-path.ts";

const FILE_MODE = 0o644;
const EXECUTABLE_MODE = 0o755;

/**
 * Makes a file on the spot: whole, or not at all.
 *
 * @throws CastoreError CORRUPT for contents of another length than its node says
 */
export function writeShortFile(node: FileNode, path: HostPath, contents: readonly Uint8Array[]): void {
  checkLength(
    node,
    path,
    contents.reduce((sum, { length }) => sum + BigInt(length), 0n),
  );
  const descriptor = onPathSync("create", path, () => openSync(path, "wx", modeOf(node)));
  try {
    try {
      for (const piece of contents) onPathSync("write", path, () => writeFileSync(descriptor, piece));
    } finally {
      // Some file systems tell only now that there is no room.
      onPathSync("write", path, () => closeSync(descriptor));
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/**
 * Makes a file of a stream.
 *
 * @param onMade told when there is something at the path
 * @throws the same
 */
export async function writeFile(
  node: FileNode,
  path: HostPath,
  contents: ByteStream,
  onMade: () => void,
): Promise<void> {
  const handle = await onPath("create", path, () => open(path, "wx", modeOf(node)));
  onMade();
  try {
    let length = 0n;
    for await (const piece of contents) {
      await onPath("write", path, () => handle.writeFile(piece));
      length += BigInt(piece.length);
    }
    checkLength(node, path, length);
  } finally {
    await onPath("write", path, () => handle.close());
  }
}

function modeOf({ executable }: FileNode): number {
  return executable ? EXECUTABLE_MODE : FILE_MODE;
}

function checkLength({ digest, size }: FileNode, path: HostPath, length: bigint): void {
  if (length === size) return;
  const text = `${showPath(path)} should have ${size} bytes, its blob has ${length}`;
  throw new CastoreError("CORRUPT", text, { subject: digest.toString() });
}
