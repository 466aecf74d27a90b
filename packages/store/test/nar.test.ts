import { createHash } from "node:crypto";
import { collect, rechunk } from "@tvix/byte-stream";
import {
  B3Digest,
  Directory,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
} from "@tvix/castore";
import { fixtures as castore } from "@tvix/castore/testing";
import { NarError, narSize, writeNar } from "@tvix/nar";
import { type ContentAddress, NixHash } from "@tvix/nix-compat";
import { ingestNar, outlineOf, RenderingNarCalculation, renderNar, renderNarRange } from "@tvix/store";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FIXTURES, file, text } from "../../nar/test/fixtures.ts";
import { anyTree, flatten } from "../../nar/test/trees.ts";

const memoryServices = () => ({
  blobService: new MemoryBlobService(),
  directoryService: new MemoryDirectoryService(),
});

const narOf = async (entries: Parameters<typeof writeNar>[0]) => await collect(writeNar(entries), 1 << 26);

describe.each(FIXTURES)("%s", (_, entries, size, sha256) => {
  test("is ingested and rendered, and has the known length and hash", async () => {
    const services = memoryServices();
    const nar = await narOf(entries);
    const ingested = await ingestNar(rechunk(nar, 13), services);
    expect([ingested.narSize, ingested.narHash.toHex()]).toEqual([size, sha256]);
    expect(await collect(renderNar(ingested.node, services), 1 << 20)).toEqual(nar);
    const calculated = await new RenderingNarCalculation(services).calculateNar(ingested.node);
    expect([calculated.narSize, calculated.narHash.toHex()]).toEqual([size, sha256]);
    expect(await narSize(outlineOf(ingested.node, services.directoryService))).toBe(size);
  });
});

test("the complicated fixture has the root that tvix gives it", async () => {
  const complicated = FIXTURES.find(([name]) => name === "complicated")?.[1] ?? [];
  const { node } = await ingestNar(await narOf(complicated), memoryServices());
  expect(node.type === "directory" && node.digest.toHex()).toBe(
    // Sizes counted twice, as all Rust stores count them.
    "424a7f6ce08d805d15b428062faae96299a1675d708c3a39261afe38cdd04feb",
  );
});

test("any tree comes back, whole and in any part", async () => {
  await fc.assert(
    fc.asyncProperty(anyTree(), fc.nat(2000), fc.nat(2000), async (tree, start, length) => {
      const services = memoryServices();
      const nar = await narOf(flatten(tree));
      const { node } = await ingestNar(rechunk(nar, 100), services);
      expect(await collect(renderNar(node, services), 1 << 20)).toEqual(nar);
      const range = { start, end: start + length };
      const part = await collect(renderNarRange(node, range, services), 1 << 20);
      expect(part).toEqual(nar.slice(start, start + length));
    }),
    { numRuns: 100 },
  );
});

