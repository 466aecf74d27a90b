import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { BlobService, DirectoryService } from "@tvix/protocol/tvix/castore";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { runningServer } from "./running-server.ts";
import { overHttp2 } from "./whole-server.ts";

test("each request is one line, by every protocol: who, what, how it went, how much", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const server = await runningServer({ log, logRequests: true });
  onTestFinished(server.close);
  const data = new Uint8Array(100_000);
  const digest = await server.blobService.put(data);
  const grpc = createGrpcTransport({ url: server.url });
  const transports = {
    gRPC: grpc,
    "gRPC-Web": createGrpcWebTransport({ baseUrl: server.url, httpVersion: "1.1" }),
    Connect: createConnectTransport({ baseUrl: server.url, httpVersion: "2" }),
  };
  async function* once<T>(message: T) {
    yield message;
  }
  for (const [name, transport] of Object.entries(transports)) {
    lines.length = 0;
    const blobs = createClient(BlobService, transport);
    await Array.fromAsync(blobs.read({ digest: digest.bytes }));
    await blobs.stat({ digest: digest.bytes });
    await blobs.put(once({ data }));
    await blobs.stat({ digest: new Uint8Array(32) }).catch(() => {});
    await createClient(DirectoryService, transport).put(once({}));
    await expect.poll(() => lines.length).toBe(5);
    const version = name === "gRPC-Web" ? "HTTP/1.1" : "HTTP/2";
    for (const line of lines) {
      expect(line).toMatchObject({
        msg: "request",
        principal: "anybody",
        method: "POST",
        version,
        from: "127.0.0.1",
      });
      expect(line["ms"]).toBeGreaterThanOrEqual(0);
    }
    // The end of one may be seen after the beginning of the next.
    const lineOf = (path: string, code: string) =>
      lines.find((line) => line["path"] === `/tvix.castore.v1.${path}` && line["code"] === code);
    const [ok, notFound] = ["ok", "not_found"];
    const read = lineOf("BlobService/Read", ok);
    const put = lineOf("BlobService/Put", ok);
    expect(read).toMatchObject({ subject: digest.toString() });
    expect(read?.["sent"]).toBeGreaterThan(data.length);
    expect(lineOf("BlobService/Stat", ok)).toMatchObject({ subject: digest.toString() });
    expect(put).toMatchObject({ subject: digest.toString() });
    expect(put?.["received"]).toBeGreaterThan(data.length);
    expect(lineOf("BlobService/Stat", notFound)).toBeDefined();
    expect(lineOf("DirectoryService/Put", ok)?.["subject"]).toMatch(/^blake3-/);
  }
  lines.length = 0;
  await (await fetch(`${server.url}/healthz?secret=1`)).text();
  await overHttp2(server.url, "/nothing?secret=1");
  await expect.poll(() => lines.length).toBe(2);
  expect(lines[0]).toMatchObject({ path: "/healthz", code: "200", version: "HTTP/1.1" });
  expect(lines[1]).toMatchObject({ path: "/nothing", code: "404", version: "HTTP/2" });
  await grpc.close();
});

test("without being asked for there is none", async () => {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const server = await runningServer({ log });
  await (await fetch(`${server.url}/healthz`)).text();
  await server.close();
  expect(lines).toEqual([]);
});
