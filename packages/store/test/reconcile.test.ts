import { CastoreError, MemoryRecordStore, type Principal } from "@tvix/castore";
import { SecretKey } from "@tvix/narinfo";
import { NixHash } from "@tvix/nix-compat";
import {
  AdditivePathInfoService,
  CachePathInfoService,
  CombinedPathInfoService,
  IndexingPathInfoService,
  MemoryPathInfoService,
  type PathInfo,
  type PathInfoService,
  SigningPathInfoService,
} from "@tvix/store";
import { RecordNarIndex, RecordPathInfoService } from "@tvix/store/records";
import { fixtures } from "@tvix/store/testing";
import { expect, test } from "vitest";

const adder: Principal = { name: "adder", pathPrefix: undefined, mayReplace: false };
const replacer: Principal = { ...adder, name: "replacer", mayReplace: true };

const info = fixtures.fullPathInfo(1);
const { digest } = info.storePath;
const withNar = (byte: number): PathInfo => ({
  ...info,
  narHash: NixHash.from("sha256", new Uint8Array(32).fill(byte)),
});
const unavailable = async (): Promise<never> => {
  throw new CastoreError("UNAVAILABLE", "the far service is down");
};

test.each([
  [
    "a cache",
    (near: PathInfoService, far: PathInfoService) => new CachePathInfoService(near, far, { writes: "near" }),
  ],
  ["two combined", (near: PathInfoService, far: PathInfoService) => new CombinedPathInfoService(near, far)],
])("%s reconciles with what is far, and asks for it only where nothing is near", async (_, inFront) => {
  const [near, far] = [new MemoryPathInfoService(), new MemoryPathInfoService()];
  await far.put(withNar(1));
  const guarded = new AdditivePathInfoService(inFront(near, far));
  await expect(guarded.put(withNar(2), { principal: adder })).rejects.toMatchObject({ code: "CONFLICT" });
  await guarded.put(withNar(1), { principal: adder });
  far.get = unavailable;
  await guarded.put(withNar(1), { principal: adder });
  await expect(guarded.put(withNar(2), { principal: adder })).rejects.toMatchObject({ code: "CONFLICT" });
});

test("what is near is what the far service was told last, whoever is slower", async () => {
  const records = new MemoryRecordStore();
  const far = new RecordPathInfoService(records);
  const near = new MemoryPathInfoService();
  const held: (() => void)[] = [];
  const put = far.put.bind(far);
  far.put = async (one, options) => {
    const stored = await put(one, options);
    // The first one hears of it last.
    if (held.length === 0) await new Promise<void>((resolve) => held.push(resolve));
    return stored;
  };
  const guarded = new AdditivePathInfoService(new CachePathInfoService(near, far));
  const first = guarded.put(withNar(1), { principal: adder });
  await expect.poll(() => held.length).toBe(1);
  const second = guarded.put(withNar(2), { principal: replacer });
  held[0]?.();
  await Promise.all([first, second]);
  expect(`${(await near.get(digest))?.narHash}`).toBe(`${withNar(2).narHash}`);
  expect(`${(await far.get(digest))?.narHash}`).toBe(`${withNar(2).narHash}`);
});

test("what is refused is not indexed, and an index that fails is an error like any other", async () => {
  const index = new RecordNarIndex(new MemoryRecordStore());
  const guarded = new AdditivePathInfoService(
    new IndexingPathInfoService(new MemoryPathInfoService(), index),
  );
  await guarded.put(withNar(1), { principal: adder });
  const refused = withNar(2);
  await expect(guarded.put(refused, { principal: adder })).rejects.toMatchObject({ code: "CONFLICT" });
  expect(await index.get(withNar(1).narHash)).toMatchObject({ lasting: true });
  expect(await index.get(refused.narHash)).toBeUndefined();
  index.get = unavailable;
  await expect(guarded.put(withNar(1), { principal: adder })).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("a service that does not reconcile is not trusted with the rule", async () => {
  const inner = new MemoryPathInfoService();
  const ignoring: PathInfoService = {
    get: (one, options) => inner.get(one, options),
    put: (one) => inner.put(one),
    list: (options) => inner.list(options),
  };
  await inner.put(withNar(1));
  const guarded = new AdditivePathInfoService(ignoring);
  for (let times = 0; times < 2; times++) {
    await expect(guarded.put(withNar(2), { principal: adder })).rejects.toMatchObject({ code: "CONFLICT" });
  }
  await expect(guarded.put(withNar(1), { principal: adder })).rejects.toThrow("does not reconcile");
  expect(`${(await inner.get(digest))?.narHash}`).toBe(`${withNar(1).narHash}`);
});

test("our own signature is there, however many others are", async () => {
  const ours = SecretKey.generate("ours-1");
  const service = new SigningPathInfoService(new MemoryPathInfoService(), [ours]);
  const others = Array.from({ length: 120 }, (_, number) =>
    SecretKey.generate(`other-${number}`).sign("text"),
  );
  const guarded = new AdditivePathInfoService(service);
  const refused: unknown[] = [];
  for (const signature of others) {
    const put = guarded.put({ ...info, signatures: [signature] }, { principal: adder });
    await put.catch((error) => refused.push(error.code));
  }
  // What is not kept is not acknowledged.
  expect(refused).toEqual(Array.from({ length: 21 }, () => "CONFLICT"));
  const found = await guarded.get(digest);
  expect(found?.signatures.some(({ name }) => name === "ours-1")).toBe(true);
  expect(found?.signatures.length).toBeLessThanOrEqual(101);
});
