import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import {
  B3Digest,
  DEFAULT_SIZE_CONVENTION,
  Directory,
  type DirectoryEntry,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  TreeBuilder,
} from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { addCastoreRoutes, GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import * as snix from "@tvix/protocol/snix/castore";
import { DirectorySchema } from "@tvix/protocol/tvix/castore";
import { describe, expect, test } from "vitest";

describe("a peer that knows the names of snix only", () => {
  const peer = () => {
    const asked: string[] = [];
    const services = { blobService: new MemoryBlobService(), directoryService: new MemoryDirectoryService() };
    const whole = createRouterTransport((router) => addCastoreRoutes(router, services));
    const refuse = (typeName: string) => {
      asked.push(typeName);
      if (typeName.startsWith("tvix")) throw new ConnectError("unknown service", Code.Unimplemented);
    };
    const transport: typeof whole = {
      unary: (method, ...rest) => {
        refuse(method.parent.typeName);
        return whole.unary(method, ...rest);
      },
      stream: (method, ...rest) => {
        refuse(method.parent.typeName);
        return whole.stream(method, ...rest);
      },
    };
    return { transport, asked };
  };

  test("is understood, after it was asked once", async () => {
    const { transport, asked } = peer();
    const blobs = new GrpcBlobService(transport);
    const digest = await blobs.put(fixtures.pseudoRandomBytes(1000));
    expect(await blobs.has(digest)).toBe(true);
    const directories = new GrpcDirectoryService(transport);
    const root = await directories.putMany([fixtures.DIRECTORY_A, fixtures.DIRECTORY_B]);
    expect(await directories.get(root)).toEqual(fixtures.DIRECTORY_B);
    expect(asked.filter((name) => name.startsWith("tvix"))).toHaveLength(2);
  });

  test("is not, where a name is fixed", async () => {
    const { transport } = peer();
    const blobs = new GrpcBlobService(transport, { namespace: "tvix" });
    await expect(blobs.put(new Uint8Array(1))).rejects.toThrow(/unknown service/);
    await new GrpcBlobService(transport, { namespace: "snix" }).put(new Uint8Array(1));
  });

  test("a call that is given up while the names are found out takes them from nobody", async () => {
    const never = createRouterTransport((router) => {
      router.rpc(snix.BlobService.method.stat, async () => await new Promise(() => {}));
    });
    const waiting = { ...never, unary: () => new Promise(() => {}) } as unknown as typeof never;
    const blobs = new GrpcBlobService(waiting);
    const givingUp = new AbortController();
    const asking = blobs.has(B3Digest.of(new Uint8Array(1)), { signal: givingUp.signal });
    givingUp.abort(new Error("given up"));
    await expect(asking).rejects.toThrow("given up");
  });
});

test("a peer that says it stored another tree than it was sent is not believed", async () => {
  const transport = createRouterTransport((router) => {
    router.service(snix.DirectoryService, {
      async put(messages) {
        for await (const _ of messages);
        return { rootDigest: fixtures.DIRECTORY_C.digest().bytes };
      },
    });
  });
  const directories = new GrpcDirectoryService(transport, { namespace: "snix" });
  await expect(directories.putMany([fixtures.DIRECTORY_A, fixtures.DIRECTORY_B])).rejects.toMatchObject({
    code: "INVALID_RESPONSE",
  });
});

/** Builds a tree of directories only, with the sizes that are written by default. */
function tree(): readonly Directory[] {
  const builder = new TreeBuilder(DEFAULT_SIZE_CONVENTION);
  const name = (text: string) => new TextEncoder().encode(text);
  const file: Node = { type: "file", digest: B3Digest.of(name("x")), size: 1n, executable: true };
  return [
    builder.add({ name: name("leaf"), depth: 3, node: file } as never),
    builder.add({ name: name("inner"), depth: 2, node: "directory" }),
    builder.add({ name: name("middle"), depth: 1, node: "directory" }),
    builder.add({ name: name(""), depth: 0, node: "directory" }),
  ].filter((directory) => directory !== undefined);
}

describe("the messages of a tree", () => {
  test("are what a Rust store writes of it, byte for byte", () => {
    // { "d": { "keep": { ".keep": "" } }, "f": "Hello World!" }, as snix-store 0.1 encodes it.
    const keep = fixtures.DIRECTORY_WITH_KEEP;
    const nested = (child: Directory): Node => ({
      type: "directory",
      digest: child.digest(),
      size: child.size(),
    });
    const d = Directory.of([{ name: PathComponent.from("keep"), node: nested(keep) }]);
    const hex = (directory: Directory) => Buffer.from(directory.encode()).toString("hex");
    // DirectoryEntry: name, digest, and size 2 for the one entry of "keep".
    expect(hex(d)).toBe(`0a2a0a046b6565701220${keep.digest().toHex()}1802`);
    // 2 for its own entry and 2 for what the child is declared with.
    expect(d.size()).toBe(4n);
    expect(hex(Directory.of([{ name: PathComponent.from("d"), node: nested(d) }]))).toBe(
      `0a270a01641220${d.digest().toHex()}1804`,
    );
  });

  test("have the sizes that Rust stores insist on, on every level", () => {
    const directories = tree();
    expect(directories).toHaveLength(3);
    const sizes = new Map<string, bigint>();
    for (const directory of directories) {
      const children = [...directory.children()];
      for (const { node } of children) expect(node.size).toBe(sizes.get(node.digest.key));
      const below = children.reduce((sum, { node }) => sum + node.size, 0n);
      sizes.set(directory.digest().key, 2n * BigInt(directory.entries.length) + below);
    }
  });

  test("are the same bytes under both names", () => {
    for (const directory of [...tree(), fixtures.DIRECTORY_COMPLICATED, fixtures.DIRECTORY_MIXED]) {
      const message = { directories: [], files: [], symlinks: [] } as Record<string, object[]>;
      for (const { name, node } of directory.entries satisfies readonly DirectoryEntry[]) {
        const common = { name: name.bytes };
        if (node.type === "symlink") message["symlinks"]?.push({ ...common, target: node.target.bytes });
        else {
          const sized = { ...common, digest: node.digest.bytes, size: node.size };
          if (node.type === "directory") message["directories"]?.push(sized);
          else message["files"]?.push({ ...sized, executable: node.executable });
        }
      }
      const [ofSnix, ofTvix] = [
        toBinary(snix.DirectorySchema, create(snix.DirectorySchema, message)),
        toBinary(DirectorySchema, create(DirectorySchema, message)),
      ];
      expect(ofSnix).toEqual(ofTvix);
      expect(ofSnix).toEqual(directory.encode());
    }
  });

  test("of either way to count are taken, also mixed in one tree", async () => {
    for (const sizeOf of [
      (directory: Directory) => directory.size("documented"),
      (directory: Directory) => directory.size("doubled"),
      (directory: Directory, depth: number) => directory.size(depth % 2 === 0 ? "documented" : "doubled"),
    ]) {
      const levels = [fixtures.DIRECTORY_WITH_KEEP];
      for (let depth = 0; depth < 5; depth++) {
        const child = levels.at(-1) as Directory;
        const node: Node = { type: "directory", digest: child.digest(), size: sizeOf(child, depth) };
        levels.push(Directory.of([{ name: PathComponent.from("d"), node }]));
      }
      const root = await new MemoryDirectoryService().putMany(levels);
      expect(root.toHex()).toBe(levels.at(-1)?.digest().toHex());
    }
  });
});
