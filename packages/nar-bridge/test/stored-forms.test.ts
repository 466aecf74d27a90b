import { createHash } from "node:crypto";
import { parseNarInfo } from "@tvix/narinfo";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { describe, expect, test } from "vitest";
import { damagePacks } from "./damage.ts";
import { type RunningCache, startCache } from "./running-cache.ts";
import {
  narInfoOf,
  narInfoUrl,
  pathOf,
  put,
  type Sample,
  sample,
  smallSample,
  treeEntries,
  upload,
} from "./samples.ts";
import { tool } from "./tools.ts";

async function narInfoOfPath(cache: RunningCache, one: Sample) {
  const response = await fetch(narInfoUrl(cache.url, one));
  return response.ok ? parseNarInfo(await response.text()) : response.status;
}

/** The file that a narinfo names: with the hash and length that it states, or not. */
async function fileOf(cache: RunningCache, one: Sample): Promise<"as stated" | "another" | number> {
  const info = await narInfoOfPath(cache, one);
  if (typeof info === "number") return info;
  const response = await fetch(`${cache.url}/${info.url}`, { headers: { "accept-encoding": "identity" } });
  if (!response.ok) return response.status;
  const file = Buffer.from(await response.arrayBuffer());
  const hash = encodeNixbase32(createHash("sha256").update(file).digest());
  const nar = info.compression === "zstd" ? tool("zstd", "-dc")(file) : file;
  const isStated = String(info.fileHash) === `sha256:${hash}` && info.fileSize === file.length;
  return isStated && nar.equals(one.nar) ? "as stated" : "another";
}

describe.each(["zstd", "none"] as const)("the file that a narinfo offers as %s", (compression) => {
  test("has the hash and the length that it states, after a restart too", async () => {
    const one = await sample(treeEntries(3));
    const first = await startCache({ compression });
    await upload(first.url, one);
    expect(await fileOf(first, one)).toBe("as stated");
    const before = await narInfoOfPath(first, one);
    await first.close();
    const second = await startCache({ compression, data: first.data });
    expect(await fileOf(second, one)).toBe("as stated");
    expect(await narInfoOfPath(second, one)).toEqual(before);
  });

  test("that was damaged is not there, and is again when it was put again in another form", async () => {
    const one = await sample(treeEntries(3));
    const first = await startCache({ compression });
    await upload(first.url, one);
    expect(await fileOf(first, one)).toBe("as stated");
    await first.close();
    damagePacks(first.data);
    const second = await startCache({ compression, data: first.data, compressionLevel: 19 });
    // What the index tells is as before, until somebody has looked.
    expect(typeof (await narInfoOfPath(second, one))).toBe("object");
    await fetch(`${second.url}/nar/${one.digits}.nar`)
      .then(
        (response) => response.arrayBuffer(),
        () => undefined,
      )
      .catch(() => undefined);
    expect(await narInfoOfPath(second, one)).toBe(404);
    await second.close();
    // Nor has another process forgotten it.
    const third = await startCache({ compression, data: first.data, compressionLevel: 19 });
    expect(await narInfoOfPath(third, one)).toBe(404);
    await upload(third.url, one);
    expect(await fileOf(third, one)).toBe("as stated");
    await third.close();
    const fourth = await startCache({ compression, data: first.data });
    expect(await fileOf(fourth, one)).toBe("as stated");
  });
});

test("reading writes nothing that it needs", async () => {
  const one = await sample(treeEntries(4));
  const first = await startCache();
  await upload(first.url, one);
  await first.close();
  const cache = await startCache({ data: first.data });
  // Nothing can be written from now on, as on a full disk.
  const { database } = cache.store;
  database.write = async () => {
    throw new Error("no space");
  };
  expect(await fileOf(cache, one)).toBe("as stated");
});

describe("under the names that one of our servers gives", () => {
  test.each(["zstd", "none"] as const)(
    "file and narinfo of one (%s) can be put to another",
    async (compression) => {
      const [from, to] = [await startCache({ compression }), await startCache()];
      const one = await sample(treeEntries(5));
      await upload(from.url, one);
      const text = await (await fetch(narInfoUrl(from.url, one))).text();
      const { url } = parseNarInfo(text);
      const file = await fetch(`${from.url}/${url}`, { headers: { "accept-encoding": "identity" } });
      expect(await put(`${to.url}/${url}`, await file.arrayBuffer())).toEqual([200, ""]);
      expect(await put(narInfoUrl(to.url, one), text)).toEqual([200, ""]);
      expect(await fileOf(to, one)).toBe("as stated");
    },
  );
});

