// A store on PostgreSQL and S3: what a push costs in requests, several servers on one store, engines that are far.
import { createHash } from "node:crypto";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { FastCdc } from "@tvix/castore";
import { type NarEntry, writeNar } from "@tvix/nar";
import { formatNarInfo } from "@tvix/narinfo";
import { encodeNixbase32, NixHash, StorePath } from "@tvix/nix-compat";
import { startCeph } from "../test/engines/ceph.ts";
import { startFailingStore } from "../test/engines/failing-store.ts";
import { startPostgres } from "../test/engines/postgres.ts";
import { startProxy } from "../test/engines/proxy.ts";
import { median } from "./measure.ts";
import { run, startDaemon } from "./processes.ts";
import { ROUNDS } from "./sizes.ts";

/** The closure that is pushed: paths, and files of each. */
const PATHS = Number(process.env["CLUSTER_PATHS"] ?? 1000);
const FILES_EACH = 100;
const UPLOADS_AT_ONCE = 16;

/** Part of a processor that each of several servers may take. */
const SHARE = 0.2;

const SECONDS = 5;

const encoder = new TextEncoder();

/** Text that compresses as text does, pieces of which are files. */
function someText(length: number): Uint8Array {
  let state = 1;
  const words = Array.from({ length: 4096 }, () => {
    state = Math.imul(state, 1103515245) + 12345;
    return Math.abs(state)
      .toString(36)
      .slice(0, 2 + (Math.abs(state) % 6));
  });
  const text: string[] = [];
  for (let written = 0; written < length; ) {
    state = Math.imul(state ^ (state >>> 13), 1540483477) + 1;
    const word = words[(state >>> 8) % words.length] as string;
    text.push(word);
    written += word.length + 1;
  }
  return encoder.encode(text.join(" ")).subarray(0, length);
}

interface Path {
  readonly nar: Uint8Array;
  readonly hash: NixHash;
  readonly storePath: StorePath;
}

/** A path of some files of 100 bytes to 200 KiB, most of them short. */
async function pathOf(number: number, text: Uint8Array): Promise<Path> {
  let state = number + 1;
  const random = (bound: number) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return (state >>> 4) % bound;
  };
  const entries: NarEntry[] = [{ type: "directory", name: encoder.encode("") }];
  for (let file = 0; file < FILES_EACH; file++) {
    const kind = random(100);
    const size = 100 + random(kind < 80 ? 4000 : kind < 98 ? 32_000 : 200_000);
    const start = random(text.length - size);
    const contents = text.subarray(start, start + size);
    const name = encoder.encode(String(file).padStart(3, "0"));
    entries.push({ type: "file", name, executable: false, size, contents });
  }
  entries.push({ type: "end" });
  const nar = await collect(writeNar(entries), 1 << 30);
  const hash = NixHash.from("sha256", new Uint8Array(createHash("sha256").update(nar).digest()));
  return { nar, hash, storePath: StorePath.from(hash.digest.slice(0, 20), `path-${number}`) };
}

async function push(url: string, { nar, hash, storePath }: Path): Promise<void> {
  const digits = encodeNixbase32(hash.digest);
  const narInfo = formatNarInfo({
    storePath,
    url: `nar/${digits}.nar`,
    compression: "none",
    fileHash: hash,
    fileSize: nar.length,
    narHash: hash,
    narSize: nar.length,
    references: [],
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  } as never);
  for (const [path, body] of [
    [`nar/${digits}.nar`, nar],
    [`${storePath.toString().slice(0, 32)}.narinfo`, narInfo],
  ] as const) {
    const { ok, status } = await fetch(`${url}/${path}`, { method: "PUT", body: body as BodyInit });
    if (!ok) throw new Error(`${path} was answered with ${status}`);
  }
}

