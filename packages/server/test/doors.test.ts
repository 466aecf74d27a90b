import { once } from "node:events";
import { Agent, get as httpGet } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { Directory } from "@tvix/castore";
import { GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { openStore } from "@tvix/castore-packs";
import { servicesOf, startServer } from "@tvix/server";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import { fixtures } from "@tvix/store/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { nested } from "./nested.ts";
import { overHttp2, wholeServer } from "./whole-server.ts";

describe("what there is no answer for", () => {
  const LINE = /^[^\n]+\n$/;

  test.each([
    ["GET", "/no/such/route"],
    ["DELETE", "/nix-cache-info"],
    ["PUT", "/no/such/route"],
    ["GET", "/%zz"],
    ["GET", "/nar/%00"],
    ["POST", "/nar/x"],
  ])("%s %s: one line of text that nobody keeps", async (method, path) => {
    const { url, logged } = await wholeServer();
    const response = await fetch(`${url}${path}`, { method, body: method === "GET" ? null : "x" });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).toMatch(LINE);
    expect(logged()).toBe("");
  });

  test.each([
    ["FOO /nix-cache-info HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["nothing of the kind\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    [
      "PUT /log/x HTTP/1.1\r\nHost: x\r\nExpect: bogus\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
      417,
    ],
  ])("%j is %i, in one line of text", async (request, status) => {
    const { port } = await wholeServer();
    const socket = connect(port, "127.0.0.1");
    socket.write(request);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/content-type: text\/plain/i);
    expect(answer).toMatch(/cache-control: no-store/i);
    expect(answer).not.toContain("{");
  });

  test("nor is there without a binary cache", async () => {
    const store = await openStore(await temporaryDirectory(), { sync: false });
    const server = await startServer({
      ...servicesOf(store),
      address: { type: "tcp", host: "127.0.0.1", port: 0 },
    });
    onTestFinished(async () => {
      await server.close(0);
      await store.close();
    });
    const [address] = server.addresses;
    const response = await fetch(`http://127.0.0.1:${address?.type === "tcp" ? address.port : 0}/x`);
    expect([response.status, await response.text()]).toEqual([404, expect.stringMatching(LINE)]);
  });

  test.each(["garbage", "/", "text/html, x/y", "a/b; c"])(
    "an upload of content type %j is taken: nobody needs the type",
    async (type) => {
      const { port, url, logged } = await wholeServer();
      const path = `/log/${"0".repeat(32)}-x.drv`;
      const socket = connect(port, "127.0.0.1");
      socket.write(
        `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`,
      );
      expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /);
      expect(await (await fetch(url + path)).text()).toBe("x");
      expect(logged()).toBe("");
    },
  );
});

test("doubled slashes mean one", async () => {
  const { url } = await wholeServer();
  for (const path of ["//nix-cache-info", "///nix-cache-info"]) {
    const socket = await fetch(`${url}${path}`);
    expect(await socket.text()).toContain("StoreDir: /nix/store");
    expect((await overHttp2(url, path)).body).toContain("StoreDir: /nix/store");
  }
  const missing = await fetch(`${url}//${"0".repeat(32)}.narinfo`);
  expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining("narinfo")]);
  const side = `log//${"0".repeat(32)}-x.drv`;
  expect((await fetch(`${url}//${side}`, { method: "PUT", body: "x" })).status).toBe(200);
  expect(await (await fetch(`${url}/${side.replace("//", "/")}`)).text()).toBe("x");
});

test("a failure in the log says which call, of what, and from where", async () => {
  const { url, store, services, logged } = await wholeServer();
  const directory = nested(2).at(-1) as Directory;
  const digest = await services.directoryService.putMany(nested(2));
  const key = Buffer.concat([Buffer.from("d1"), digest.bytes]);
  await store.database.write([{ type: "put", key, value: Uint8Array.of(1) }]);
  await using transport = createGrpcTransport({ url });
  await expect(new GrpcDirectoryService(transport).get(digest)).rejects.toThrow();
  expect(logged()).toContain("/tvix.castore.v1.DirectoryService/Get");
  expect(logged()).toContain("127.0.0.1");
  expect(logged()).toContain(directory.digest().toString());
  services.pathInfoService.put = async () => {
    throw new Error("the database failed");
  };
  const info = fixtures.fullPathInfo(1);
  await expect(new GrpcPathInfoService(transport).put(info)).rejects.toThrow();
  expect(logged()).toContain(info.storePath.toString());
  const before = logged().length;
  await fetch(`${url}/nar/tvix-castore/EiQKIg?narsize=1`);
  await fetch(
    `${url}/nar/tvix-castore/${Buffer.concat([Buffer.from("0a241220", "hex"), digest.bytes, Buffer.from("1802", "hex")]).toString("base64url")}?narsize=1`,
  );
  expect(logged().slice(before)).toContain("GET /nar/tvix-castore/");
});

describe("the end of a server", () => {
  test("a kept-alive connection gets its answer, and no other request", async () => {
    const { url, server } = await wholeServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async () => {
      const [response] = await once(httpGet(`${url}/nix-cache-info`, { agent }), "response");
      await text(response);
      return response.headers.connection;
    };
    expect(await ask()).toBe("keep-alive");
    const closed = server.close(60_000);
    // The connection rests, and so ends now: nobody waits for the time limit.
    expect(await closed).toBe(true);
    await expect(ask()).rejects.toThrow();
  });

  test("a request under way when it begins ends its connection", async () => {
    const { port, server, services } = await wholeServer();
    let answer = () => {};
    const get = services.pathInfoService.get.bind(services.pathInfoService);
    services.pathInfoService.get = async (...args) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return await get(...args);
    };
    const socket = connect(port, "127.0.0.1");
    socket.write(`GET /${"0".repeat(32)}.narinfo HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(() => answer.toString()).not.toBe("() => {}");
    const closed = server.close(60_000);
    answer();
    expect(await text(socket)).toMatch(/^HTTP\/1.1 404 /);
    expect(await closed).toBe(true);
  });
});