test("a NAR is ingested from a source that uses its memory again", async () => {
  async function* inReusedMemory(bytes: Uint8Array, length: number) {
    const memory = new Uint8Array(length);
    for await (const piece of rechunk(bytes, length)) {
      memory.set(piece);
      yield memory.subarray(0, piece.length);
      memory.fill(0xee);
    }
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyTree(), { maxLength: 5 }),
      fc.integer({ min: 1, max: 200_000 }),
      async (trees, length) => {
        const services = memoryServices();
        const long = castore.pseudoRandomBytes(150_000);
        const nar = await narOf([
          { type: "directory", name: text("") },
          { type: "file", name: text("#"), executable: false, size: long.length, contents: long },
          ...trees.flatMap((tree, index) => flatten(tree, text(`${index}`))),
          { type: "end" },
        ]);
        const { node } = await ingestNar(inReusedMemory(nar, length), services);
        expect(Buffer.compare(await collect(renderNar(node, services), 1 << 24), nar)).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test("an ingestion does not wait for ever for a store that takes no contents", async () => {
  const digest = B3Digest.of(text("whatever"));
  const contents = new Uint8Array(200_000);
  const nar = await narOf([
    { type: "file", name: text(""), executable: false, size: contents.length, contents },
  ]);
  const services = { ...memoryServices(), blobService: { put: async () => digest } };
  expect((await ingestNar(rechunk(nar, 1000), services)).narSize).toBe(nar.length);
});

test("parts of a NAR read no more than they need", async () => {
  const services = memoryServices();
  const contents = castore.pseudoRandomBytes(3_000_000);
  const nar = await narOf([{ ...file("", ""), size: contents.length, contents } as never]);
  const { node } = await ingestNar(rechunk(nar, 100_000), services);
  const reads: unknown[] = [];
  const blobService: Pick<MemoryBlobService, "read"> = {
    read: (digest, options) => {
      reads.push([options?.offset, options?.length]);
      return services.blobService.read(digest, options);
    },
  };
  for (const [start, end] of [
    [0, 96],
    [96, 97],
    [1_000_000, 1_000_010],
    [2_999_000, 9_000_000],
    [9_000_000, 9_000_001],
  ] as const) {
    const part = await collect(renderNarRange(node, { start, end }, { ...services, blobService }), 1 << 24);
    expect(part).toEqual(nar.slice(start, end));
  }
  expect(reads).toEqual([
    [0, 1],
    [999_904, 10],
    [2_998_904, 1096],
  ]);
  for (const range of [
    { start: -1, end: 1 },
    { start: 0.5, end: 1 },
  ]) {
    await expect(Array.fromAsync(renderNarRange(node, range, services))).rejects.toThrow(RangeError);
  }
});

describe("a NAR leaves nothing behind that can be found", () => {
  const complicated = FIXTURES.find(([name]) => name === "complicated")?.[1] ?? [];

  test("when it is cut off at any byte", async () => {
    const nar = await narOf(complicated);
    for (let length = 0; length < nar.length; length++) {
      const services = memoryServices();
      await expect(ingestNar(nar.subarray(0, length), services)).rejects.toMatchObject({
        code: "TRUNCATED_NAR",
      });
      expect(await services.directoryService.get(castore.DIRECTORY_COMPLICATED.digest())).toBeUndefined();
    }
  });

  test.each([
    [
      "another hash",
      { narHash: NixHash.from("sha256", new Uint8Array(32)) },
      "NAR_HASH_MISMATCH",
      /expected sha256:0000/,
    ],
    ["another length", { narSize: 839 }, "NAR_SIZE_MISMATCH", /840 bytes, expected 839/],
    [
      "another content address",
      { contentAddress: { method: "nar", hash: NixHash.from("sha1", new Uint8Array(20)) } as ContentAddress },
      "CONTENT_ADDRESS_MISMATCH",
      /sha1 0000/,
    ],
    [
      "the content address of a file",
      { contentAddress: { method: "flat", hash: NixHash.from("md5", new Uint8Array(16)) } as ContentAddress },
      "CONTENT_ADDRESS_MISMATCH",
      /holds a directory/,
    ],
  ])("when it has %s than expected", async (_, expected, code, message) => {
    const services = memoryServices();
    const ingesting = ingestNar(await narOf(complicated), services, { expected });
    await expect(ingesting).rejects.toMatchObject({
      name: "StoreError",
      code,
      message: expect.stringMatching(message),
    });
    expect(await services.directoryService.get(castore.DIRECTORY_COMPLICATED.digest())).toBeUndefined();
  });

  test("when something comes behind it", async () => {
    const services = memoryServices();
    const nar = Buffer.concat([await narOf(complicated), Buffer.alloc(8)]);
    await expect(ingestNar(nar, services)).rejects.toMatchObject({ code: "INVALID_NAR" });
    expect(await services.directoryService.get(castore.DIRECTORY_COMPLICATED.digest())).toBeUndefined();
  });

  test("when its source fails, with the reason of the source", async () => {
    async function* failing() {
      yield (await narOf(complicated)).subarray(0, 300);
      throw new Error("the line is dead");
    }
    await expect(ingestNar(failing(), memoryServices())).rejects.toThrow("the line is dead");
  });

  test("when a blob cannot be stored, with the reason of the store", async () => {
    const services = memoryServices();
    const blobService = { put: () => Promise.reject(new Error("the disk is full")) };
    const contents = new Uint8Array(200_000);
    for (const entry of [file("", "short"), { ...file("", ""), size: contents.length, contents }]) {
      const nar = await narOf([entry as never]);
      await expect(ingestNar(rechunk(nar, 1000), { ...services, blobService })).rejects.toThrow(
        "the disk is full",
      );
    }
  });

  test("when the signal is aborted", async () => {
    const signal = AbortSignal.abort(new Error("not any more"));
    await expect(ingestNar(await narOf(complicated), memoryServices(), { signal })).rejects.toThrow(
      "not any more",
    );
  });
});

test.each([
  [
    "nar",
    "sha512",
    "1f5d43941411f35f09211f8596b426ee6e4dd3af1639e0ed2273cbe44b818fc4a59e3af02a057c5b18fbfcf435497de5f1994206c137f469b3df674966a922f0",
    "complicated",
  ],
  ["nar", "sha1", "424eeaaa9cc016bab030bf007cb1be6483e7ba9e", "symlink"],
  ["flat", "md5", "ed076287532e86365e841e92bfc50d8c", "hello world"],
  ["flat", "md5", "ed076287532e86365e841e92bfc50d8c", "hello world, executable"],
  ["text", "sha256", "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069", "hello world"],
] as const)(
  "a NAR is accepted with the content address %s:%s:%s",
  async (method, algorithm, digest, name) => {
    const entries = FIXTURES.find(([fixture]) => fixture === name)?.[1] ?? [];
    const contentAddress = {
      method,
      hash: NixHash.from(algorithm, new Uint8Array(Buffer.from(digest, "hex"))),
    };
    await ingestNar(rechunk(await narOf(entries), 10), memoryServices(), { expected: { contentAddress } });
  },
);

describe("rendering fails", () => {
  const hello = async (services: ReturnType<typeof memoryServices>, size: bigint): Promise<Node> => ({
    type: "file",
    digest: await services.blobService.put(text("Hello World!")),
    size,
    executable: false,
  });

  test.each([42n, 2n])("when a tree states a size of %d for a blob of 12 bytes", async (size) => {
    const services = memoryServices();
    const node = await hello(services, size);
    await expect(collect(renderNar(node, services), 1 << 20)).rejects.toMatchObject({
      code: "SIZE_MISMATCH",
    });
  });

  test("when a part is asked for that the blob has not got", async () => {
    const services = memoryServices();
    const node = await hello(services, 42n);
    const part = (end: number) => collect(renderNarRange(node, { start: 96, end }, services), 1 << 20);
    expect(new TextDecoder().decode(await part(96 + 12))).toBe("Hello World!");
    await expect(part(96 + 13)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  });

  test("when the size of a long file is wrong", async () => {
    const services = memoryServices();
    const digest = await services.blobService.put(new Uint8Array(2_000_000));
    for (const size of [1_999_999n, 2_000_001n]) {
      const node: Node = { type: "file", digest, size, executable: false };
      await expect(collect(renderNar(node, services), 1 << 24)).rejects.toMatchObject({
        code: "SIZE_MISMATCH",
      });
    }
  });

  test("when a blob or a directory is missing, and says which", async () => {
    const services = memoryServices();
    const digest = B3Digest.of(text("never put"));
    const blob: Node = { type: "file", digest, size: 9n, executable: false };
    const directory: Node = { type: "directory", digest, size: 0n };
    for (const node of [blob, directory]) {
      await expect(collect(renderNar(node, services), 1 << 20)).rejects.toMatchObject({
        code: "INCOMPLETE",
        message: expect.stringContaining(String(digest)),
      });
    }
  });

  test("when the tree is deeper than a NAR can be", async () => {
    const services = memoryServices();
    const levels = [Directory.of([])];
    for (let depth = 1; depth < 65; depth++) {
      const child = levels.at(-1) as Directory;
      const node: Node = { type: "directory", digest: child.digest(), size: child.size() };
      levels.push(Directory.of([{ name: PathComponent.from("d"), node }]));
    }
    // No service takes the last of them any more; an older version may have stored it.
    const byDigest = new Map(levels.map((level) => [level.digest().key, level]));
    const directoryService = { get: async (digest: B3Digest) => byDigest.get(digest.key) };
    await expect(services.directoryService.putMany(levels)).rejects.toMatchObject({ code: "TOO_DEEP" });
    const root = (directory: Directory): Node => ({
      type: "directory",
      digest: directory.digest(),
      size: directory.size(),
    });
    const stored = { ...services, directoryService };
    await collect(renderNar(root(levels[63] as Directory), stored), 1 << 20);
    const tooDeep = collect(renderNar(root(levels[64] as Directory), stored), 1 << 20);
    await expect(tooDeep).rejects.toSatisfy((error) => NarError.is(error) && error.code === "LIMIT_EXCEEDED");
  });
});

test("contents are looked up ahead of the reader", async () => {
  const services = memoryServices();
  const names = Array.from({ length: 50 }, (_, index) => `file ${String(index).padStart(2, "0")}`);
  const { node } = await ingestNar(
    await narOf([
      { type: "directory", name: text("") },
      ...names.map((name) => file(name, name.repeat(100))),
      { type: "end" },
    ]),
    services,
  );
  let waiting = 0;
  let most = 0;
  const blobService: Pick<MemoryBlobService, "read"> = {
    read: async (...call) => {
      most = Math.max(most, ++waiting);
      await new Promise((resolve) => setImmediate(resolve));
      waiting--;
      return await services.blobService.read(...call);
    },
  };
  const nar = await collect(renderNar(node, { ...services, blobService }), 1 << 20);
  expect(createHash("sha256").update(nar).digest("hex")).toBe(
    createHash("sha256")
      .update(await collect(renderNar(node, services), 1 << 20))
      .digest("hex"),
  );
  expect(most).toBeGreaterThan(20);
});