/** Objects that attic would make of a NAR: one of each of its chunks, cut as it cuts by default. */
function atticChunks(nar: Uint8Array, seen: Set<string>): void {
  const parts: Uint8Array[] = [];
  if (nar.length < 64 << 10) parts.push(nar);
  else {
    const cutter = new FastCdc({ min: 16 << 10, avg: 64 << 10, max: 256 << 10 });
    for (let rest = nar; rest.length > 0; ) {
      const length = cutter.cut(rest);
      parts.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  }
  for (const part of parts) seen.add(createHash("sha256").update(part).digest("base64"));
}

export async function benchmarkCluster(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const [postgres, ceph] = await Promise.all([startPostgres(), startCeph()]);
  process.env["AWS_ACCESS_KEY_ID"] = ceph.credentials.accessKeyId;
  process.env["AWS_SECRET_ACCESS_KEY"] = ceph.credentials.secretAccessKey;
  const store = await startFailingStore(ceph.port);
  const records = postgres.freshAddress();
  const prefix = ceph.freshAddress();
  const through = (port: number) => prefix.replace(/127\.0\.0\.1%3A\d+/, `127.0.0.1%3A${port}`);
  const roundTrips = async () => {
    // Counts are passed on after a moment.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const counted = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'";
    return Number(await postgres.query(counted));
  };
  const server = async (name: string, extents: string, address = records) => {
    const options = ["--records", address, "--extents", extents, "--log-level", "info"];
    return await startDaemon(join(base, name), options);
  };

  // What a push costs.
  const text = someText(32 << 20);
  const one = await server("one", through(store.port));
  const url = `http://127.0.0.1:${one.port}`;
  const chunks = new Set<string>();
  const before = await roundTrips();
  let [bytes, next, seconds] = [0, 0, 0];
  const paths: Path[] = [];
  for (let begun = 0; begun < PATHS; begun += 100) {
    // Made before they are pushed: what that takes does not count.
    const batch = await Promise.all(
      Array.from({ length: Math.min(100, PATHS - begun) }, (_, index) => pathOf(begun + index, text)),
    );
    for (const { nar } of batch) {
      bytes += nar.length;
      atticChunks(nar, chunks);
    }
    next = 0;
    const start = performance.now();
    const pushing = Array.from({ length: UPLOADS_AT_ONCE }, async () => {
      for (let path = batch[next++]; path !== undefined; path = batch[next++]) await push(url, path);
    });
    await Promise.all(pushing);
    seconds += (performance.now() - start) / 1000;
    paths.push(...batch.slice(0, Math.ceil(2000 / PATHS)));
  }
  const requests = [...store.requests.values()].reduce((sum, count) => sum + count, 0);
  const trips = (await roundTrips()) - before;
  const schema = new URL(records).searchParams.get("schema");
  const size = await postgres.query(
    `SELECT count(*), pg_total_relation_size('${schema}.records') / 1000000 FROM ${schema}.records`,
  );
  const [count, megabytes] = size.split("|");
  const byMethod = [...store.requests].map(([method, count]) => `${count} ${method}`).join(", ");
  console.log(`
## A push of ${PATHS} paths, ${PATHS * FILES_EACH} files, ${(bytes / 1e6).toFixed(0)} MB of NARs, ${UPLOADS_AT_ONCE} at once

| | objects of attic | requests to the object store | ratio | transactions of the database | records | database, MB | seconds |
|---|---|---|---|---|---|---|---|
| | ${chunks.size} | ${requests} (${byMethod}) | 1/${(chunks.size / requests).toFixed(0)} | ${trips} | ${count} | ${megabytes} | ${seconds.toFixed(1)} |`);
  await one.stop();

  // Several servers.
  console.log(`
## NARs and narinfos of 1, 2 and 4 servers, each with ${SHARE} of a processor, warm

| servers | narinfos a second | of N times one | NAR, MB/s | of N times one |
|---|---|---|---|---|`);
  let baseline: { narInfos: number; nars: number } | undefined;
  for (const count of [1, 2, 4]) {
    const servers = await Promise.all(
      Array.from({ length: count }, (_, index) => server(`n${index}`, prefix)),
    );
    const groups = servers.map(({ pid }, index) => limited(pid, `tvix-bench-${index}`));
    const urls = servers.map(({ port }) => `http://127.0.0.1:${port}`);
    const narInfos = await rate(urls, (at, index) => {
      const path = paths[index % paths.length] as Path;
      return `${at}/${path.storePath.toString().slice(0, 32)}.narinfo`;
    });
    const nars = await rate(urls, (at, index) => {
      const path = paths[index % paths.length] as Path;
      return `${at}/nar/${encodeNixbase32(path.hash.digest)}.nar`;
    });
    const now = { narInfos: narInfos.requests, nars: nars.bytes / 1e6 };
    baseline ??= now;
    const of = (value: number, first: number) => (value / (count * first)).toFixed(2);
    console.log(
      `| ${count} | ${now.narInfos.toFixed(0)} | ${of(now.narInfos, baseline.narInfos)} | ${now.nars.toFixed(1)} | ${of(now.nars, baseline.nars)} |`,
    );
    for (const one of servers) await one.stop();
    for (const remove of groups) remove();
  }

  // Engines that are far.
  const large = join(base, "large");
  await mkdir(large);
  const [database, objects] = [await startProxy(postgres.port), await startProxy(ceph.port)];
  const farRecords = records.replace(`:${postgres.port}`, `:${database.port}`);
  console.log(`
## One client, engines without and with 30 ms of added latency

| | NAR of one file of 400 MB, cold, MB/s, median (least to most) | narinfo, near, ms (median of 200) | the same, not near |
|---|---|---|---|`);
  const big = await largePath(400_000_000);
  const filling = await server("filling", prefix);
  await push(`http://127.0.0.1:${filling.port}`, big);
  await filling.stop();
  for (const latency of [0, 30]) {
    database.latencyMs = latency / 2;
    objects.latencyMs = latency / 2;
    const speeds: number[] = [];
    let far = await server(`far-${latency}`, through(objects.port), farRecords);
    for (let round = 1; ; round++) {
      const start = performance.now();
      // As Nix does, by libcurl: a client in this process would take time from the proxies in it.
      const file = `nar/${encodeNixbase32(big.hash.digest)}.nar`;
      await run("curl", ["-sf", "-o", "/dev/null", `http://127.0.0.1:${far.port}/${file}`]);
      speeds.push(big.nar.length / 1e6 / ((performance.now() - start) / 1000));
      if (round === ROUNDS) break;
      // Nobody has read it from a server that has nothing nearby.
      await far.stop();
      far = await server(`far-${latency}-${round}`, through(objects.port), farRecords);
    }
    const at = `http://127.0.0.1:${far.port}`;
    const times = async (of: (index: number) => Path, count: number) => {
      const taken: number[] = [];
      for (let index = 0; index < count; index++) {
        const asked = performance.now();
        await (await fetch(`${at}/${of(index).storePath.toString().slice(0, 32)}.narinfo`)).text();
        taken.push(performance.now() - asked);
      }
      return taken.sort((a, b) => a - b)[count >> 1] ?? Number.NaN;
    };
    const cold = await times((index) => paths[index % paths.length] as Path, Math.min(paths.length, 100));
    await times(() => big, 5);
    const near = await times(() => big, 200);
    console.log(
      `| ${latency} ms | ${median(speeds).toFixed(0)} (${Math.min(...speeds).toFixed(0)} to ${Math.max(...speeds).toFixed(0)}) | ${near.toFixed(2)} | ${cold.toFixed(2)} |`,
    );
    await far.stop();
  }
  for (const one of [database, objects, store, postgres, ceph]) await one[Symbol.asyncDispose]();
  await rm(base, { recursive: true });
}

/** A path of one file that does not compress. */
async function largePath(length: number): Promise<Path> {
  const contents = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(contents.subarray(at, at + 65_536));
  const entry: NarEntry = {
    type: "file",
    name: encoder.encode(""),
    executable: false,
    size: length,
    contents,
  };
  const nar = await collect(writeNar([entry]), 1 << 30);
  const hash = NixHash.from("sha256", new Uint8Array(createHash("sha256").update(nar).digest()));
  return { nar, hash, storePath: StorePath.from(hash.digest.slice(0, 20), "large") };
}

/** Requests and bytes a second, 8 connections to each server. */
async function rate(
  urls: readonly string[],
  of: (url: string, index: number) => string,
): Promise<{ requests: number; bytes: number }> {
  let [requests, bytes, isCounted, isOver] = [0, 0, false, false];
  const asking = urls.flatMap((url, first) =>
    Array.from({ length: 8 }, async (_, connection) => {
      for (let index = first * 8 + connection; !isOver; index++) {
        const body = await (await fetch(of(url, index))).arrayBuffer();
        if (!isCounted) continue;
        requests++;
        bytes += body.byteLength;
      }
    }),
  );
  // Whatever is read first is not near yet.
  await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS));
  isCounted = true;
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS));
  const seconds = (performance.now() - start) / 1000;
  isCounted = false;
  isOver = true;
  await Promise.all(asking);
  return { requests: requests / seconds, bytes: bytes / seconds };
}

/** Gives a process no more than its share of a processor, where the machine lets us; returns what takes that back. */
function limited(pid: number, name: string): () => void {
  const group = `/sys/fs/cgroup/cpu/${name}`;
  try {
    writeFileSync(join(mkGroup(group), "cpu.cfs_quota_us"), `${SHARE * 100_000}`);
    writeFileSync(join(group, "cgroup.procs"), `${pid}`);
    return () => rmdirSync(group);
  } catch (error) {
    console.warn(`each server takes what it gets: ${(error as Error).message}`);
    return () => {};
  }
}

function mkGroup(group: string): string {
  mkdirSync(group, { recursive: true });
  return group;
}
