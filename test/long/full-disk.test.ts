import { execFileSync } from "node:child_process";
import { mkdir, rm, statfs, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  narInfoOf,
  narInfoUrl,
  noise,
  put,
  sample,
  smallSample,
  upload,
} from "../../packages/nar-bridge/test/samples.ts";
import { endDaemon, startDaemon, tvixStore } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";

const DISK_BYTES = 48 << 20;
const INODES = 2000;

/** Why no small disk can be had here; undefined where it can. */
const noDisk = (() => {
  if (process.getuid?.() !== 0) return "only root can mount a small disk";
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `no small disk can be mounted: ${(error as Error).message}`;
  }
})();
if (noDisk !== undefined) console.warn(`skipped: ${noDisk}`);

/** A disk of a few MiB, and how to fill it. */
async function smallDisk() {
  const path = join(await temporaryDirectory(), "disk");
  await mkdir(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES},nr_inodes=${INODES}`, "tmpfs", path]);
  // Lazily: the daemon may not have ended yet.
  onTestFinished(() => void execFileSync("umount", ["-l", path]));
  const filler = join(path, "filler");
  return {
    path,
    async fill(left: number) {
      const { bavail, bsize } = await statfs(path);
      await writeFile(filler, Buffer.alloc(bavail * bsize));
      await truncate(filler, Math.max(0, bavail * bsize - left));
    },
    empty: () => rm(filler),
    /** Leaves no file to be made any more, and all bytes. */
    async fillWithFiles() {
      const files = join(path, "files");
      await mkdir(files);
      const make = (number: number) =>
        writeFile(join(files, `${number}`), "").then(
          () => true,
          () => false,
        );
      // A daemon may make some as well.
      for (let number = 0; await make(number); number++);
    },
    removeFiles: () => rm(join(path, "files"), { recursive: true }),
  };
}

describe.skipIf(noDisk !== undefined)("on a disk that gets full", () => {
  test("what is there is served; with room again all works, without a restart", async () => {
    const disk = await smallDisk();
    const daemon = await startDaemon(join(disk.path, "data"));
    const [early, late] = [await smallSample("early"), await smallSample("late")];
    // Nobody has asked for its narinfo, which is made when somebody does.
    await put(`${daemon.url}/nar/${early.digits}.nar`, early.nar as BodyInit);
    await put(narInfoUrl(daemon.url, early), narInfoOf(early));
    await disk.fill(300_000);

    // Until nothing fits any more, into packs and into the index.
    const fits: number[] = [];
    for (let seed = 1; seed < 2000; seed++) {
      const one = await sample([
        { type: "file", name: new Uint8Array(0), executable: false, size: 900, contents: noise(900, seed) },
      ]);
      const [status] = await put(`${daemon.url}/nar/${one.digits}.nar`, one.nar as BodyInit);
      fits.push(status);
      if (status !== 200) break;
    }
    expect(fits.at(-1)).toBe(507);
    const large = await sample([
      { type: "file", name: new Uint8Array(0), executable: false, size: 3e6, contents: noise(3e6, 1) },
    ]);
    expect((await put(`${daemon.url}/nar/${large.digits}.nar`, large.nar as BodyInit))[0]).toBe(507);

    expect((await fetch(narInfoUrl(daemon.url, early))).status).toBe(200);
    expect((await fetch(`${daemon.url}/nar/${early.digits}.nar`)).status).toBe(200);
    await expect.poll(async () => (await fetch(`${daemon.url}/healthz`)).status, { timeout: 5000 }).toBe(503);
    expect(await (await fetch(`${daemon.url}/healthz`)).text()).toContain("no space");
    await expect.poll(daemon.log).toContain("the storage takes nothing");

    await disk.empty();
    await upload(daemon.url, late);
    expect((await fetch(narInfoUrl(daemon.url, late))).status).toBe(200);
    await upload(daemon.url, large);
    await expect.poll(async () => (await fetch(`${daemon.url}/healthz`)).status, { timeout: 5000 }).toBe(200);
    await expect.poll(() => daemon.log()).toContain("again");
    const file = join(disk.path, "file");
    await writeFile(file, "contents");
    expect((await tvixStore("import", file, ...daemon.options)).status).toBe(0);
  });

  test("on which no file can be made any more: what is there is served; with room again all works", async () => {
    const disk = await smallDisk();
    const daemon = await startDaemon(join(disk.path, "data"));
    const early = await smallSample("early");
    await upload(daemon.url, early);
    await disk.fillWithFiles();
    // At once, or when a file of the index is full.
    const statuses = new Set<number>();
    for (let seed = 1; seed < 10_000 && !statuses.has(507); seed++) {
      const one = await sample([
        { type: "file", name: new Uint8Array(0), executable: false, size: 2000, contents: noise(2000, seed) },
      ]);
      statuses.add((await put(`${daemon.url}/nar/${one.digits}.nar`, one.nar as BodyInit))[0]);
    }
    expect([...statuses].at(-1)).toBe(507);
    expect([...statuses].filter((status) => status !== 200)).toEqual([507]);
    expect((await fetch(narInfoUrl(daemon.url, early))).status).toBe(200);
    expect((await fetch(`${daemon.url}/nar/${early.digits}.nar`)).status).toBe(200);
    await expect.poll(async () => (await fetch(`${daemon.url}/healthz`)).status, { timeout: 5000 }).toBe(503);
    await disk.removeFiles();
    await expect.poll(async () => (await fetch(`${daemon.url}/healthz`)).status, { timeout: 5000 }).toBe(200);
    await upload(daemon.url, await smallSample("late"));
    expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
  });

  test("too full for a pack only: health says so until there is room", async () => {
    const disk = await smallDisk();
    const daemon = await startDaemon(join(disk.path, "data"));
    await disk.fill(300_000);
    const large = await sample([
      { type: "file", name: new Uint8Array(0), executable: false, size: 3e6, contents: noise(3e6, 1) },
    ]);
    expect((await put(`${daemon.url}/nar/${large.digits}.nar`, large.nar as BodyInit))[0]).toBe(507);
    expect((await fetch(`${daemon.url}/healthz`)).status).toBe(503);
    await disk.empty();
    await expect.poll(async () => (await fetch(`${daemon.url}/healthz`)).status, { timeout: 5000 }).toBe(200);
    await upload(daemon.url, large);
  });

  test.each(["full", "read-only", "full of files"])(
    "a store on a disk that is %s is opened for reading",
    async (why) => {
      const disk = await smallDisk();
      const data = join(disk.path, "data");
      const file = join(disk.path, "file");
      await writeFile(file, "contents");
      const { stdout } = await tvixStore("import", file, "--data", data);
      const digest = (await tvixStore("castore", "ingest", file, "--data", data)).stdout.trim();
      if (why === "full") await disk.fill(0);
      else if (why === "full of files") await disk.fillWithFiles();
      else execFileSync("mount", ["-o", "remount,ro", disk.path]);
      const read = await tvixStore("castore", "cat", digest, "--data", data);
      expect([read.status, read.stdout]).toEqual([0, "contents"]);
      expect(read.stderr).toMatch(/the disk of the store is (full|read-only), it is opened for reading\n$/);
      const daemon = await startDaemon(data);
      expect((await tvixStore("nar", "dump", stdout.trim(), ...daemon.options)).stdout).toContain("contents");
      expect((await fetch(`${daemon.url}/healthz`)).status).toBe(503);
      const one = await smallSample("other");
      const [status, text] = await put(`${daemon.url}/nar/${one.digits}.nar`, one.nar as BodyInit);
      expect([507, 503]).toContain(status);
      expect(text).not.toContain(data);
      expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
      if (why === "read-only") return;
      await (why === "full" ? disk.empty() : disk.removeFiles());
      const again = await startDaemon(data);
      expect(await put(`${again.url}/nar/${one.digits}.nar`, one.nar as BodyInit)).toEqual([200, ""]);
    },
  );

  test("a daemon that nobody writes to says that it is well again", async () => {
    const disk = await smallDisk();
    const daemon = await startDaemon(join(disk.path, "data"));
    await disk.fill(100_000);
    const files = join(await temporaryDirectory(), "files");
    await mkdir(files);
    for (let index = 0; index < 500; index++) {
      await writeFile(join(files, String(index)), noise(700, index));
    }
    expect((await tvixStore("castore", "ingest", files, ...daemon.options)).status).toBe(1);
    await disk.empty();
    await expect.poll(async () => (await fetch(`${daemon.url}/healthz`)).status, { timeout: 5000 }).toBe(200);
    expect((await tvixStore("castore", "ingest", files, ...daemon.options)).status).toBe(0);
  });
});
