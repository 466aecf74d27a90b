import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { accessSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { B3Digest, MemoryLedger } from "@tvix/castore";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { SecretKey } from "@tvix/narinfo";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { runningServer } from "./running-server.ts";
import { startDaemon } from "./tvix-store.ts";

const PROMTOOL = "/usr/bin/promtool";

function noPromtool(): boolean {
  try {
    accessSync(PROMTOOL);
    return false;
  } catch {
    console.warn("skipped: promtool is not installed (Debian's package prometheus)");
    return true;
  }
}

/** Value of a metric with these labels, in the text that Prometheus reads. */
function metricValue(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const line = text
    .split("\n")
    .find(
      (one) =>
        new RegExp(`^${name}(\\{| )`).test(one) &&
        Object.entries(labels).every(([label, value]) => one.includes(`${label}="${value}"`)),
    );
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ") + 1));
}

test("each request is counted once, by every protocol, with the code it ended with", async () => {
  const memory = new MemoryLedger(1 << 20);
  const { url, close } = await runningServer({ metrics: true, memory });
  const put = "tvix.castore.v1.BlobService/Put";
  const stat = "tvix.castore.v1.BlobService/Stat";
  const grpc = createGrpcTransport({ url });
  const transports = [grpc, createConnectTransport({ baseUrl: url, httpVersion: "1.1" })];
  async function* onePiece() {
    yield { data: Uint8Array.of(1) };
  }
  for (const transport of transports) {
    const blobs = createClient(BlobService, transport);
    for (let count = 0; count < 5; count++) await blobs.put(onePiece());
    for (let count = 0; count < 3; count++) await blobs.stat({ digest: new Uint8Array(32) }).catch(() => {});
  }
  for (let count = 0; count < 7; count++) await (await fetch(`${url}/healthz`)).text();
  await (await fetch(`${url}/${"0".repeat(32)}.narinfo`)).text();
  const session = connect(url);
  for (const path of ["/made.up.Service/Call", "/made.up.Service/Other"]) {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
    stream.resume().end();
    await once(stream, "close");
  }
  session.destroy();
  const held = await memory.hold(1000, "work");

  const response = await fetch(`${url}/metrics`);
  const text = await response.text();
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const counted = (request: string, code: string) =>
    metricValue(text, "tvix_requests_total", { request, code });
  expect(counted(put, "ok")).toBe(10);
  expect(counted(stat, "not_found")).toBe(6);
  expect(counted("GET health", "200")).toBe(7);
  expect(counted("GET narinfo", "404")).toBe(1);
  // Whatever clients make up is one row.
  expect(counted("unknown call", "unimplemented")).toBe(2);
  expect(metricValue(text, "tvix_request_duration_seconds_count", { request: put })).toBe(10);
  expect(metricValue(text, "tvix_requests_in_progress", { request: "GET metrics" })).toBe(1);
  expect(metricValue(text, "tvix_requests_in_progress", { request: put })).toBe(0);
  expect(metricValue(text, "tvix_connections")).toBeGreaterThan(0);
  expect(metricValue(text, "tvix_memory_held_bytes")).toBe(1000);
  expect(metricValue(text, "tvix_memory_limit_bytes")).toBe(1 << 20);
  expect(text).toContain("nodejs_eventloop_lag_seconds");
  held.release();
  await grpc.close();
  await close();
});

test.skipIf(noPromtool())("Prometheus finds nothing wrong with it", async () => {
  const { url, close } = await runningServer({ metrics: true, memory: new MemoryLedger(1 << 20) });
  await (await fetch(`${url}/healthz`)).text();
  const input = await (await fetch(`${url}/metrics`)).text();
  expect(execFileSync(PROMTOOL, ["check", "metrics"], { input, encoding: "utf8" })).toBe("");
  await close();
});

test("what a store takes, saves and remembers", async () => {
  const folder = await temporaryDirectory();
  const daemon = await startDaemon(folder);
  const scrape = async () => await (await fetch(`${daemon.url}/metrics`)).text();
  await using transport = createGrpcTransport({ url: daemon.url });
  const blobs = createClient(BlobService, transport);
  const data = new Uint8Array(64 << 10).fill(1);
  async function* piece() {
    yield { data };
  }
  const { digest } = await blobs.put(piece());
  await blobs.put(piece());
  await Array.fromAsync(blobs.read({ digest }));
  await Array.fromAsync(blobs.read({ digest }));
  const text = await scrape();
  expect(metricValue(text, "tvix_store_chunk_put_bytes_total")).toBe(2 * data.length);
  expect(metricValue(text, "tvix_store_chunk_new_bytes_total")).toBe(data.length);
  expect(metricValue(text, "tvix_store_chunk_stored_bytes_total")).toBeLessThan(1000);
  expect(metricValue(text, "tvix_store_chunk_reads_total")).toBe(2);
  expect(metricValue(text, "tvix_store_chunk_reads_remembered_total")).toBe(1);
  expect(metricValue(text, "tvix_store_size_bytes", { part: "index" })).toBeGreaterThan(0);
  const request = "tvix.castore.v1.BlobService/Put";
  expect(metricValue(text, "tvix_request_received_bytes_total", { request })).toBeGreaterThan(
    2 * data.length,
  );
});

test("the dashboard and the documents name nothing that is not there", async () => {
  const daemon = await startDaemon(await temporaryDirectory());
  const text = await (await fetch(`${daemon.url}/metrics`)).text();
  const known = new Set(text.match(/(?<=^# HELP )\w+/gm));
  for (const file of ["grafana.json", "operating.md"]) {
    const document = await readFile(join(import.meta.dirname, "../../../docs", file), "utf8");
    const named = new Set(document.match(/\b(?:tvix|nodejs_e|process)[a-z]*_[a-z0-9_]+/g));
    const unknown = [...named].filter((name) => !known.has(name.replace(/_bucket$/, "")));
    expect(unknown.filter((name) => name !== "tvix_")).toEqual([]);
    expect(named.size).toBeGreaterThan(10);
  }
});

test("upstreams: what came of asking, and that one rests; /readyz says so", async () => {
  const upstream = createServer((request, response) => {
    response.statusCode = request.url?.startsWith("/0") === true ? 404 : 500;
    response.end();
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  onTestFinished(() => void upstream.close());
  const host = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const key = SecretKey.generate("k-1").publicKey;
  const daemon = await startDaemon(
    await temporaryDirectory(),
    "--upstream",
    `nix+http://${host}?trusted-public-keys=${key}`,
  );
  const ready = async () => {
    const response = await fetch(`${daemon.url}/readyz`);
    return [response.status, await response.text()];
  };
  expect(await ready()).toEqual([200, "server: ok\nstorage: ok\n"]);
  for (const digit of ["0", "1", "2", "3"]) {
    await (await fetch(`${daemon.url}/${digit.repeat(32)}.narinfo`)).text();
  }
  const text = await (await fetch(`${daemon.url}/metrics`)).text();
  const answered = (outcome: string) =>
    metricValue(text, "tvix_upstream_requests_total", { upstream: host, outcome });
  expect([answered("found"), answered("missing"), answered("failed")]).toEqual([0, 1, 3]);
  expect(metricValue(text, "tvix_upstream_resting", { upstream: host })).toBe(1);
  expect(await ready()).toEqual([
    200,
    expect.stringContaining(`upstream ${host}: fails, and is asked again at 2`),
  ]);
  await expect.poll(daemon.log).toContain("is not asked for a while");
});

test("without being asked for it is not there", async () => {
  const { url, close } = await runningServer();
  expect((await fetch(`${url}/metrics`)).status).toBe(404);
  await close();
});

test("services of the type metrics tell what came of their calls, by their names", async () => {
  const base = await temporaryDirectory();
  const file = join(base, "composition.toml");
  await writeFile(
    file,
    `
[blobservices.root]
type = "metrics"
name = "the blobs"
inner = "memory://"
[directoryservices.root]
type = "memory"
[pathinfoservices.root]
type = "metrics"
name = "the path infos"
inner = "memory://"
`,
  );
  const daemon = await startDaemon(join(base, "data"), "--store-composition", file);
  const transport = createGrpcTransport({ url: daemon.url });
  const blobs = new GrpcBlobService(transport);
  const digest = await blobs.put(Uint8Array.of(1, 2, 3));
  for await (const piece of (await blobs.read(digest)) ?? []) expect(piece).toHaveLength(3);
  expect(await blobs.read(B3Digest.of(Uint8Array.of(4)))).toBeUndefined();
  await (await fetch(`${daemon.url}/${"0".repeat(32)}.narinfo`)).text();
  await transport.close();
  const text = await (await fetch(`${daemon.url}/metrics`)).text();
  const count = (service: string, name: string, method: string, outcome: string) =>
    metricValue(text, "tvix_service_call_seconds_count", { service, name, method, outcome });
  expect(count("blob", "the blobs", "put", "done")).toBe(1);
  expect(count("blob", "the blobs", "find", "found")).toBe(1);
  expect(count("blob", "the blobs", "find", "missing")).toBe(1);
  expect(count("blob", "the blobs", "read", "done")).toBe(1);
  expect(count("path-info", "the path infos", "get", "missing")).toBe(1);
  if (noPromtool()) return;
  expect(execFileSync(PROMTOOL, ["check", "metrics"], { input: text, encoding: "utf8" })).toBe("");
});
