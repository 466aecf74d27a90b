import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { B3Digest } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { StorePath } from "@tvix/nix-compat";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  narInfoOf,
  narInfoUrl,
  pathOf,
  put,
  type Sample,
  smallSample,
} from "../../packages/nar-bridge/test/samples.ts";
import { GrpcMaintenance } from "../../packages/server/src/maintenance/grpc-maintenance.ts";
import { type Daemon, endDaemon, startDaemon, tvixStore } from "../../packages/server/test/tvix-store.ts";
import {
  type Engines,
  NO_ENGINES,
  openShared,
  type StoreAddresses,
  startEngines,
} from "../engines/shared-store.ts";
import { expectStoryOf } from "../long/survive/look.ts";
import { Story } from "../long/survive/story.ts";
import { nixHome, removeHome } from "../nix/nix-home.ts";
import { noNix } from "../nix/real-nix.ts";
import { temporaryDirectory } from "../temporary.ts";

if (NO_ENGINES !== undefined) console.warn(`skipped: ${NO_ENGINES}`);

describe.skipIf(NO_ENGINES !== undefined)("servers that share a store", () => {
  let engines: Engines;
  let folder: string;
  let tokens: string[];
  let token: string;
  beforeAll(async () => {
    engines = await startEngines();
    folder = await mkdtemp(join(tmpdir(), "cluster-"));
    // All servers of a cluster have the same.
    tokens = ["--token-file", join(folder, "tokens.json")];
    token = (await tvixStore("token", "create", "--scope", "admin", ...tokens)).stdout.trim();
    await writeFile(join(folder, "token"), token);
  });
  afterAll(async () => {
    await engines?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  const server = async ({ records, extents }: StoreAddresses, ...options: string[]) => {
    const places = ["--records", records, "--extents", extents];
    return await startDaemon(await temporaryDirectory(), ...places, ...tokens, ...options);
  };

  /** Puts as Nix does with a netrc. */
  const upload = async (daemon: Daemon, path: string, body: Uint8Array | string) =>
    (await put(`${daemon.url}/${path}`, body as BodyInit, { authorization: `Bearer ${token}` }))[0];

  const uploadPath = async (sample: Sample, nars: Daemon, narInfos: Daemon) => [
    await upload(nars, `nar/${sample.digits}.nar`, sample.nar),
    await upload(narInfos, new URL(narInfoUrl(narInfos.url, sample)).pathname.slice(1), narInfoOf(sample)),
  ];

  const optionsFor = (daemon: Daemon) => [...daemon.options, "--bearer-token-file", join(folder, "token")];

  const servicesOf = (daemon: Daemon) => {
    const transport = createGrpcTransport({ url: daemon.url }, { token });
    onTestFinished(() => transport.close());
    return {
      blobService: new GrpcBlobService(transport),
      directoryService: new GrpcDirectoryService(transport),
      pathInfoService: new GrpcPathInfoService(transport),
      maintenance: new GrpcMaintenance(transport),
    };
  };

  test("what is put through one is there at another at once, by gRPC and by HTTP", async () => {
    const addresses = engines.freshAddresses();
    const [one, other] = [await server(addresses), await server(addresses)];
    const [writing, reading] = [servicesOf(one), servicesOf(other)];
    for (const length of [0, 100, 5000, 300_000, 20_000_000]) {
      const bytes = fixtures.pseudoRandomBytes(length, length + 1);
      const digest = B3Digest.of(bytes);
      expect(await reading.blobService.has(digest)).toBe(length === 0);
      await writing.blobService.put(bytes);
      const stream = await reading.blobService.read(digest);
      if (stream === undefined) throw new Error(`${length} bytes are not there`);
      expect(B3Digest.of(await collect(stream, 32 << 20)).equals(digest)).toBe(true);
    }
    const here = await temporaryDirectory();
    const source = join(here, "src");
    await mkdir(join(source, "deep"), { recursive: true });
    for (let file = 0; file < 50; file++)
      await writeFile(join(source, `deep/${file}`), `${file}`.repeat(500));
    const { stdout: path } = await tvixStore("import", source, ...optionsFor(one));
    const hash = StorePath.fromAbsolute(path.trim()).toString().slice(0, 32);
    const narInfo = await (await fetch(`${other.url}/${hash}.narinfo`)).text();
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(narInfo)?.[1];
    const nar = await fetch(`${other.url}/${field("URL")}`);
    const { byteLength } = await nar.arrayBuffer();
    expect([nar.status, String(byteLength)]).toEqual([200, field("FileSize")]);
    const { stdout: digest } = await tvixStore("castore", "ingest", source, ...optionsFor(one));
    const restored = join(here, "restored");
    const restoring = await tvixStore("castore", "restore", digest.trim(), restored, ...optionsFor(other));
    expect(restoring).toMatchObject({ status: 0 });
    expect(await readFile(join(restored, "deep/49"), "utf8")).toBe("49".repeat(500));
  });

  test("a NAR that is uploaded to one and its narinfo to another are a path at both", async () => {
    const addresses = engines.freshAddresses();
    const [one, other] = [await server(addresses), await server(addresses)];
    for (let number = 0; number < 5; number++) {
      const sample = await smallSample(`cluster ${number}`);
      expect(await uploadPath(sample, one, other)).toEqual([200, 200]);
      for (const { url } of [one, other]) {
        const found = await fetch(narInfoUrl(url, sample));
        expect([found.status, await found.text()]).toEqual([
          200,
          expect.stringContaining(String(sample.hash)),
        ]);
      }
    }
  });

  test("what is forgotten at one is soon not found at another", async () => {
    const addresses = engines.freshAddresses();
    const [one, other] = [await server(addresses), await server(addresses)];
    const sample = await smallSample("forgotten");
    await uploadPath(sample, one, one);
    expect((await fetch(narInfoUrl(other.url, sample))).status).toBe(200);
    await servicesOf(one).maintenance.forget(pathOf(sample));
    expect((await fetch(narInfoUrl(one.url, sample))).status).toBe(404);
    const statusOf = async () => (await fetch(narInfoUrl(other.url, sample))).status;
    await expect.poll(statusOf, { timeout: 30_000 }).toBe(404);
  });

  test("the database begins again in the middle: requests wait, and none fails", async () => {
    const addresses = engines.freshAddresses();
    const { blobService } = servicesOf(await server(addresses));
    const digests: B3Digest[] = [];
    let isOver = false;
    const writing = Array.from({ length: 4 }, async (_, writer) => {
      for (let number = 0; !isOver; number++) {
        digests.push(
          await blobService.put(
            fixtures.pseudoRandomBytes(2000 + 50_000 * (number % 2), 1000 * writer + number),
          ),
        );
      }
    });
    await expect.poll(() => digests.length).toBeGreaterThan(20);
    await engines.postgres.kill();
    await engines.postgres.start();
    const before = digests.length;
    await expect.poll(() => digests.length).toBeGreaterThan(before + 20);
    isOver = true;
    await Promise.all(writing);
    for (const digest of digests) expect(await blobService.has(digest)).toBe(true);
  });

  test("a collection while two write, and one of them is killed in the middle: nothing acknowledged is lost", {
    timeout: 240_000,
  }, async () => {
    const addresses = engines.freshAddresses();
    const grace = ["--gc-grace", "1s"];
    const story = new Story();
    let isOver = false;
    let number = 0;
    const work = async (daemon: Daemon) => {
      while (!isOver) {
        const sample = await smallSample(`collected ${number++}`);
        try {
          const statuses = await uploadPath(sample, daemon, daemon);
          if (statuses.every((status) => status === 200)) {
            story.add({ type: "put", path: pathOf(sample).toAbsolute(), narHash: String(sample.hash) });
          }
        } catch {
          // It has been killed.
          if (daemon.process.exitCode === null && daemon.process.signalCode === null) continue;
          return;
        }
      }
    };
    const [one, other] = [await server(addresses, ...grace), await server(addresses, ...grace)];
    const writing = [work(one), work(other)];
    const collect = async (daemon: Daemon) => await servicesOf(daemon).maintenance.collect({ graceMs: 1000 });
    await expect.poll(() => story.paths.size).toBeGreaterThan(10);
    const forgotten = [...story.paths.keys()].slice(0, 5);
    for (const path of forgotten) {
      story.add({ type: "forgetting", path });
      await servicesOf(other).maintenance.forget(StorePath.fromAbsolute(path));
      story.add({ type: "forgotten", path });
    }
    const collecting = collect(one).catch(() => {});
    const before = story.paths.size;
    await expect.poll(() => story.paths.size).toBeGreaterThan(before + 3);
    await endDaemon(one, "SIGKILL");
    await collecting;
    // What the killed one was doing is gone on with when its lease is over.
    let ended = 0;
    await expect
      .poll(
        async () => {
          ended += await collect(other).then(
            ({ removed }) => (removed === undefined ? 0 : 1),
            () => 0,
          );
          return ended;
        },
        { timeout: 180_000, interval: 500 },
      )
      .toBeGreaterThanOrEqual(2);
    isOver = true;
    await Promise.all(writing);
    await endDaemon(other, "SIGTERM");
    await using store = await openShared(addresses);
    await expectStoryOf(store, story, "after a collection");
  });

  test("commands work on it directly, and look after it", async () => {
    const { records, extents } = engines.freshAddresses();
    const address = `${records}&extents=${encodeURIComponent(extents)}`;
    const here = await temporaryDirectory();
    await writeFile(join(here, "file"), "some text ".repeat(10_000));
    const { stdout: digest, status } = await tvixStore("castore", "ingest", here, "--service-addr", address);
    expect(status).toBe(0);
    const listed = await tvixStore("castore", "ls", digest.trim(), "--service-addr", address);
    expect(listed).toMatchObject({ status: 0, stdout: expect.stringContaining("file") });
    const s3 = `${extents}&records=${encodeURIComponent(records)}`;
    const kinds = [
      "--blob-service-addr",
      s3,
      "--directory-service-addr",
      address,
      "--path-info-service-addr",
      address,
    ];
    const cat = await tvixStore("castore", "cat", digest.trim(), "file", ...kinds);
    expect(cat.stdout.length).toBe(100_000);
    const verified = await tvixStore("verify", "--read-data", "--json", "--service-addr", address);
    expect(verified).toMatchObject({ status: 0, stdout: expect.stringContaining('"faults":0') });
    const backup = await tvixStore("backup", join(here, "copy"), "--service-addr", address);
    expect(backup).toMatchObject({ status: 1, stderr: expect.stringContaining("only a data directory") });
  });

  test("records without their extents, or with others, are refused, and nothing is taken for damaged", async () => {
    const [own, others] = [engines.freshAddresses(), engines.freshAddresses()];
    const bytes = fixtures.pseudoRandomBytes(100_000, 3);
    await using store = await openShared(own);
    const digest = await store.blobService.put(bytes);
    await using other = await openShared(others);
    await other.blobService.put(bytes);
    for (const address of [own.records, `${own.records}&extents=${encodeURIComponent(others.extents)}`]) {
      for (const command of [["verify", "--read-data"], ["repair"]]) {
        const refused = await tvixStore(...command, "--service-addr", address);
        expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/extents|another store/) });
      }
    }
    expect(await store.blobService.has(digest)).toBe(true);
    const stream = await store.blobService.read(digest);
    expect(stream && (await collect(stream, 1 << 20))).toEqual(bytes);
  });

  test("an engine that is wrong, or away, is told without secrets", async () => {
    const { records, extents } = engines.freshAddresses();
    const attempt = async (...options: string[]) =>
      await tvixStore("daemon", "--data", await temporaryDirectory(), ...options);
    const wrong = await attempt("--records", "postgres://me:geheim@localhost/db?nothing=1");
    expect([wrong.status, wrong.stderr.includes("geheim")]).toEqual([2, false]);
    const keys = await attempt("--records", records, "--extents", "s3://key:geheim@bucket/");
    expect([keys.status, keys.stderr.includes("geheim")]).toEqual([2, false]);
    const noBucket = await attempt(
      "--records",
      records,
      "--extents",
      extents.replace("tvix-test", "not-there"),
    );
    expect(noBucket).toMatchObject({ status: 1, stderr: expect.stringContaining("NoSuchBucket") });
  });

  test.skipIf(noNix !== undefined)(
    "a real Nix puts into one and takes from another",
    { timeout: 120_000 },
    async () => {
      const addresses = engines.freshAddresses();
      const [one, other] = [await server(addresses), await server(addresses)];
      const base = await mkdtemp(join(tmpdir(), "nix-home-"));
      onTestFinished(() => removeHome(base));
      const home = await nixHome(base);
      const source = join(base, "source");
      await mkdir(source);
      for (let file = 0; file < 30; file++)
        await writeFile(join(source, `${file}`), `${file} ${Date.now()}`.repeat(2000));
      const path = (await home.run("nix-store", "--add", source)).trim();
      const netrcFile = join(base, "netrc");
      await writeFile(netrcFile, `machine 127.0.0.1 login anybody password ${token}\n`);
      const netrc = ["--option", "netrc-file", netrcFile];
      await home.nix("copy", "--to", one.url, path, ...netrc);
      const store = home.freshStore();
      await home.nix("copy", "--from", other.url, "--to", store, "--no-check-sigs", path);
      expect(await readFile(join(store, path, "7"), "utf8")).toBe(await readFile(join(source, "7"), "utf8"));
    },
  );
});
