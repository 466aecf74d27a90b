import {
  B3Digest,
  CastorePath,
  Directory,
  type DirectoryService,
  MemoryDirectoryService,
  MemoryRecordStore,
  type Node,
  PathComponent,
  type RecordStore,
  SymlinkTarget,
} from "@tvix/castore";
import { StorePath } from "@tvix/nix-compat";
import type { PathInfo } from "@tvix/store";
import {
  BackgroundFileIndexing,
  FileIndex,
  FileIndexingPathInfoService,
  PATH_INFOS,
  RecordPathInfoService,
} from "@tvix/store/records";
import { fixtures } from "@tvix/store/testing";
import { onTestFinished } from "vitest";

/** Entries of a directory by their names, each byte a character. */
export type Tree = { readonly [name: string]: Tree | Node };

const EMPTY = B3Digest.of(new Uint8Array(0));
export const FILE: Node = { type: "file", digest: EMPTY, size: 0n, executable: false };
export const PROGRAM: Node = { type: "file", digest: EMPTY, size: 2n ** 60n, executable: true };
export const LINK: Node = { type: "symlink", target: SymlinkTarget.from("elsewhere") };

export const isNode = (tree: Tree | Node): tree is Node => typeof (tree as Node).type === "string";

async function putTree(directories: DirectoryService, tree: Tree): Promise<Node> {
  const made: Directory[] = [];
  const make = (level: Tree): Node => {
    const entries = Object.entries(level).map(([name, below]) => {
      const node = isNode(below) ? below : make(below);
      return { name: PathComponent.from(Buffer.from(name, "latin1")), node };
    });
    const directory = Directory.of(entries);
    made.push(directory);
    return { type: "directory", digest: directory.digest(), size: directory.size() };
  };
  const root = make(tree);
  await directories.putMany(made);
  return root;
}

export function openIndex(
  records = new MemoryRecordStore(),
  directories: DirectoryService = new MemoryDirectoryService(),
  maxEntries?: number,
) {
  const pathInfos = new RecordPathInfoService(records);
  const failures: unknown[] = [];
  const open = () => {
    const services = { records, directoryService: directories, maxEntries };
    const indexing = new BackgroundFileIndexing(services, (error) => void failures.push(error));
    onTestFinished(() => indexing.close());
    return indexing;
  };
  const indexing = open();
  const noted = new FileIndexingPathInfoService(pathInfos, indexing);
  const index = new FileIndex(records, pathInfos);
  return {
    records,
    directories,
    pathInfos,
    noted,
    indexing,
    failures,
    index,
    open,
    async put(number: number, tree: Tree | Node, service = noted): Promise<PathInfo> {
      const node = isNode(tree) ? tree : await putTree(directories, tree);
      const digest = new Uint8Array(20).fill(number);
      const storePath = StorePath.from(digest, `path-${number}`);
      return await service.put({ ...fixtures.fullPathInfo(1), storePath, references: [], node });
    },
    /** `path-number/place` of all that is found, page by page. */
    async find(name: string, size = 1000): Promise<string[]> {
      const found: string[] = [];
      for (let after: string | undefined; ; ) {
        const path = CastorePath.parse(Buffer.from(name, "latin1"));
        const page = await index.find({ path, size, after });
        if (page === undefined) throw new Error("no such page");
        found.push(
          ...page.files.map(
            (file) => `${file.info.storePath.name}/${Buffer.from(file.path).toString("latin1")}`,
          ),
        );
        if (page.next === undefined) return found;
        after = page.next;
      }
    },
  };
}

/** As a collection does with one that nobody keeps, and nothing else. */
export async function removePath(records: RecordStore, { digest }: StorePath): Promise<void> {
  await records.write([PATH_INFOS.remove(digest)]);
}
