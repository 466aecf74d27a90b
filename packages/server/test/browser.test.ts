import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { wholeServer } from "./whole-server.ts";

/** The answer to a request with a short body. */
async function askForAll(port: number, head: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`${head}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`);
  return await text(socket);
}

/** The first line of it. */
async function ask(port: number, head: string): Promise<string> {
  return (await askForAll(port, head)).split("\r\n")[0] as string;
}

const POST = "POST /tvix.castore.v1.BlobService/Stat HTTP/1.1";

test.each(["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "store.localhost", "store", "10.0.0.1"])(
  "a local server may be called %s",
  async (host) => {
    const { port } = await wholeServer();
    expect(await ask(port, `GET /nix-cache-info HTTP/1.1\r\nHost: ${host}`)).toMatch("200");
  },
);

test.each(["evil.example", "evil.example:8000", "EVIL.example.", "127.0.0.1.evil.example"])(
  "a page whose name %s leads to this machine does not reach it",
  async (host) => {
    const { port } = await wholeServer();
    expect(await ask(port, `GET /nix-cache-info HTTP/1.1\r\nHost: ${host}`)).toMatch("421");
    const allowed = await wholeServer({
      access: { allowedHosts: ["Evil.Example", "127.0.0.1.evil.example"] },
    });
    expect(await ask(allowed.port, `GET /nix-cache-info HTTP/1.1\r\nHost: ${host}`)).toMatch("200");
  },
);

test.each([
  ["Origin: https://evil.example", "403"],
  ["Origin: null", "403"],
  ["Sec-Fetch-Site: cross-site", "403"],
  ["Origin: http://localhost", "400"],
  ["Sec-Fetch-Site: same-origin", "400"],
  ["Accept: */*", "400"],
])("a POST with %s is answered %s", async (header, status) => {
  const { port } = await wholeServer();
  const head = `${POST}\r\nHost: localhost\r\nContent-Type: application/json\r\n${header}`;
  expect(await ask(port, head)).toMatch(status);
  const put = `PUT /log/${"0".repeat(32)}-x.drv HTTP/1.1\r\nHost: localhost\r\n${header}`;
  expect(await ask(port, put)).toMatch(status === "403" ? "403" : "200");
});

test("what is served is taken for what it is said to be, and runs nothing", async () => {
  const { url } = await wholeServer();
  const log = `${url}/log/${"0".repeat(32)}-x.drv`;
  const html = { "content-type": "text/html" };
  await fetch(log, { method: "PUT", body: "<script>alert(1)</script>", headers: html });
  for (const path of [log, `${url}/nix-cache-info`, `${url}/nothing`]) {
    const { headers } = await fetch(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
  }
});

test("a page that may call is answered before it has shown a token, and reads why it was refused", async () => {
  const origin = "https://app.example";
  const { port } = await wholeServer({
    access: { open: { reads: false, writes: false } },
    corsOrigins: [origin],
  });
  for (const path of [
    "/tvix.castore.v1.BlobService/Put",
    "/tvix.castore.v1.BlobService/Stat",
    "/tvix.store.v1.PathInfoService/Put",
    "/nix-cache-info",
  ]) {
    const preflight = `OPTIONS ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization`;
    const answer = await askForAll(port, preflight);
    expect(answer).toMatch(/^HTTP\/1.1 204/);
    expect(answer).toMatch(/access-control-allow-origin: https:\/\/app.example/i);
    const call = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\nContent-Type: application/json`;
    const refused = await askForAll(port, call);
    expect(refused).toMatch(/^HTTP\/1.1 401/);
    expect(refused).toMatch(/access-control-allow-origin: https:\/\/app.example/i);
    const other = await askForAll(port, call.replace(origin, "https://other.example"));
    expect(other).not.toMatch(/access-control-allow-origin/i);
  }
});
