import { once } from "node:events";
import { connect } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { TokenBucket } from "../src/admission/token-bucket.ts";
import { beginCall, field, framed, over } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

const PUT_BLOB = "/tvix.castore.v1.BlobService/Put";

/** A message of `BlobService.Put` with so many bytes of a blob. */
function blobChunk(bytes: number): Buffer {
  return framed(field([0x0a], bytes));
}

/** Requests by each protocol; each tells its status and text. */
const DOORS: Readonly<Record<string, (url: string) => Promise<[number, string]>>> = {
  HTTP: async (url) => {
    const response = await fetch(`${url}/nix-cache-info`);
    return [response.status, await response.text()];
  },
  Connect: async (url) => {
    const response = await fetch(`${url}/tvix.castore.v1.BlobService/Stat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    return [response.status, await response.text()];
  },
  "gRPC-Web": async (url) => {
    const response = await fetch(`${url}/tvix.castore.v1.BlobService/Stat`, {
      method: "POST",
      headers: { "content-type": "application/grpc-web+proto" },
      body: new Uint8Array(5),
    });
    await response.arrayBuffer();
    return [
      response.headers.get("grpc-status") === "8" ? 503 : 400,
      response.headers.get("grpc-message") ?? "",
    ];
  },
  gRPC: async (url) => {
    const session = connect(url);
    onTestFinished(() => session.destroy());
    const call = beginCall(session, "/tvix.castore.v1.BlobService/Stat").resume();
    call.end(framed(new Uint8Array(0)));
    const [headers] = await once(call, "response");
    return [headers["grpc-status"] === "8" ? 503 : 400, String(headers["grpc-message"] ?? "")];
  },
};

test.each(Object.entries(DOORS))(
  "there are so many requests at once: one more over %s is told so",
  async (_, ask) => {
    const server = await runningServer({ maxRequests: 6 });
    onTestFinished(server.close);
    const session = connect(server.url);
    onTestFinished(() => session.destroy());
    const open = Array.from({ length: 3 }, () => beginCall(session, PUT_BLOB).resume());
    for (const call of open) call.write(Buffer.from([0, 0, 0, 0, 0]));
    await expect
      .poll(() => ask(server.url))
      .toEqual([503, expect.stringMatching(/too many requests|too%20many/)]);
    for (const call of open) call.end();
    await Promise.all(open.map(over));
    await expect.poll(async () => (await ask(server.url))[0]).not.toBe(503);
  },
);

test("one principal sends so many bytes a day: what goes beyond is cut off, and the next told when to come", async () => {
  const server = await runningServer({ maxDailyUploadPerPrincipal: 1 << 20 });
  onTestFinished(server.close);
  const session = connect(server.url);
  onTestFinished(() => session.destroy());
  const upload = beginCall(session, PUT_BLOB).resume();
  const ended = over(upload);
  const writing = setInterval(() => upload.write(blobChunk(256 << 10)), 20);
  onTestFinished(() => clearInterval(writing));
  await ended;
  clearInterval(writing);
  expect(upload.rstCode).toBe(8);
  const response = await fetch(`${server.url}${PUT_BLOB}`, {
    method: "POST",
    headers: { "content-type": "application/connect+proto" },
    body: new Uint8Array(5),
  });
  expect(response.status).toBe(429);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(1);
  expect(await response.text()).toContain("may store 1048576 bytes a day");
  const put = beginCall(session, PUT_BLOB).resume();
  put.end(blobChunk(1));
  expect((await once(put, "response"))[0]).toMatchObject({
    "grpc-status": "8",
    "grpc-message": expect.stringContaining("room again in"),
  });
  // Reading is free.
  const [status] = (await DOORS["Connect"]?.(server.url)) ?? [];
  expect(status).toBe(400);
});

test("a bucket fills evenly, to its brim and no further", () => {
  const bucket = new TokenBucket({ most: 100, perSecond: 10 }, 0);
  expect(bucket.take(150, 0)).toBe(-50);
  expect(bucket.take(0, 5000)).toBe(0);
  expect(bucket.isFull(14_999)).toBe(false);
  expect(bucket.isFull(60_000)).toBe(true);
  expect(bucket.take(1, 60_000)).toBe(99);
});
