import { CastoreError, type OperationOptions } from "@tvix/castore";
import {
  CachePathInfoService,
  CombinedPathInfoService,
  MemoryPathInfoService,
  type PathInfo,
  type PathInfoService,
  readOnlyPathInfoService,
} from "@tvix/store";
import { fixtures } from "@tvix/store/testing";
import { describe, expect, test } from "vitest";

const { PATH_INFO, fullPathInfo } = fixtures;
const UNAVAILABLE = new CastoreError("UNAVAILABLE", "out of order");
const { digest } = PATH_INFO.storePath;

/** A service in memory whose gets are counted, and that fails while there is a failure. */
class Watched implements PathInfoService {
  readonly inner = new MemoryPathInfoService();
  gets = 0;
  failure: Error | undefined;

  async get(path: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    this.gets++;
    if (this.failure !== undefined) throw this.failure;
    return await this.inner.get(path, options);
  }

  async put(info: PathInfo, options: OperationOptions = {}): Promise<PathInfo> {
    if (this.failure !== undefined) throw this.failure;
    return await this.inner.put(info, options);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.inner.list(options);
  }
}

describe("a cache of path infos", () => {
  test("keeps what was asked for, and asks once for all who wish it", async () => {
    const [near, far] = [new MemoryPathInfoService(), new Watched()];
    await far.put(PATH_INFO);
    const cache = new CachePathInfoService(near, far);
    await Promise.all(Array.from({ length: 20 }, () => cache.get(digest)));
    expect(far.gets).toBe(1);
    expect(await near.get(digest)).toBe(PATH_INFO);
    expect(await cache.get(digest)).toBe(PATH_INFO);
    expect(far.gets).toBe(1);
  });

  test("what is missing is asked for again after a while only, or when it was put", async () => {
    const far = new Watched();
    const cache = new CachePathInfoService(new MemoryPathInfoService(), far, { missingMs: 60_000 });
    expect(await cache.get(digest)).toBeUndefined();
    await far.put(PATH_INFO);
    expect(await cache.get(digest)).toBeUndefined();
    expect(far.gets).toBe(1);
    await cache.put(PATH_INFO);
    expect(await cache.get(digest)).toBe(PATH_INFO);
    const forgetful = new CachePathInfoService(new MemoryPathInfoService(), far);
    expect(await forgetful.get(digest)).toBe(PATH_INFO);
  });

  test("puts go where they are to go", async () => {
    for (const writes of ["near", "far"] as const) {
      const [near, far] = [new MemoryPathInfoService(), new Watched()];
      await new CachePathInfoService(near, far, { writes }).put(PATH_INFO);
      expect(await near.get(digest)).toBe(PATH_INFO);
      expect(await far.get(digest)).toBe(writes === "far" ? PATH_INFO : undefined);
    }
  });

  test("a near service that takes nothing keeps nobody from reading or writing", async () => {
    const [near, far] = [new Watched(), new MemoryPathInfoService()];
    const failures: unknown[] = [];
    const cache = new CachePathInfoService(near, far, { onNearFailure: (error) => failures.push(error) });
    near.failure = new CastoreError("NO_SPACE", "the disk is full");
    expect(await cache.put(PATH_INFO)).toBe(PATH_INFO);
    expect(await cache.get(digest)).toBe(PATH_INFO);
    expect(failures).toContain(near.failure);
  });

  test("everything is listed once, wherever it is", async () => {
    const [near, far] = [new MemoryPathInfoService(), new MemoryPathInfoService()];
    const infos = Array.from({ length: 6 }, (_, number) => fullPathInfo(number));
    for (const info of infos.slice(0, 4)) await near.put(info);
    for (const info of infos.slice(2)) await far.put(info);
    const layers = [
      new CachePathInfoService(near, far, { writes: "near" }),
      new CombinedPathInfoService(near, far),
    ];
    for (const one of layers) {
      const listed = (await Array.fromAsync(one.list())).map(({ storePath }) => String(storePath));
      expect(listed.sort()).toEqual(infos.map(({ storePath }) => String(storePath)).sort());
    }
  });
});

test.each([
  ["cache", CachePathInfoService],
  ["combined", CombinedPathInfoService],
])("%s: one that fails hides nothing, and is told of where the other has nothing", async (_, Layers) => {
  const [near, far] = [new Watched(), new Watched()];
  const layers = new Layers(near, far);
  await far.put(PATH_INFO);
  near.failure = UNAVAILABLE;
  expect(await layers.get(digest)).toBe(PATH_INFO);
  await expect(layers.get(fullPathInfo(9).storePath.digest)).rejects.toBe(UNAVAILABLE);
  near.failure = undefined;
  far.failure = UNAVAILABLE;
  await expect(layers.get(fullPathInfo(9).storePath.digest)).rejects.toBe(UNAVAILABLE);
});

test("what is read-only says so, and stores nothing", async () => {
  const inner = new MemoryPathInfoService();
  const reader = readOnlyPathInfoService(inner);
  await expect(reader.put(PATH_INFO)).rejects.toMatchObject({ code: "READ_ONLY" });
  await expect(reader.checkPut?.(PATH_INFO)).rejects.toMatchObject({ code: "READ_ONLY" });
  expect(await inner.get(digest)).toBeUndefined();
});
