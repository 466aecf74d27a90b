import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { B3Digest } from "@tvix/castore";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { ReloadingTls } from "@tvix/server";
import { describe, expect, test, vi } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { type Authority, newAuthority, replaceCertificate } from "./certificates.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";
import { wholeServer } from "./whole-server.ts";

const PROTOS = join(import.meta.dirname, "../../../protos");

type Stat = (request: { digest: Uint8Array }, done: (error: Error | null, answer?: unknown) => void) => void;

async function secureServer(authority: Authority, clientCaFile?: string) {
  const certificate = await authority.issue("server-1");
  const tls = new ReloadingTls({ ...certificate, clientCaFile }, () => {});
  const server = await wholeServer({ tls });
  return {
    ...server,
    certificate,
    url: `https://127.0.0.1:${server.port}`,
    ca: await readFile(authority.certFile),
  };
}

/** A resource over HTTP/1.1 by TLS. */
async function get(url: string, options: Record<string, unknown>): Promise<string> {
  const asked = request(url, { agent: false, ...options }).end();
  const [response] = await once(asked, "response");
  return await text(response);
}

/** The name in the certificate that a server shows now. */
async function shownName(port: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

describe("by TLS", () => {
  test("every protocol is served on one port, and nothing in clear text", async () => {
    const { url, ca, port } = await secureServer(await newAuthority());
    await using transport = createGrpcTransport({ url }, { tls: { ca } });
    const blobs = new GrpcBlobService(transport);
    const bytes = new TextEncoder().encode("over TLS".repeat(100_000));
    const digest = await blobs.put(bytes);
    expect(digest).toEqual(B3Digest.of(bytes));
    expect(Buffer.concat(await Array.fromAsync((await blobs.read(digest)) ?? [])).equals(bytes)).toBe(true);
    for (const httpVersion of ["1.1", "2"] as const) {
      const connected = createConnectTransport({ baseUrl: url, httpVersion, nodeOptions: { ca } });
      const { chunks } = await createClient(BlobService, connected).stat({ digest: digest.bytes });
      expect(chunks.length).toBeGreaterThan(0);
    }
    expect(await get(`${url}/nix-cache-info`, { ca })).toContain("StoreDir: /nix/store");
    const definition = loadPackageDefinition(
      loadSync(join(PROTOS, "tvix/castore/v1/rpc_blobstore.proto"), { includeDirs: [PROTOS] }),
    ) as never as { tvix: { castore: { v1: { BlobService: ServiceClientConstructor } } } };
    const client = new definition.tvix.castore.v1.BlobService(`127.0.0.1:${port}`, credentials.createSsl(ca));
    const stat = promisify((client as never as { Stat: Stat }).Stat.bind(client));
    expect(await stat({ digest: digest.bytes })).toBeDefined();
    client.close();

    const clear = connectTcp(port, "127.0.0.1");
    clear.write("GET /nix-cache-info HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(await text(clear)).not.toContain("StoreDir");
  });

  test("a client believes only whom it is told to", async () => {
    const { url } = await secureServer(await newAuthority());
    const other = await readFile((await newAuthority()).certFile);
    for (const ca of [undefined, other]) {
      await using transport = createGrpcTransport({ url }, { tls: { ca } });
      await expect(new GrpcBlobService(transport).put(Uint8Array.of(1))).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringContaining("certificate"),
      });
    }
  });

  test("where clients have to show a certificate, those that do are let in", async () => {
    const authority = await newAuthority();
    const { url, ca } = await secureServer(authority, authority.certFile);
    const own = await authority.issue("client-1");
    const [cert, key] = [await readFile(own.certFile), await readFile(own.keyFile)];
    await using welcome = createGrpcTransport({ url }, { tls: { ca, cert, key } });
    await new GrpcBlobService(welcome).put(Uint8Array.of(1));
    expect(await get(`${url}/nix-cache-info`, { ca, cert, key })).toContain("StoreDir");
    await using stranger = createGrpcTransport({ url }, { tls: { ca }, reconnectMs: 0 });
    await expect(new GrpcBlobService(stranger).put(Uint8Array.of(1))).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    await expect(get(`${url}/nix-cache-info`, { ca })).rejects.toThrow();
  });

  test("certificates are renewed under load without a request that fails", async () => {
    const authority = await newAuthority();
    const { url, ca, port, certificate } = await secureServer(authority);
    expect(await shownName(port)).toBe("server-1");
    const stop = new AbortController();
    let asked = 0;
    const load = Array.from({ length: 8 }, async () => {
      while (!stop.signal.aborted) {
        // A connection of its own each time, and one that lasts.
        expect(await get(`${url}/nix-cache-info`, { ca })).toContain("StoreDir");
        asked++;
      }
    });
    const lasting = (async () => {
      await using transport = createGrpcTransport({ url }, { tls: { ca }, reconnectMs: 0 });
      const blobs = new GrpcBlobService(transport);
      while (!stop.signal.aborted) await blobs.put(Uint8Array.of(asked % 256));
    })();
    for (const name of ["server-2", "server-3"]) {
      await replaceCertificate(certificate, await authority.issue(name));
      await expect.poll(() => shownName(port), { timeout: 10_000 }).toBe(name);
    }
    // Half of one and half of another are no certificate: the old one stays.
    await writeFile(certificate.keyFile, "nonsense");
    const before = asked;
    await expect.poll(() => asked, { timeout: 10_000 }).toBeGreaterThan(before + 100);
    expect(await shownName(port)).toBe("server-3");
    stop.abort();
    await Promise.all([...load, lasting]);
  });

  test("the command line, with a token and the certificate to believe; buf curl", async () => {
    const authority = await newAuthority();
    const { certFile, keyFile } = await authority.issue("server");
    const base = await temporaryDirectory();
    const data = join(base, "data");
    const created = await tvixStore(
      "token",
      "create",
      "ci",
      "--scope",
      "write",
      "--expires",
      "1h",
      "--data",
      data,
    );
    expect(created.status).toBe(0);
    const token = created.stdout.trim();
    const daemon = await startDaemon(data, "--tls-cert-file", certFile, "--tls-key-file", keyFile);
    const address = daemon.url.replace("http://", "grpc+https://");
    const tokenFile = join(base, "token");
    await writeFile(tokenFile, `${token}\n`);
    await writeFile(join(base, "file"), "contents");
    const options = ["--service-addr", address, "--ca-file", authority.certFile];
    const ingest = (...more: string[]) =>
      tvixStore("castore", "ingest", join(base, "file"), ...options, ...more);
    expect(await ingest()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("needs a token that may write"),
    });
    expect(await ingest("--bearer-token-file", tokenFile)).toMatchObject({ status: 0 });
    const listed = await tvixStore("token", "list", "--data", data);
    expect(listed.stdout).toMatch(/^[0-9a-f]{12} {2}write .*ci\n$/);
    expect(listed.stdout).not.toContain(token.slice(18));
    const revoked = await tvixStore("token", "revoke", token, "--data", data);
    expect(revoked).toEqual({ status: 0, stdout: "", stderr: "" });
    await expect
      .poll(async () => (await ingest("--bearer-token-file", tokenFile)).stderr, { timeout: 10_000 })
      .toContain("not known here");
    const doctor = async () =>
      JSON.parse((await tvixStore("doctor", "--json", ...options.slice(0, 2))).stdout);
    expect(await doctor()).toContainEqual(
      expect.objectContaining({ advice: expect.stringContaining("--ca-file FILE") }),
    );
    const url = daemon.url.replace("http://", "https://");
    const use = async (...more: string[]) => await tvixStore("use", url, ...more);
    expect(await use()).toMatchObject({ status: 1 });
    for (const name of ["NODE_EXTRA_CA_CERTS", "TVIX_STORE_CA_FILE"]) {
      vi.stubEnv(name, authority.certFile);
      expect(JSON.stringify(await doctor())).not.toContain("does not answer");
      expect(await use()).toMatchObject({ status: 0 });
      // Calls of gRPC believe the same.
      expect(
        (await tvixStore("castore", "ingest", join(data, "../x"), ...options.slice(0, 2))).stderr,
      ).not.toMatch(/certificate/);
      vi.unstubAllEnvs();
    }
    expect(await use("--ca-file", authority.certFile)).toMatchObject({ status: 0 });
    expect((await use("--ca-file", authority.keyFile)).stderr).toContain("has no certificate");
    const args = ["curl", "--cacert", authority.certFile, "--protocol", "grpc", "--list-methods", url];
    const buf = join(import.meta.dirname, "../../../node_modules/.bin/buf");
    const { stdout } = await promisify(execFile)(buf, args);
    expect(stdout).toContain("tvix.castore.v1.BlobService/Put");
  });

  test("files that are no certificate are told at the start", async () => {
    const base = await temporaryDirectory();
    await writeFile(join(base, "x"), "nonsense");
    const file = join(base, "x");
    for (const [args, status, what] of [
      [["--tls-cert-file", file, "--tls-key-file", file], 1, "cannot be used"],
      [["--tls-cert-file", join(base, "missing"), "--tls-key-file", file], 1, "missing"],
      [["--tls-cert-file", file], 2, "--tls-key-file"],
    ] as const) {
      const ended = await tvixStore(
        "daemon",
        "--data",
        join(base, "data"),
        "--listen-address",
        "127.0.0.1:0",
        ...args,
      );
      expect([ended.status, ended.stderr]).toEqual([status, expect.stringContaining(what)]);
    }
  });
});
