import type { ByteStream } from "@tvix/byte-stream";
import type { DirectoryService, Node, OperationOptions } from "@tvix/castore";
import { type NarEntry, writeNar } from "@tvix/nar";
import { type BlobSource, readWhole, streamContents } from "./contents.ts";
import { outlineOf, type TreeOutline } from "./outline.ts";

/** What rendering a NAR needs. */
export interface RenderServices {
  readonly blobService: BlobSource;
  readonly directoryService: Pick<DirectoryService, "get">;
}

/** Entries that are looked up ahead of the reader. */
const AHEAD_ENTRIES = 64;

/** Bytes of contents that are read ahead of the reader, about. */
const AHEAD_BYTES = 8 << 20;

/** A longer file is read when its turn comes; its stream reads ahead by itself. */
const WHOLE_BYTES = 1 << 20;

/**
 * The NAR of a node. Directories and contents are looked up ahead, so that the reader does
 * not wait for one after the other; memory does not grow with the tree.
 *
 * @throws CastoreError INCOMPLETE or CORRUPT, StoreError SIZE_MISMATCH, NarError for a tree
 *   that is too deep for a NAR
 */
export function renderNar(root: Node, services: RenderServices, options: OperationOptions = {}): ByteStream {
  return writeNar(
    withContents(outlineOf(root, services.directoryService, options), services.blobService, options),
  );
}

/** The entries of an outline in their order, contents being read ahead. */
async function* withContents(
  outline: AsyncIterable<TreeOutline>,
  blobs: BlobSource,
  { signal }: OperationOptions,
): AsyncGenerator<NarEntry, void, undefined> {
  const underWay: { readonly entry: Promise<NarEntry>; readonly bytes: number }[] = [];
  let bytes = 0;
  const next = () => {
    const first = underWay.shift();
    bytes -= first?.bytes ?? 0;
    return first?.entry as Promise<NarEntry>;
  };
  try {
    for await (const item of outline) {
      const entry = load(item, blobs, signal);
      // Looked at when its turn comes; until then a failure is nobody's.
      entry.catch(() => {});
      const held = item.type === "file" && item.size <= WHOLE_BYTES ? item.size : 0;
      underWay.push({ entry, bytes: held });
      bytes += held;
      while (underWay.length >= AHEAD_ENTRIES || bytes > AHEAD_BYTES) yield await next();
    }
    while (underWay.length > 0) yield await next();
  } finally {
    await Promise.allSettled(underWay.map(({ entry }) => entry));
  }
}

async function load(
  item: TreeOutline,
  blobs: BlobSource,
  signal: AbortSignal | undefined,
): Promise<NarEntry> {
  if (item.type !== "file") return item;
  const contents =
    item.size <= WHOLE_BYTES ? await readWhole(item, blobs, signal) : streamContents(item, blobs, signal);
  const { node: _, ...file } = item;
  return { ...file, contents };
}
