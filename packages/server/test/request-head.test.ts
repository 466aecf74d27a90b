import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createToken, KnownTokens, TokenAuthenticator, TokenFile } from "@tvix/server";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { wholeServer } from "./whole-server.ts";

const LOG = `/log/${"0".repeat(32)}-x.drv`;

/** What a server says to what was sent on a connection, until it ends that, or for a second. */
async function said(port: number, sent: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (piece) => {
    text += piece.toString("latin1");
  });
  socket.write(sent);
  await Promise.race([once(socket, "close"), pause(1000)]);
  socket.destroy();
  return text;
}

/** A request without a body whose connection ends with its answer. */
const ask = (target: string, ...headers: string[]) =>
  `GET ${target} HTTP/1.1\r\n${["Host: localhost", "Connection: close", ...headers].join("\r\n")}\r\n\r\n`;

test("nothing is written into an answer that is under way, whatever comes behind its request", async () => {
  const { port, services } = await wholeServer();
  const contents = randomBytes(12_000_000);
  const digest = await services.blobService.put(contents);
  const target = `/castore/${digest.toHex()}`;
  for (const stray of [
    "x\r\n\r\n",
    "GET /next HT\x00\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  ]) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const [first] = (await once(socket, "data")) as [Buffer];
    socket.pause();
    socket.write(stray);
    // It comes while most of the answer waits for its reader.
    await pause(200);
    const received = [first];
    socket.on("data", (piece: Buffer) => received.push(piece));
    socket.resume();
    await Promise.race([once(socket, "close"), pause(3000)]);
    socket.destroy();
    const all = Buffer.concat(received);
    const body = all.subarray(all.indexOf("\r\n\r\n") + 4).subarray(0, contents.length);
    expect(body.equals(contents.subarray(0, body.length))).toBe(true);
  }
});

test("what cannot be read, and comes alone, is still answered", async () => {
  const { port } = await wholeServer();
  expect(await said(port, "nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  const badChunk = `PUT ${LOG} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`;
  expect(await said(port, badChunk)).toMatch(/^HTTP\/1.1 400 /);
});

test("a target that names the server stands for its path, and its name for Host", async () => {
  const { port, services } = await wholeServer();
  const digest = await services.blobService.put(new TextEncoder().encode("contents"));
  const host = `localhost:${port}`;
  const target = `http://${host}/castore/${digest.toHex()}`;
  expect(await said(port, ask(target))).toMatch(/^HTTP\/1.1 200 .*\r\n\r\ncontents$/s);
  expect(await said(port, ask(`http://${host}`))).toMatch(/^HTTP\/1.1 200 /);
  expect(await said(port, ask(`http://${host}/healthz?x`))).toMatch(/^HTTP\/1.1 200 .*ok\n$/s);
  expect(await said(port, ask("http://x.evil.com/nix-cache-info"))).toMatch(/^HTTP\/1.1 421 /);
  const body = "{}";
  const call = `POST http://${host}/tvix.castore.v1.BlobService/Stat HTTP/1.1\r\nHost: x.evil.com\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  expect(await said(port, call)).toMatch(/^HTTP\/1.1 400 .*invalid_argument/s);
});

test("a call that is written in another way is none", async () => {
  const { url } = await wholeServer();
  for (const path of ["//tvix.castore.v1.BlobService/Stat", "/tvix.castore.v1.BlobService/%53tat"]) {
    const headers = { "content-type": "application/json" };
    expect((await fetch(`${url}${path}`, { method: "POST", headers, body: "{}" })).status).toBe(404);
  }
});

test("Host names one server", async () => {
  const { port } = await wholeServer();
  for (const head of [
    "Host: localhost\r\nHost: localhost",
    "Host: a b",
    "Host: user@localhost",
    "Host: a/b",
  ]) {
    const answer = await said(port, `GET /healthz HTTP/1.1\r\n${head}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
  }
});

test("a coding of the transfer that is not known, and a part of a file, are not taken for a file", async () => {
  const { port, url } = await wholeServer();
  const put = (coding: string) =>
    `PUT ${LOG} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: ${coding}\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
  expect(await said(port, put("gzip, chunked"))).toMatch(/^HTTP\/1.1 501 /);
  expect((await fetch(`${url}${LOG}`)).status).toBe(404);
  expect(await said(port, put("Chunked"))).toMatch(/^HTTP\/1.1 200 /);
  const headers = { "content-range": "bytes 0-2/10" };
  expect((await fetch(`${url}${LOG}2`, { method: "PUT", headers, body: "abc" })).status).toBe(400);
});

test("a range is one of GET alone", async () => {
  const { url, services } = await wholeServer();
  const digest = await services.blobService.put(new Uint8Array(1000));
  const headers = { range: "bytes=0-9" };
  const answer = await fetch(`${url}/castore/${digest.toHex()}`, { method: "HEAD", headers });
  expect([answer.status, answer.headers.get("content-length")]).toEqual([200, "1000"]);
});

test("who waits to be asked for a body is told first that it is not wanted", async () => {
  const file = new TokenFile(join(await temporaryDirectory(), "tokens.json"));
  const made = createToken({ name: "test", scope: "write", prefix: undefined, expires: undefined });
  await file.change(() => [made.record]);
  const known = new KnownTokens(file, () => {});
  const access = { authenticators: [new TokenAuthenticator(known)] };
  const { port } = await wholeServer({ access });
  const put = (...more: string[]) =>
    [`PUT ${LOG} HTTP/1.1`, "Host: localhost", "Expect: 100-continue", ...more, "", ""].join("\r\n");
  expect(await said(port, put("Content-Length: 3"))).toMatch(/^HTTP\/1.1 401 .*connection: close/is);
  const authorization = `Authorization: Bearer ${made.text}`;
  const welcome = await said(port, `${put("Content-Length: 3", authorization, "Connection: close")}abc`);
  expect(welcome).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
});
