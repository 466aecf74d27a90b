import type { ByteStream } from "@tvix/byte-stream";
import { ByteBudget, type DirectoryService, type Node, type OperationOptions } from "@tvix/castore";
import { type NarEntry, writeNar } from "@tvix/nar";
import { type BlobSource, readWhole, streamContents } from "./contents.ts";
import { outlineOf, type TreeOutline } from "./outline.ts";
import { type Loadable, readAhead } from "./read-ahead.ts";

/** What rendering a NAR needs. */
export interface RenderServices {
  readonly blobService: BlobSource;
  readonly directoryService: Pick<DirectoryService, "get">;
}

/** Options of rendering. */
export interface RenderOptions extends OperationOptions {
  /** Bytes that may be read ahead of the reader, or of all who share it. Default: 8 MiB of its own. */
  readonly readAhead?: ByteBudget;
}

/** What one reader reads ahead by default, in bytes. */
export const READ_AHEAD_BYTES: number = 8 << 20;

/** A longer file is read when its turn comes; its stream reads ahead by itself. */
const WHOLE_BYTES = 1 << 20;

/**
 * The NAR of a node. Directories and contents are looked up ahead, so that the reader does
 * not wait for one after the other; memory does not grow with the tree.
 *
 * @throws CastoreError INCOMPLETE or CORRUPT, StoreError SIZE_MISMATCH, NarError for a tree
 *   that is too deep for a NAR
 */
export function renderNar(root: Node, services: RenderServices, options: RenderOptions = {}): ByteStream {
  const outline = outlineOf(root, services.directoryService, options);
  const budget = options.readAhead ?? new ByteBudget(READ_AHEAD_BYTES);
  return writeNar(readAhead(loadables(outline, services.blobService, options), budget));
}

/** The entries of an outline in their order, contents still to be read. */
async function* loadables(
  outline: AsyncIterable<TreeOutline>,
  blobs: BlobSource,
  { signal }: OperationOptions,
): AsyncGenerator<Loadable<NarEntry>, void, undefined> {
  for await (const item of outline) {
    const bytes = item.type === "file" && item.size <= WHOLE_BYTES ? item.size : 0;
    yield { bytes, load: () => load(item, blobs, signal) };
  }
}

function load(
  item: TreeOutline,
  blobs: BlobSource,
  signal: AbortSignal | undefined,
): Promise<NarEntry> | NarEntry {
  return item.type === "file" ? loadFile(item, blobs, signal) : item;
}

async function loadFile(
  item: Extract<TreeOutline, { type: "file" }>,
  blobs: BlobSource,
  signal: AbortSignal | undefined,
): Promise<NarEntry> {
  const contents =
    item.size <= WHOLE_BYTES ? await readWhole(item, blobs, signal) : streamContents(item, blobs, signal);
  const { node: _, ...file } = item;
  return { ...file, contents };
}
