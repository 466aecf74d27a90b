import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { openStore } from "@tvix/castore/node";
import { fixtures } from "@tvix/castore/testing";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./temporary.ts";

async function openPacks(data: string): Promise<number> {
  const targets = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  return targets.filter((target) => target.startsWith(join(data, "packs"))).length;
}

test("a store that is closed while blobs are read leaves no pack open", async () => {
  const data = join(await temporaryDirectory(), "data");
  const store = await openStore(data, { sync: false });
  const digest = await store.blobService.put(fixtures.pseudoRandomBytes(8_000_000, 1));
  const streams = await Promise.all(Array.from({ length: 8 }, () => store.blobService.read(digest)));
  const reading = Promise.allSettled(
    streams.map(async (stream) => {
      for await (const _ of stream ?? []);
    }),
  );
  await store.close();
  for (const end of await reading)
    if (end.status === "rejected") expect(end.reason).toMatchObject({ code: "CLOSED" });
  expect(await openPacks(data)).toBe(0);
});

test("a put whose source says nothing ends with its signal, and nothing is stored", async () => {
  await using store = await openStore(join(await temporaryDirectory(), "data"), { sync: false });
  const controller = new AbortController();
  const silent = Promise.withResolvers<void>();
  async function* source() {
    yield fixtures.pseudoRandomBytes(1_000_000, 1);
    controller.abort(new Error("enough"));
    await silent.promise;
  }
  await expect(store.blobService.put(source(), { signal: controller.signal })).rejects.toThrow("enough");
  silent.resolve();
});
