import { concatBytes } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";

/** What lies at a place of a tree. */
export type PlaceType = "directory" | "regular" | "executable" | "symlink";

/** Where a file of some name lies in a tree, and what it is. */
export interface PlaceInTree {
  readonly type: PlaceType;
  /** Length of a file in bytes; 0 for all others. */
  readonly size: bigint;
  /** Path of the directory it lies in, from the root of the tree on; empty for the root itself. */
  readonly folder: Uint8Array;
}

/** As they are numbered in a record. */
const TYPES: readonly PlaceType[] = ["directory", "regular", "executable", "symlink"];

const HEAD_BYTES = 13;

/** The place of a node. */
export function placeOf(node: Node, folder: Uint8Array): PlaceInTree {
  if (node.type !== "file") return { type: node.type, size: 0n, folder };
  return { type: node.executable ? "executable" : "regular", size: node.size, folder };
}

/** Bytes that a place takes in a record. */
export function placeLength({ folder }: PlaceInTree): number {
  return HEAD_BYTES + folder.length;
}

/** Places one after the other, each: type (u8, in the order of {@link PlaceType}), size (u64), length of the folder (u32), the folder. */
export function encodePlaces(places: readonly PlaceInTree[]): Uint8Array {
  return concatBytes(
    places.flatMap(({ type, size, folder }) => {
      const head = new Uint8Array(HEAD_BYTES);
      const view = new DataView(head.buffer);
      view.setUint8(0, TYPES.indexOf(type));
      view.setBigUint64(1, size);
      view.setUint32(9, folder.length);
      return [head, folder];
    }),
  );
}

/** @throws RangeError for bytes that are no places */
export function decodePlaces(bytes: Uint8Array): readonly PlaceInTree[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places: PlaceInTree[] = [];
  for (let start = 0; start < bytes.length; ) {
    const type = TYPES[view.getUint8(start)];
    const end = start + HEAD_BYTES + view.getUint32(start + 9);
    if (type === undefined || end > bytes.length) throw new RangeError("no places of files");
    places.push({
      type,
      size: view.getBigUint64(start + 1),
      folder: bytes.slice(start + HEAD_BYTES, end),
    });
    start = end;
  }
  return places;
}
