import { B3Digest } from "@tvix/castore";
import { NixHash, StorePath } from "@tvix/nix-compat";
import { MemoryPathInfoService, type PathInfo } from "@tvix/store";
import { expect, test } from "vitest";

function pathNamed(name: string): StorePath {
  return StorePath.from(B3Digest.of(Buffer.from(name)).bytes.subarray(0, 20), name);
}

function infoWith(name: string, references: number): PathInfo {
  return {
    storePath: pathNamed(name),
    node: { type: "directory", digest: B3Digest.of(Buffer.from(name)), size: 1n },
    references: Array.from({ length: references }, (_, index) => pathNamed(`reference-${index}`)),
    narSize: 1000,
    narHash: NixHash.from("sha256", B3Digest.of(Buffer.from(`NAR of ${name}`)).bytes),
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  };
}

test("path infos that are bounded in what they take: however many references they have, the oldest go first", async () => {
  const service = new MemoryPathInfoService({ maxBytes: 1 << 20 });
  const infos = Array.from({ length: 30 }, (_, number) =>
    infoWith(`path-${number}`, number % 2 === 0 ? 1 : 300),
  );
  for (const info of infos) await service.put(info);
  const kept = await Promise.all(infos.map(({ storePath }) => service.get(storePath.digest)));
  const first = kept.findIndex((info) => info !== undefined);
  expect(first).toBeGreaterThan(5);
  expect(first).toBeLessThan(28);
  expect(kept.slice(first)).toEqual(infos.slice(first));
});

test("one that would take more than all may is not kept, and drives out no other", async () => {
  const service = new MemoryPathInfoService({ maxBytes: 100_000 });
  const [short, long] = [infoWith("short", 1), infoWith("long", 1000)];
  await service.put(short);
  expect(await service.put(long)).toBe(long);
  expect(await service.get(long.storePath.digest)).toBeUndefined();
  expect(await service.get(short.storePath.digest)).toBe(short);
});
