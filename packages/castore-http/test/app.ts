import {
  Directory,
  type DirectoryNode,
  type FileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  SymlinkTarget,
} from "@tvix/castore";
import { type FastifyInstance, fastify } from "fastify";
import { type CastoreHttpOptions, castoreHttp, keepEscapes } from "../src/index.ts";

/** A store behind the plugin. */
export class TestStore {
  readonly blobService = new MemoryBlobService();
  readonly directoryService = new MemoryDirectoryService();
  readonly roots: Map<string, Node> = new Map();

  async file(contents: string | Uint8Array, executable = false): Promise<FileNode> {
    const bytes = Buffer.from(contents);
    const digest = await this.blobService.put(bytes);
    return { type: "file", digest, size: BigInt(bytes.length), executable };
  }

  link(target: string | Uint8Array): Node {
    return { type: "symlink", target: SymlinkTarget.from(target) };
  }

  async directory(entries: readonly (readonly [string | Uint8Array, Node])[]): Promise<DirectoryNode> {
    const directory = Directory.of(entries.map(([name, node]) => ({ name: PathComponent.from(name), node })));
    const digest = directory.digest();
    await this.directoryService.putMany([...(await this.#below(directory)), directory]);
    return { type: "directory", digest, size: directory.size("doubled") };
  }

  async #below(directory: Directory): Promise<Directory[]> {
    const all: Directory[] = [];
    for (const { node } of directory.children()) {
      for await (const child of this.directoryService.getRecursive(node.digest)) all.unshift(child);
    }
    return all;
  }

  app(options: Partial<CastoreHttpOptions> = {}): FastifyInstance {
    const app = fastify({
      rewriteUrl: ({ url = "/" }) => keepEscapes(url),
      routerOptions: { ignoreDuplicateSlashes: true },
    });
    const findRoot = async (name: string) => {
      const full = [...this.roots.keys()].find((known) => known === name || known.split("-")[0] === name);
      return full === undefined ? undefined : { name: full, node: this.roots.get(full) as Node };
    };
    void app.register(castoreHttp, { ...this, findRoot, ...options });
    return app;
  }
}
