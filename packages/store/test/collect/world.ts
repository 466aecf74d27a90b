import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  type BlobService,
  type DirectoryService,
  type FileNode,
  MemoryRecordStore,
  type Node,
  openRecordStore,
  type RecordStore,
} from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { NixHash, StorePath } from "@tvix/nix-compat";
import { IndexingPathInfoService, type PathInfo, type PathInfoService } from "@tvix/store";
import { PathUsage, type StoreCollectionParts, UsedPathInfoService } from "@tvix/store/collect";
import { RecordNarIndex, RecordPathInfoService } from "@tvix/store/records";

const { directoryNode, directoryOf, pseudoRandomBytes } = fixtures;

/** How something is stored. */
interface PutOptions {
  /** Whether files are not sent that are said to be there. Default true. */
  readonly asksFirst?: boolean;
  /** Paths that a path refers to. Default none. */
  readonly references?: readonly number[];
}

/** Somebody who works on a store, with nothing in memory that others know of. */
export class Client {
  readonly records: RecordStore;
  readonly usage: PathUsage;
  readonly pathInfos: PathInfoService;
  readonly #blobs: BlobService;
  readonly #directories: DirectoryService;

  private constructor(records: RecordStore, blobs: BlobService, directories: DirectoryService) {
    this.records = records;
    this.usage = new PathUsage(records);
    const stored = new IndexingPathInfoService(
      new RecordPathInfoService(records),
      new RecordNarIndex(records),
    );
    this.pathInfos = new UsedPathInfoService(stored, this.usage);
    this.#blobs = blobs;
    this.#directories = directories;
  }

  static async of(records: RecordStore): Promise<Client> {
    const chunkSizes = { min: 256, avg: 512, max: 1024 };
    const { blobService, directoryService } = await openRecordStore(records, { chunkSizes });
    return new Client(records, blobService, directoryService);
  }

  /** What a collection by this one works on. */
  get parts(): StoreCollectionParts {
    return {
      records: this.records,
      usage: this.usage,
      openScratch: async () => {
        const scratch = new MemoryRecordStore();
        return { records: scratch, remove: () => scratch.close() };
      },
    };
  }

  /** Stores a tree of some files, as people do: who is told that a file is there does not send it. */
  async putContents(files: readonly number[], { asksFirst = true }: PutOptions = {}): Promise<Node> {
    const nodes: Record<string, FileNode> = {};
    for (const file of files) {
      const bytes = contentsOf(file);
      const digest = B3Digest.of(bytes);
      if (!asksFirst || !(await this.#blobs.has(digest))) await this.#blobs.put(bytes);
      nodes[`file ${file}`] = { type: "file", digest, size: BigInt(bytes.length), executable: false };
    }
    const inner = directoryOf(nodes);
    const outer = directoryOf({ inner: directoryNode(inner) });
    await this.#directories.putMany([inner, outer]);
    return directoryNode(outer);
  }

  /** Stores a path of such contents. */
  async putPath(number: number, files: readonly number[], options: PutOptions = {}): Promise<PathInfo> {
    const { references = [] } = options;
    return await this.pathInfos.put(pathInfoOf(number, await this.putContents(files, options), references));
  }

  /** Stores a file that begins like another one, and shares chunks with it. */
  async putLonger(file: number): Promise<B3Digest> {
    return await this.#blobs.put(Buffer.concat([contentsOf(file), Buffer.alloc(5000, file)]));
  }

  hasFile(digest: B3Digest): Promise<boolean> {
    return this.#blobs.has(digest);
  }

  /** Whether all of some contents can be read. */
  async isWhole(node: Node): Promise<boolean> {
    if (node.type !== "directory") throw new TypeError("a directory");
    const found = await Array.fromAsync(this.#directories.getRecursive(node.digest));
    if (found.length !== 2) return false;
    for (const { entries } of found) {
      for (const { node: entry } of entries) {
        if (entry.type === "file" && !(await this.#isReadable(entry.digest))) return false;
      }
    }
    return true;
  }

  async #isReadable(digest: B3Digest): Promise<boolean> {
    const stream = await this.#blobs.read(digest);
    return stream !== undefined && B3Digest.of(await collect(stream, 1 << 20)).equals(digest);
  }
}

/** Some are one chunk, some have a list. */
function contentsOf(file: number): Uint8Array {
  return pseudoRandomBytes(file % 3 === 0 ? 3000 : 100, file + 1);
}

export function pathOf(number: number): StorePath {
  return StorePath.from(new Uint8Array(20).fill(number + 1), `path-${number}`);
}

function pathInfoOf(number: number, node: Node, references: readonly number[]): PathInfo {
  return {
    storePath: pathOf(number),
    node,
    references: references.map(pathOf),
    narSize: 1000 + number,
    narHash: NixHash.from("sha256", new Uint8Array(32).fill(number + 1)),
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  };
}

/** The records of a store, but for facts; by the table they are in. */
export async function countRecords(records: RecordStore): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for await (const [key] of records.entries({ prefix: new Uint8Array(0) })) {
    const table = /^~?[a-z]\d/.exec(Buffer.from(key.subarray(0, 3)).toString("latin1"))?.[0] ?? "?";
    if (table !== "m1") counts[table] = (counts[table] ?? 0) + 1;
  }
  return counts;
}
