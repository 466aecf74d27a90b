import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { connect, createServer, type OutgoingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { B3Digest } from "@tvix/castore";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { expect, onTestFinished, test } from "vitest";
import { startDaemon } from "./tvix-store.ts";

const PATH = "/tvix.store.v1.PathInfoService/Get";

async function newDaemon() {
  const base = await mkdtemp(join(tmpdir(), "authority-"));
  onTestFinished(async () => await rm(base, { recursive: true, force: true }));
  return await startDaemon(join(base, "data"));
}

/** gRPC status of an empty call. */
async function call(url: string, headers: OutgoingHttpHeaders): Promise<unknown> {
  const session = connect(url);
  const stream = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let status: unknown;
  stream.on("response", (answer) => {
    status = answer["grpc-status"];
  });
  stream.on("trailers", (trailers) => {
    status ??= trailers["grpc-status"];
  });
  stream.end(Buffer.from([0, 0, 0, 0, 0]));
  stream.resume();
  await once(stream, "close");
  session.destroy();
  return status;
}

test.each(["localhost:8000", "::1:8000", "[", "host:1:2"])(
  "a server that is called %j answers, and goes on",
  async (name) => {
    const daemon = await newDaemon();
    // INVALID_ARGUMENT: the call says of no path how to find it.
    expect(await call(daemon.url, { ":authority": name })).toBe("3");
    expect((await fetch(`${daemon.url}/healthz`)).status).toBe(200);
  },
);

test.each(["::1:8000", "[", "host:1:2"])(
  "over HTTP/1.1, %j too gets an answer that says something",
  async (name) => {
    const daemon = await newDaemon();
    const asked = request(`${daemon.url}${PATH}`, {
      method: "POST",
      headers: { host: name, "content-type": "application/json", "connect-protocol-version": "1" },
    });
    asked.end("{}");
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    expect(await json(answer)).toMatchObject({ code: "invalid_argument" });
  },
);

test("our own client puts the address of IPv6 into brackets", async () => {
  const server = createServer();
  const names: (string | undefined)[] = [];
  server.on("stream", (stream, headers) => {
    names.push(headers[":authority"]);
    stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true });
  });
  server.listen(0, "::1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  await using transport = createGrpcTransport({ url: `http://[::1]:${port}` });
  await expect(new GrpcBlobService(transport).put(new Uint8Array(1))).rejects.toThrow();
  await expect(new GrpcBlobService(transport).has(B3Digest.of(new Uint8Array(1)))).rejects.toThrow();
  expect(new Set(names)).toEqual(new Set([`[::1]:${port}`]));
});
