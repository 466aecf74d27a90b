import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { B3Digest } from "@tvix/castore";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { chromium } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { newAuthority } from "../packages/server/test/certificates.ts";
import { startDaemon } from "../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "./temporary.ts";

const CHROMIUM = "/usr/bin/chromium";

/** What Chromium calls the key of a certificate that it is to believe. */
function keyHashOf(pem: Uint8Array): string {
  const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}

/** A page of another origin, with nothing on it. */
async function startPage(): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>page</title>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a browser speaks TLS and HTTP/2 with a daemon, and believes no other certificate", async ({ skip }) => {
  if (!existsSync(CHROMIUM)) skip("Chromium is not installed (Debian's package chromium)");
  const authority = await newAuthority();
  const { certFile, keyFile } = await authority.issue("daemon");
  const origin = await startPage();
  const daemon = await startDaemon(
    await temporaryDirectory(),
    ...["--tls-cert-file", certFile, "--tls-key-file", keyFile, "--cors-origin", origin],
  );
  const url = daemon.url.replace("http:", "https:");
  const ca = await readFile(authority.certFile);
  await using transport = createGrpcTransport({ url }, { tls: { ca } });
  const bytes = new TextEncoder().encode("read in a browser");
  const digest = await new GrpcBlobService(transport).put(bytes);
  expect(digest).toEqual(B3Digest.of(bytes));

  const believing = [`--ignore-certificate-errors-spki-list=${keyHashOf(await readFile(certFile))}`];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", ...believing] });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${url}/nix-cache-info`);
  expect(await page.textContent("body")).toContain("StoreDir: /nix/store");
  expect(
    await page.evaluate(
      // Runs in the page, whose globals this project does not type.
      `performance.getEntriesByType("navigation")[0].nextHopProtocol`,
    ),
  ).toBe("h2");

  await page.goto(origin);
  const body = JSON.stringify({ digest: Buffer.from(digest.bytes).toString("base64") });
  const stat = await page.evaluate(
    `fetch(${JSON.stringify(`${url}/tvix.castore.v1.BlobService/Stat`)}, {
      method: "POST", headers: { "content-type": "application/json" }, body: ${JSON.stringify(body)},
    }).then((response) => response.status)`,
  );
  expect(stat).toBe(200);

  const stranger = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  onTestFinished(() => stranger.close());
  const warned = (await stranger.newPage()).goto(`${url}/nix-cache-info`);
  await expect(warned).rejects.toThrow("ERR_CERT_AUTHORITY_INVALID");
});
