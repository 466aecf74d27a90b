import { type ByteSource, collect } from "@tvix/byte-stream";
import {
  type BlobService,
  ByteBudget,
  CastoreError,
  DEFAULT_SIZE_CONVENTION,
  type DirectoryService,
  type FileNode,
  type Node,
  type OperationOptions,
  type SizeConvention,
  SymlinkTarget,
} from "@tvix/castore";
import type { Header } from "tar-stream";
import {
  isSparse,
  linkedPlaceOf,
  placeOf,
  shownName,
  type TarEntry,
  tarEntries,
  targetOf,
} from "./tar-entries.ts";
import { type Leaf, TarTree } from "./tar-tree.ts";

/** Where the contents of an archive go to. */
export interface TreeDestination {
  readonly blobService: Pick<BlobService, "put">;
  readonly directoryService: Pick<DirectoryService, "putMany">;
}

/** Options of {@link ingestTar}. */
export interface IngestTarOptions extends OperationOptions {
  /** How sizes of directories are counted. Default `doubled`, as the Rust stores count. */
  readonly sizeConvention?: SizeConvention;
  /** Told what has been read so far: entries, and bytes of their contents. */
  readonly onProgress?: (progress: { readonly entries: number; readonly bytes: number }) => void;
}

/** Files up to this length are read whole, and stored while the next ones are read. */
const SMALL_BYTES = 256 << 10;

/** What such files may hold together. */
const UNDER_WAY_BYTES = 32 << 20;

/** What a file counts for at least, however short it is: so many are stored at once that this many fit. */
const LEAST_HELD_BYTES = 64 << 10;

/**
 * Stores the contents of a tar archive (ustar, pax or GNU) as they would lie in an empty directory, and returns that
 * directory. Of entries with one path the last one counts; directories on the way to an entry are made. Owners,
 * times, and all of the mode but whether the owner may execute are left out.
 *
 * Contents are stored as they come. The tree itself is kept until the end, some 300 bytes for each entry, as the
 * entries of an archive come in any order.
 *
 * @throws CastoreError INVALID_PATH for a path that is absolute or has `..`; INVALID_NODE for what is no archive, or
 *   for a hard link to something that did not come before; UNSUPPORTED_FILE_TYPE for devices and the like
 */
export async function ingestTar(
  source: ByteSource,
  services: TreeDestination,
  options: IngestTarOptions = {},
): Promise<Node> {
  const { signal, sizeConvention = DEFAULT_SIZE_CONVENTION, onProgress } = options;
  const tree = new TarTree();
  const small = new SmallFiles(services.blobService, options);
  let entries = 0;
  let bytes = 0;
  try {
    for await (const entry of tarEntries(source)) {
      signal?.throwIfAborted();
      entries++;
      bytes += entry.header.size ?? 0;
      await take(entry, tree, small, services, options);
      onProgress?.({ entries, bytes });
    }
  } finally {
    await small.settled();
  }
  small.throwIfFailed();
  const { directories, root } = tree.finish(sizeConvention);
  await services.directoryService.putMany(directories, { signal });
  return root();
}

async function take(
  entry: TarEntry,
  tree: TarTree,
  small: SmallFiles,
  { blobService }: TreeDestination,
  options: OperationOptions,
): Promise<void> {
  const { header, contents } = entry;
  if (isSparse(header)) {
    const text = `${shownName(header)} in the archive is a sparse file, which GNU tar writes without --sparse as well`;
    throw new CastoreError("UNSUPPORTED_FILE_TYPE", text, { subject: shownName(header) });
  }
  switch (header.type) {
    case "file":
    case "contiguous-file": {
      const place = placeOf(header);
      const size = header.size ?? 0;
      if (size <= SMALL_BYTES) {
        const whole = await collect(contents, SMALL_BYTES);
        const leaf: Leaf = { node: undefined };
        tree.add(place, leaf);
        await small.put(whole, (digest) => {
          leaf.node = fileNode(header, digest);
        });
        return;
      }
      tree.add(place, { node: fileNode(header, await blobService.put(contents, options)) });
      return;
    }
    case "link": {
      const place = placeOf(header);
      const linked = tree.get(linkedPlaceOf(header));
      if (linked === undefined) throw unknownLink(header);
      tree.add(place, linked);
      break;
    }
    case "symlink":
      tree.add(placeOf(header), {
        node: { type: "symlink", target: SymlinkTarget.from(targetOf(header)) },
      });
      break;
    case "directory":
      tree.addDirectory(placeOf(header));
      break;
    default:
      throw new CastoreError(
        "UNSUPPORTED_FILE_TYPE",
        `${shownName(header)} in the archive is a ${header.type ?? "thing of another kind"}, which cannot be stored`,
        { subject: shownName(header) },
      );
  }
  entry.skip();
}

function fileNode({ size = 0, mode = 0 }: Header, digest: FileNode["digest"]): FileNode {
  return { type: "file", digest, size: BigInt(size), executable: (mode & 0o100) !== 0 };
}

function unknownLink(header: Header): CastoreError {
  const text = `${shownName(header)} in the archive is a hard link to a file that did not come before it`;
  return new CastoreError("INVALID_NODE", text, { subject: shownName(header) });
}

/** Short files on their way into the store. */
class SmallFiles {
  readonly #blobService: Pick<BlobService, "put">;
  readonly #options: OperationOptions;
  readonly #budget = new ByteBudget(UNDER_WAY_BYTES);
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(blobService: Pick<BlobService, "put">, { signal }: OperationOptions) {
    this.#blobService = blobService;
    this.#options = { signal };
  }

  /** Resolves when there is room for the next one. @throws what an earlier one has failed with */
  async put(contents: Uint8Array, stored: (digest: FileNode["digest"]) => void): Promise<void> {
    const held = Math.max(contents.length, LEAST_HELD_BYTES);
    await this.#budget.acquire(held);
    this.throwIfFailed();
    const storing = this.#blobService
      .put(contents, this.#options)
      .then(stored)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#budget.release(held);
        this.#underWay.delete(storing);
      });
    this.#underWay.add(storing);
  }

  /** Resolves when none is under way, however it ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** @throws what one has failed with */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