describe("a whole cache in files, in any order", () => {
  test("a narinfo may come before its NAR, through a restart, and then waits for it unseen", async () => {
    const first = await startCache();
    const one = await smallSample("contents");
    expect(await put(`${first.url}/nix-cache-info`, "StoreDir: /nix/store\nWantMassQuery: 1\n")).toEqual([
      200,
      "",
    ]);
    expect(await put(narInfoUrl(first.url, one), narInfoOf(one))).toEqual([202, expect.any(String)]);
    expect((await fetch(narInfoUrl(first.url, one))).status).toBe(404);
    await first.close();
    const second = await startCache({ data: first.data });
    expect(await put(`${second.url}/nar/${one.digits}.nar`, one.nar as BodyInit)).toEqual([200, ""]);
    expect(await fileOf(second, one)).toBe("as stated");
  });

  test("of another store: 400", async () => {
    const cache = await startCache();
    const [status, answer] = await put(`${cache.url}/nix-cache-info`, "StoreDir: /gnu/store\n");
    expect([status, answer]).toEqual([400, expect.stringContaining("/gnu/store")]);
    expect((await put(`${cache.url}/nix-cache-info`, "hello"))[0]).toBe(400);
  });

  test("a narinfo that turns out wrong with its NAR is dropped; one that waits too long is forgotten", async () => {
    const cache = await startCache();
    const [wrong, late] = [await smallSample("wrong"), await smallSample("late")];
    const text = narInfoOf(wrong).replace(/NarSize: \d+/, "NarSize: 8");
    expect((await put(narInfoUrl(cache.url, wrong), text))[0]).toBe(202);
    expect(await put(`${cache.url}/nar/${wrong.digits}.nar`, wrong.nar as BodyInit)).toEqual([200, ""]);
    expect((await fetch(narInfoUrl(cache.url, wrong))).status).toBe(404);
    expect((await put(narInfoUrl(cache.url, late), narInfoOf(late)))[0]).toBe(202);
    await cache.pendingNarInfos.expire(Date.now() + 1000);
    await put(`${cache.url}/nar/${late.digits}.nar`, late.nar as BodyInit);
    expect((await fetch(narInfoUrl(cache.url, late))).status).toBe(404);
  });

  test("when too much waits already, a narinfo is told to come after its NAR", async () => {
    const cache = await startCache({ maxPendingBytes: 1000 });
    const samples = await Promise.all(["a", "b", "c", "d"].map(smallSample));
    const statuses: number[] = [];
    for (const one of samples) statuses.push((await put(narInfoUrl(cache.url, one), narInfoOf(one)))[0]);
    expect(statuses.slice(0, 2)).toEqual([202, 202]);
    expect(statuses.at(-1)).toBe(400);
    // What has been taken makes room for others.
    const [first, last] = [samples[0] as Sample, samples[3] as Sample];
    await put(`${cache.url}/nar/${first.digits}.nar`, first.nar as BodyInit);
    expect((await fetch(narInfoUrl(cache.url, first))).status).toBe(200);
    expect((await put(narInfoUrl(cache.url, last), narInfoOf(last)))[0]).toBe(202);
  });
});

test("narinfos that wait are counted right, however many come and go at once", async () => {
  const cache = await startCache({ maxPendingBytes: 20_000 });
  const samples = await Promise.all(Array.from({ length: 40 }, (_, index) => smallSample(`${index}`)));
  for (let round = 0; round < 4; round++) {
    const statuses = await Promise.all(
      samples.map(async (one) => (await put(narInfoUrl(cache.url, one), narInfoOf(one)))[0]),
    );
    expect(statuses.filter((status) => status === 202)).toHaveLength(samples.length);
    await cache.pendingNarInfos.expire(Date.now() + 1000);
  }
});

test("what a narinfo says beyond a path info comes back", async () => {
  const cache = await startCache();
  const one = await smallSample("contents");
  await put(`${cache.url}/nar/${one.digits}.nar`, one.nar as BodyInit);
  const more = `Sig: future-1:${"A".repeat(4412)}\nWeather: fine: today\nX-Empty: \n`;
  const text = narInfoOf(one, { system: "riscv64-linux" }) + more;
  expect((await put(narInfoUrl(cache.url, one), text))[0]).toBe(200);
  const answer = await (await fetch(narInfoUrl(cache.url, one))).text();
  expect(answer).toContain(more);
  expect(answer).toContain("System: riscv64-linux\n");
  // Of another NAR of the same path nothing is known.
  const other = await smallSample("others");
  await put(`${cache.url}/nar/${other.digits}.nar`, other.nar as BodyInit);
  await put(narInfoUrl(cache.url, one), narInfoOf(other, { storePath: pathOf(one) }));
  const again = await (await fetch(narInfoUrl(cache.url, one))).text();
  expect(again).not.toMatch(/Weather|System|future/);
});

describe("what is compressed while it is sent", () => {
  const FORMS = [
    ["xz", tool("xz", "-dc")],
    ["gz", tool("gzip", "-dc")],
    ["br", undefined],
    ["lzma", tool("xz", "-dc", "--format=lzma")],
  ] as const;

  test.each(FORMS)(".nar.%s is the same bytes each time, and can be had in parts", async (suffix, decode) => {
    const cache = await startCache();
    const one = await sample(treeEntries(6));
    await upload(cache.url, one);
    const url = `${cache.url}/nar/${one.digits}.nar.${suffix}`;
    const headers = { "accept-encoding": "identity" };
    // A part first: nobody knows the length yet.
    const early = await fetch(url, { headers: { ...headers, range: "bytes=1000-1099" } });
    expect([early.status, early.headers.get("accept-ranges")]).toEqual([206, "bytes"]);
    const part = Buffer.from(await early.arrayBuffer());
    const response = await fetch(url, { headers });
    const etag = response.headers.get("etag") as string;
    const whole = Buffer.from(await response.arrayBuffer());
    if (decode !== undefined) expect(decode(whole).equals(one.nar)).toBe(true);
    expect(part.equals(whole.subarray(1000, 1100))).toBe(true);
    expect(early.headers.get("content-range")).toBe(`bytes 1000-1099/${whole.length}`);
    const rest = await fetch(url, { headers: { ...headers, range: "bytes=5000-", "if-range": etag } });
    expect(Buffer.from(await rest.arrayBuffer()).equals(whole.subarray(5000))).toBe(true);
    const again = await fetch(url, { headers });
    expect(again.headers.get("content-length")).toBe(String(whole.length));
    expect(again.headers.get("cache-control")).toContain("no-transform");
    expect(Buffer.from(await again.arrayBuffer()).equals(whole)).toBe(true);
  });
});
