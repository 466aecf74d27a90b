import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { SecretKey } from "@tvix/narinfo";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { endDaemon, startDaemon } from "./tvix-store.ts";

/** A span as OTLP has it in JSON. */
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
}

/** A server that keeps what it is sent, by path. */
async function startReceiver() {
  const received: { path: string; body: unknown; headers: IncomingHttpHeaders }[] = [];
  const server = createServer(async (request, response) => {
    const body = request.method === "POST" ? await json(request) : undefined;
    received.push({ path: request.url ?? "", body, headers: request.headers });
    response.setHeader("content-type", "application/json");
    response.statusCode = request.method === "POST" ? 200 : 404;
    response.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

function spansIn(body: unknown): Span[] {
  const { resourceSpans } = body as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

function attribute({ attributes }: Span, name: string): unknown {
  return Object.values(attributes.find(({ key }) => key === name)?.value ?? {})[0];
}

test("requests are spans of the traces that they belong to, and so are those to upstreams", async () => {
  const receiver = await startReceiver();
  const upstream = await startReceiver();
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_METRIC_EXPORT_INTERVAL: "500",
    OTEL_METRIC_EXPORT_TIMEOUT: "500",
  };
  Object.assign(process.env, variables);
  onTestFinished(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
  const key = SecretKey.generate("k-1").publicKey;
  const address = `nix+${upstream.url}?trusted-public-keys=${key}`;
  const daemon = await startDaemon(await temporaryDirectory(), "--upstream", address);
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  const digits = "0".repeat(32);
  expect((await fetch(`${daemon.url}/${digits}.narinfo`, { headers })).status).toBe(404);
  const blobs = createClient(BlobService, createConnectTransport({ baseUrl: daemon.url, httpVersion: "2" }));
  await blobs.stat({ digest: new Uint8Array(32) }, { headers }).catch(() => {});

  const asked = upstream.received.find(({ path }) => path === `/${digits}.narinfo`);
  expect(asked?.headers["traceparent"]).toMatch(new RegExp(`^00-${traceId}-`));
  const metrics = () => receiver.received.filter(({ path }) => path === "/v1/metrics");
  await expect.poll(() => JSON.stringify(metrics()), { timeout: 10_000 }).toContain("tvix.request.duration");
  // What has not been sent yet goes out with the end.
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
  const spans = receiver.received
    .filter(({ path }) => path === "/v1/traces")
    .flatMap(({ body }) => spansIn(body));
  const narinfo = spans.find(({ name }) => name === "GET narinfo") as Span;
  expect(narinfo).toMatchObject({ traceId, parentSpanId: "b7ad6b7169203331" });
  expect(attribute(narinfo, "tvix.code")).toBe("404");
  expect(asked?.headers["traceparent"]).toContain(narinfo.spanId);
  const stat = spans.find(({ name }) => name === "tvix.castore.v1.BlobService/Stat") as Span;
  expect(stat).toMatchObject({ traceId });
  expect(attribute(stat, "tvix.subject")).toMatch(/^blake3-/);
  expect(JSON.stringify(receiver.received)).toContain('"tvix.store"');
});

test("a collector that is not there holds up nobody", async () => {
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1";
  onTestFinished(() => {
    delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  });
  const daemon = await startDaemon(await temporaryDirectory());
  expect((await fetch(`${daemon.url}/healthz`)).status).toBe(200);
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
});
