import { parseNarInfo, SecretKey } from "@tvix/narinfo";
import { StorePath } from "@tvix/nix-compat";
import { StoreError } from "@tvix/store";
import { expect, test } from "vitest";
import { type RunningCache, startCache } from "./running-cache.ts";
import { narInfoOf, narInfoUrl, pathOf, put, type Sample, smallSample } from "./samples.ts";

/** Asks as Determinate's document has it: a hash part on each line, an object on each line of the answer. */
async function ask(url: string, lines: readonly string[], init: RequestInit = {}) {
  const { pathname } = new URL(`x:${await announced(url)}`);
  const response = await fetch(`${url}${pathname}`, { method: "POST", body: lines.join("\n"), ...init });
  const text = await response.text();
  const objects = response.ok
    ? text
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
  return { response, text, objects: new Map(objects.map((object) => [object.path as string, object])) };
}

async function announced(url: string): Promise<string | undefined> {
  const info = await (await fetch(`${url}/nix-cache-info`)).text();
  return /^GetNarInfosV1: (.*)$/m.exec(info)?.[1];
}

const KEY = SecretKey.generate("batch-1");

/** Paths of which each refers to the one before it and to itself. */
async function chain(cache: RunningCache, length: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let index = 0; index < length; index++) {
    const one = await smallSample(`link ${index}`);
    const before = samples.at(-1);
    const references = [...(before === undefined ? [] : [pathOf(before)]), pathOf(one)];
    await put(`${cache.url}/nar/${one.digits}.nar`, one.nar as BodyInit);
    const deriver = StorePath.from(new Uint8Array(20).fill(9), "x.drv");
    const [status] = await put(narInfoUrl(cache.url, one), narInfoOf(one, { references, deriver }, KEY));
    expect(status).toBe(200);
    samples.push(one);
  }
  return samples;
}

test("many paths are told in one answer, as the narinfo of each tells them", async () => {
  const cache = await startCache();
  const samples = await chain(cache, 40);
  const digits = samples.map((one) => pathOf(one).digestText());
  const { response, objects } = await ask(cache.url, [...digits, "0".repeat(32), digits[0] as string, ""]);
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  expect([...objects.keys()].sort()).toEqual(samples.map((one) => `${pathOf(one)}`).sort());
  for (const one of samples) {
    const info = parseNarInfo(await (await fetch(narInfoUrl(cache.url, one))).text());
    const { partialClosure: _, ...object } = objects.get(`${pathOf(one)}`);
    expect(object).toEqual({
      version: 2,
      path: info.storePath.toString(),
      storeDir: "/nix/store",
      narHash: info.narHash.toSri(),
      narSize: info.narSize,
      references: info.references.map(String),
      ca: null,
      deriver: info.deriver?.toString(),
      registrationTime: null,
      ultimate: false,
      signatures: info.signatures.map(String),
      url: info.url,
      compression: "zstd",
      downloadHash: info.fileHash?.toSri(),
      downloadSize: info.fileSize,
    });
    expect(object.signatures).toHaveLength(1);
  }
  const last = samples.at(-1) as Sample;
  const below = samples.slice(0, -2).map((one) => `${pathOf(one)}`);
  expect(objects.get(`${pathOf(last)}`).partialClosure).toEqual(below.reverse());
  expect(objects.get(`${pathOf(samples[1] as Sample)}`).partialClosure).toBeUndefined();
});

test("what is asked for wrongly is refused, with the line; nothing asked for is nothing", async () => {
  const cache = await startCache();
  const { response, text } = await ask(cache.url, ["0".repeat(32), "E".repeat(32)]);
  expect([response.status, text]).toEqual([
    400,
    `line 2: "${"E".repeat(32)}" is not the hash part of a store path, 32 digits of nixbase32\n`,
  ]);
  expect((await ask(cache.url, [])).text).toBe("");
  expect((await ask(cache.url, Array(40_000).fill("0".repeat(32)))).response.status).toBe(413);
  expect((await fetch(`${cache.url}/get-narinfos-v1`)).status).toBe(404);
});

test("what is damaged is absent, and the others are told", async () => {
  const damaged = pathOf(await smallSample("link 1"));
  const cache = await startCache({
    guard: (service) => ({
      get: async (digest) => {
        const info = await service.get(digest);
        if (info?.storePath.equals(damaged)) throw new StoreError("CORRUPT", "damaged");
        return info;
      },
      put: (info, options) => service.put(info, options),
      list: (options) => service.list(options),
    }),
  });
  const samples = await chain(cache, 3);
  const { objects } = await ask(
    cache.url,
    samples.map((one) => pathOf(one).digestText()),
  );
  expect([...objects.keys()]).toEqual([0, 2].map((index) => `${pathOf(samples[index] as Sample)}`));
});

test("what another cache has is told as well", async () => {
  const upstream = await startCache();
  const [one] = (await chain(upstream, 1)) as [Sample];
  const key = KEY.publicKey.toString();
  const cache = await startCache({
    upstreams: [`nix+${upstream.url}?trusted-public-keys=${encodeURIComponent(key)}`],
  });
  const { objects } = await ask(cache.url, [pathOf(one).digestText()]);
  expect(objects.get(`${pathOf(one)}`)).toMatchObject({
    narSize: one.nar.length,
    signatures: [expect.any(String)],
  });
});
