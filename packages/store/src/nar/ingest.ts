import type { ByteSource } from "@tvix/byte-stream";
import {
  type BlobService,
  ByteBudget,
  DEFAULT_SIZE_CONVENTION,
  type Directory,
  type DirectoryService,
  mapConcurrently,
  type Node,
  type OperationOptions,
  type SizeConvention,
  SymlinkTarget,
  TreeBuilder,
  type TreeEntry,
} from "@tvix/castore";
import { type NarEntry, readNar } from "@tvix/nar";
import type { NarSummary } from "./calculate.ts";
import { type ExpectedNar, NarDigests } from "./nar-digests.ts";
import { beginFile, type FileDestination } from "./store-file.ts";

/** Where an ingested NAR goes to. */
export interface IngestServices {
  readonly blobService: Pick<BlobService, "put">;
  readonly directoryService: Pick<DirectoryService, "putMany">;
}

/** Options of {@link ingestNar}. */
export interface IngestNarOptions extends OperationOptions {
  /** What the NAR has to be. */
  readonly expected?: ExpectedNar;
  /** How sizes of directories are counted. Default `doubled`, as the Rust stores count. */
  readonly sizeConvention?: SizeConvention;
  /**
   * What files may hold, in bytes, that were read and are not yet stored. Ingestions may share
   * one; each has one file beyond it. Default: 32 MiB of its own.
   */
  readonly underWay?: ByteBudget;
}

/** An ingested NAR. */
export interface IngestedNar extends NarSummary {
  /** The contents, which are in the store now. */
  readonly node: Node;
}

/** Files whose contents are on their way into the store, at most. */
const WINDOW = 400;
const UNDER_WAY_BYTES = 32 << 20;

/**
 * Stores the contents of a NAR while it is read, in flat memory.
 *
 * A piece of the source has been used when the next one is asked for, and its memory may then
 * be used again.
 *
 * The directories become visible at the very end, when the NAR has proved complete and to be
 * what was expected; on failure there may be blobs that nothing refers to.
 *
 * @throws NarError for what is no NAR, StoreError NAR_HASH_MISMATCH, NAR_SIZE_MISMATCH or
 *   CONTENT_ADDRESS_MISMATCH for one that is not the expected one
 */
export async function ingestNar(
  source: ByteSource,
  services: IngestServices,
  options: IngestNarOptions = {},
): Promise<IngestedNar> {
  const { signal, underWay = new ByteBudget(UNDER_WAY_BYTES) } = options;
  const files = { blobs: services.blobService, underWay, signal };
  const builder = new TreeBuilder(options.sizeConvention ?? DEFAULT_SIZE_CONVENTION);
  const digests = new NarDigests(options.expected);
  let summary: NarSummary | undefined;

  async function* directories(): AsyncGenerator<Directory, void, undefined> {
    const entries = treeEntries(readNar(digests.watch(source)), files, digests);
    for await (const entry of entries) {
      const directory = builder.add(entry);
      // The root is handed over when everything else has proved right.
      if (builder.root !== undefined) summary = digests.finish(builder.root);
      if (directory !== undefined) yield directory;
    }
  }

  const completed = directories();
  const first = await completed.next();
  if (first.done !== true) {
    await services.directoryService.putMany(resumed(first.value, completed), { signal });
  }
  if (builder.root === undefined || summary === undefined) throw new Error("a NAR ends with its root");
  return { node: builder.root, ...summary };
}

/** The entries of a NAR, children before their directory, with their contents stored. */
function treeEntries(
  nar: AsyncIterable<NarEntry>,
  files: FileDestination,
  digests: NarDigests,
): AsyncGenerator<TreeEntry, void, undefined> {
  return mapConcurrently(begunEntries(nar, files, digests), WINDOW, async ({ node, ...entry }) => {
    return { ...entry, node: await node.done };
  });
}

/** An entry whose contents are being stored. */
interface BegunEntry extends Omit<TreeEntry, "node"> {
  /** In an object, so that nobody waits for it on the way. */
  readonly node: { readonly done: Promise<TreeEntry["node"]> | TreeEntry["node"] };
}

async function* begunEntries(
  nar: AsyncIterable<NarEntry>,
  files: FileDestination,
  digests: NarDigests,
): AsyncGenerator<BegunEntry, void, undefined> {
  const open: Uint8Array[] = [];
  const watchRoot = (piece: Uint8Array) => digests.watchRootFile(piece);
  const ignore = () => {};
  for await (const entry of nar) {
    files.signal?.throwIfAborted();
    if (entry.type === "directory") {
      open.push(entry.name);
    } else if (entry.type === "end") {
      const name = open.pop() as Uint8Array;
      yield { name, depth: open.length, node: { done: "directory" } };
    } else if (entry.type === "symlink") {
      const target = SymlinkTarget.from(entry.target);
      yield { name: entry.name, depth: open.length, node: { done: { type: "symlink", target } } };
    } else {
      const { stored } = await beginFile(entry, files, open.length === 0 ? watchRoot : ignore);
      yield { name: entry.name, depth: open.length, node: { done: stored } };
    }
  }
}

async function* resumed<T>(first: T, rest: AsyncIterable<T>): AsyncIterable<T> {
  yield first;
  yield* rest;
}
