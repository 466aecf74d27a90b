import { once } from "node:events";
import { type ClientRequest, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { describe, expect, test } from "vitest";
import { damagePacks } from "./damage.ts";
import { startCache } from "./running-cache.ts";
import {
  narInfoOf,
  narInfoUrl,
  pathOf,
  put,
  sample,
  sha256,
  smallSample,
  treeEntries,
  upload,
} from "./samples.ts";
import { bzip2Sync } from "./tools.ts";

/** Begins to send a body of a stated length, and resolves when so much of it has gone out. */
async function sendPart(url: string, body: Uint8Array, part: number): Promise<ClientRequest> {
  const sending = request(url, { method: "PUT", headers: { "content-length": body.length } });
  sending.on("error", () => {});
  await new Promise<void>((resolve) => sending.write(body.subarray(0, part), () => resolve()));
  return sending;
}

describe("an upload that does not come to its end", () => {
  test("aborted at 20 points: nothing becomes visible, and a retry succeeds", async () => {
    const cache = await startCache();
    const one = await sample(treeEntries(7, 3_000_000));
    const url = `${cache.url}/nar/${one.digits}.nar`;
    for (let point = 0; point < 20; point++) {
      const sending = await sendPart(url, one.nar, Math.floor((one.nar.length * point) / 20) + 1);
      const closed = new Promise((resolve) => sending.once("close", resolve));
      sending.destroy();
      await closed;
      expect((await fetch(url, { method: "HEAD" })).status).toBe(404);
      const [status, answer] = await put(narInfoUrl(cache.url, one), narInfoOf(one));
      expect([status, answer]).toEqual([202, expect.stringContaining("until its NAR is uploaded")]);
      expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
    }
    expect(await cache.narIndex.get(one.hash)).toBeUndefined();
    await upload(cache.url, one);
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(200);
  });

  test("cut off at each of 20 points by a wrong Content-Length", async () => {
    const cache = await startCache();
    const one = await smallSample("contents".repeat(100));
    const url = `${cache.url}/nar/${one.digits}.nar`;
    for (let point = 0; point < 20; point++) {
      const part = one.nar.subarray(0, Math.floor((one.nar.length * point) / 20));
      expect((await put(url, part as BodyInit))[0]).toBe(400);
    }
    expect((await put(url, Buffer.concat([one.nar, new Uint8Array(8)])))[0]).toBe(400);
    expect(await put(url, one.nar as BodyInit)).toEqual([200, ""]);
  });
});

describe("uploads at the same time", () => {
  test("those of bzip2, which is slow to decode, leave room for others", async () => {
    const cache = await startCache();
    const one = await sample(treeEntries(3));
    const file = bzip2Sync(one.nar);
    const url = `${cache.url}/nar/${encodeNixbase32(sha256(file).digest)}.nar.bz2`;
    const slow = await Promise.all(Array.from({ length: 50 }, () => sendPart(url, file, 1000)));
    const other = await smallSample("other");
    expect(await put(`${cache.url}/nar/${other.digits}.nar`, other.nar as BodyInit)).toEqual([200, ""]);
    for (const sending of slow) sending.destroy();
  });

  test("a hundred of the same NAR and narinfo all succeed", async () => {
    const cache = await startCache();
    const one = await sample(treeEntries(3));
    await Promise.all(Array.from({ length: 100 }, () => upload(cache.url, one)));
    const nar = await fetch(`${cache.url}/nar/${one.digits}.nar`);
    expect(Buffer.from(await nar.arrayBuffer()).equals(one.nar)).toBe(true);
  });

  test("those beyond the limit wait; when it takes too long they are told to come again", async () => {
    const cache = await startCache({ limits: { maxUploads: 2, uploadWaitMs: 200 } });
    const [one, other] = [await sample(treeEntries(1)), await smallSample("other")];
    const slow = [
      await sendPart(`${cache.url}/nar/${one.digits}.nar`, one.nar, 1000),
      await sendPart(`${cache.url}/nar/${one.digits}.nar`, one.nar, 1000),
    ];
    const url = `${cache.url}/nar/${other.digits}.nar`;
    // Both are in when a third one has to wait.
    await expect.poll(async () => (await put(url, other.nar as BodyInit))[0]).toBe(503);
    const response = await fetch(url, { method: "PUT", body: other.nar as BodyInit });
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    for (const sending of slow) sending.destroy();
    await expect.poll(async () => await put(url, other.nar as BodyInit)).toEqual([200, ""]);
  });
});

describe("bounds", () => {
  test("a body that states too much is refused before it is sent", async () => {
    const cache = await startCache({ limits: { maxUploadBytes: 1000 } });
    const sending = request(`${cache.url}/nar/${"0".repeat(52)}.nar`, {
      method: "PUT",
      headers: { "content-length": 1001, expect: "100-continue" },
    });
    sending.flushHeaders();
    const [response] = await once(sending, "response");
    expect(response.statusCode).toBe(413);
    sending.destroy();
  });

  test("a body that becomes too much is cut off, with or without a length", async () => {
    const cache = await startCache({ limits: { maxUploadBytes: 100_000 } });
    const one = await sample(treeEntries(1));
    const url = `${cache.url}/nar/${one.digits}.nar`;
    async function* pieces() {
      for (let at = 0; at < one.nar.length; at += 10_000) yield one.nar.subarray(at, at + 10_000);
    }
    const chunked = { method: "PUT", body: pieces(), duplex: "half" } as unknown as RequestInit;
    const response = await fetch(url, chunked);
    expect([response.status, await response.text()]).toEqual([413, "the body has more than 100000 bytes\n"]);
    expect((await put(narInfoUrl(cache.url, one), "x".repeat(3 << 20)))[0]).toBe(413);
  });

  test("a client that stops sending is let go", async () => {
    const cache = await startCache({ limits: { stallMs: 100 } });
    const one = await sample(treeEntries(1));
    const sending = await sendPart(`${cache.url}/nar/${one.digits}.nar`, one.nar, 1000);
    const [response] = await once(sending, "response");
    expect([response.statusCode, await text(response)]).toEqual([408, expect.stringMatching(/took|arrived/)]);
    sending.destroy();
  });

  test("an upload that takes too long is ended", async () => {
    const cache = await startCache({ limits: { uploadTimeoutMs: 100 } });
    const one = await sample(treeEntries(1));
    const sending = await sendPart(`${cache.url}/nar/${one.digits}.nar`, one.nar, 1000);
    const [response] = await once(sending, "response");
    expect([response.statusCode, await text(response)]).toEqual([408, expect.stringMatching(/took|arrived/)]);
    sending.destroy();
  });

  test("a reader that stops reading is let go", async () => {
    const cache = await startCache({ limits: { stallMs: 200 } });
    const one = await sample(treeEntries(1, 30_000_000));
    await upload(cache.url, one);
    const before = await cache.openConnections();
    const { hostname, port } = new URL(cache.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write(`GET /nar/${one.digits}.nar HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, "readable");
    expect(await cache.openConnections()).toBe(before + 1);
    // Nothing is read until the other side has gone.
    await expect.poll(() => cache.openConnections(), { timeout: 10_000 }).toBe(before);
    socket.destroy();
  });
});

describe("NARs without a narinfo", () => {
  test("are known after a restart, and forgotten after a while, but not those with one", async () => {
    const first = await startCache();
    const [pending, kept] = [await smallSample("pending"), await smallSample("kept")];
    await put(`${first.url}/nar/${pending.digits}.nar`, pending.nar as BodyInit);
    await upload(first.url, kept);
    await first.close();
    const second = await startCache({ data: first.data });
    expect((await fetch(`${second.url}/nar/${pending.digits}.nar`)).status).toBe(200);
    expect(await second.narIndex.expire(Date.now() - 1000)).toBe(0);
    expect(await second.narIndex.expire(Date.now() + 1000)).toBe(1);
    expect((await fetch(`${second.url}/nar/${pending.digits}.nar`)).status).toBe(404);
    expect((await fetch(`${second.url}/nar/${kept.digits}.nar`)).status).toBe(200);
  });
});

describe("what is damaged or missing", () => {
  test.each(["", ".zst"])(
    "a damaged chunk is never sent in a NAR%s: the answer is an error, or cut off",
    async (suffix) => {
      const before = await startCache();
      const one = await sample(treeEntries(9));
      await upload(before.url, one);
      await before.close();
      damagePacks(before.data);
      const cache = await startCache({ data: before.data });
      const response = await fetch(`${cache.url}/nar/${one.digits}.nar${suffix}`, {
        headers: { "accept-encoding": "identity" },
      });
      if (response.status === 200) await expect(response.arrayBuffer()).rejects.toThrow();
      else expect(response.status).toBe(404);
      // Uploading it again mends it.
      await upload(cache.url, one);
      const again = await fetch(`${cache.url}/nar/${one.digits}.nar`);
      expect(Buffer.from(await again.arrayBuffer()).equals(one.nar)).toBe(true);
    },
  );

  test("a path whose contents are not there has no narinfo", async () => {
    const [cache, empty] = [await startCache(), await startCache()];
    const one = await sample(treeEntries(9));
    await upload(cache.url, one);
    const info = await cache.pathInfoService.get(pathOf(one).digest);
    if (info === undefined) throw new Error("the path info is missing");
    await empty.pathInfoService.put(info);
    const response = await fetch(narInfoUrl(empty.url, one));
    expect([response.status, await response.text()]).toEqual([
      404,
      expect.stringContaining("not in the store"),
    ]);
    await cache.pathInfoService.put({ ...info, narSize: info.narSize + 8 });
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
    expect((await fetch(`${empty.url}/nar/${encodeNixbase32(info.narHash.digest)}.nar`)).status).toBe(404);
  });
});
