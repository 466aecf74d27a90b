import { expect, test } from "vitest";
import { startCache } from "./running-cache.ts";
import { narInfoOf, narInfoUrl, put, smallSample } from "./samples.ts";

test("5,000 NARs, a restart, and then 5,000 narinfos: all are taken", async () => {
  const count = 5000;
  const samples = await Promise.all(
    Array.from({ length: count }, (_, index) => smallSample(`number ${index}`)),
  );
  const inParallel = async (task: (one: (typeof samples)[number]) => Promise<void>) => {
    const rest = samples.values();
    await Promise.all(
      Array.from({ length: 25 }, async () => {
        for (const one of rest) await task(one);
      }),
    );
  };
  const first = await startCache();
  await inParallel(async (one) => {
    expect((await put(`${first.url}/nar/${one.digits}.nar`, one.nar as BodyInit))[0]).toBe(200);
  });
  await first.close();
  const second = await startCache({ data: first.data });
  await inParallel(async (one) => {
    expect((await put(narInfoUrl(second.url, one), narInfoOf(one)))[0]).toBe(200);
  });
  let listed = 0;
  for await (const _ of second.pathInfoService.list()) listed++;
  expect(listed).toBe(count);
}, 120_000);
