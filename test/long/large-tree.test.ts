import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { B3Digest } from "@tvix/castore";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { expect, test } from "vitest";
import { startDaemon, tvixStore } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";
import { AnonymousMemory } from "./anonymous-memory.ts";
import { realTree } from "./large-tree.ts";

const MIB = 1 << 20;
const LEAST = { files: 20_000, bytes: 1024 * MIB };
/** What the daemon may take at its peak, in MiB. */
const PEAK_MIB = 400;

function packBytes(data: string): number {
  const packs = join(data, "packs");
  return readdirSync(packs).reduce((sum, name) => sum + statSync(join(packs, name)).size, 0);
}

/** Fails where the owner's right to execute differs; `diff` compares everything else. */
async function compareModes(one: string, other: string): Promise<void> {
  for (const entry of await readdir(one, { withFileTypes: true })) {
    const [left, right] = [join(one, entry.name), join(other, entry.name)];
    if (entry.isDirectory()) await compareModes(left, right);
    if (!entry.isFile()) continue;
    const [expected, found] = [(await lstat(left)).mode & 0o100, (await lstat(right)).mode & 0o100];
    if (expected !== found) throw new Error(`${left} and its copy differ in mode`);
  }
}

test("a real tree of 20,000 files and 1 GiB goes through a daemon and comes back", async () => {
  const base = await temporaryDirectory();
  const tree = join(base, "tree");
  const size = await realTree(tree, LEAST);
  const data = join(base, "data");
  const daemon = await startDaemon(data);
  const memory = new AnonymousMemory(daemon.process.pid as number);

  const first = await tvixStore("castore", "ingest", tree, ...daemon.options);
  expect(first).toMatchObject({ status: 0, stderr: "" });
  const stored = packBytes(data);
  expect(stored).toBeLessThan(size.bytes);

  const second = await tvixStore("castore", "ingest", tree, ...daemon.options);
  expect(second.stdout).toBe(first.stdout);
  expect(packBytes(data)).toBe(stored);

  const copy = join(base, "copy");
  const restored = await tvixStore("castore", "restore", first.stdout.trim(), copy, ...daemon.options);
  expect(restored).toEqual({ status: 0, stdout: "", stderr: "" });
  execFileSync("diff", ["-r", "--no-dereference", tree, copy], { stdio: "pipe" });
  await compareModes(tree, copy);

  const peak = memory.takePeak();
  memory.end();
  console.log(
    `${size.files} files, ${(size.bytes / MIB).toFixed(0)} MiB, stored in ${(stored / MIB).toFixed(0)} MiB; ` +
      `peak memory of the daemon ${peak.toFixed(0)} MiB`,
  );
  expect(peak).toBeLessThan(PEAK_MIB);
}, 400_000);

test("memory does not grow with the size of a blob: 4 GiB", async () => {
  const data = join(await temporaryDirectory(), "data");
  const daemon = await startDaemon(data, "--no-sync");
  const memory = new AnonymousMemory(daemon.process.pid as number);
  await using transport = createGrpcTransport({ url: daemon.url });
  const blobs = new GrpcBlobService(transport);
  // The same bytes again and again: stored once, but sent, cut and hashed like any other.
  const piece = new Uint8Array(MIB).map((_, index) => Math.imul(index, index) >> 7);
  const put = async (mebibytes: number) => {
    const hasher = B3Digest.createHasher();
    async function* source() {
      for (let sent = 0; sent < mebibytes; sent++) {
        hasher.update(piece);
        yield piece;
      }
    }
    const digest = await blobs.put(source());
    expect(digest.toHex()).toBe(B3Digest.finish(hasher).toHex());
    return digest;
  };
  await put(512);
  const before = memory.takePeak();
  const digest = await put(4096);
  const afterPut = memory.takePeak();
  let length = 0;
  for await (const part of (await blobs.read(digest)) ?? []) length += part.length;
  expect(length).toBe(4096 * MIB);
  const afterRead = memory.takePeak();
  memory.end();
  const peak = Math.max(before, afterPut, afterRead);
  console.log(
    `peak memory of the daemon with a blob of 512 MiB ${before.toFixed(0)} MiB, ` +
      `with one of 4 GiB ${afterPut.toFixed(0)} MiB, at reading it ${afterRead.toFixed(0)} MiB`,
  );
  expect(peak).toBeLessThan(PEAK_MIB);
  // Eight times the length: what little it may differ by is the collector's, not the blob's.
  expect(afterPut - before).toBeLessThan(80);
}, 400_000);
