import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { NixHash } from "@tvix/nix-compat";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { storeDoubling } from "./doubling-tree.ts";
import { fill, LONG, PATH } from "./stored-path.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";
import { overHttp2, wholeServer } from "./whole-server.ts";

test("a store path can be looked into over HTTP/1.1 and HTTP/2", async () => {
  const { services, url, logged } = await wholeServer();
  await fill(services);
  const base = `/serve/${PATH}`;
  expect(await (await fetch(`${url}${base}/inner/short`)).text()).toBe("short\n");
  expect(await overHttp2(url, `${base}/inner/short`)).toEqual({ status: 200, body: "short\n" });
  const part = await fetch(`${url}${base}/inner/long`, { headers: { range: "bytes=700000-700009" } });
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(LONG.slice(700_000, 700_010));
  const listing = await fetch(`${url}${base}/`, { headers: { accept: "application/json" } });
  const { entries, digest } = (await listing.json()) as { entries: { name: string }[]; digest: string };
  expect(entries.map(({ name }) => name)).toEqual(["inner", "run"]);
  const byDigest = await fetch(`${url}/castore/${encodeURIComponent(digest)}/inner/short`);
  expect(await byDigest.text()).toBe("short\n");
  // A name that is not UTF-8 goes the same way, and is not found.
  for (const name of ["nope", "%FF"]) {
    expect((await fetch(`${url}${base}/${name}`)).status).toBe(404);
    expect((await overHttp2(url, `${base}/${name}`)).status).toBe(404);
  }
  expect(logged()).toBe("");
});

test("where reading needs a token, looking does as well", async () => {
  const { services, url } = await wholeServer({ access: { open: { reads: false, writes: false } } });
  await fill(services);
  for (const path of [`/serve/${PATH}/run`, `/serve/${PATH}.tar`, "/castore/nonsense"]) {
    expect((await fetch(`${url}${path}`)).status).toBe(401);
    expect((await overHttp2(url, path)).status).toBe(401);
  }
});

test("an archive of a tree that would never end is refused, while others are answered", async () => {
  const { services, url } = await wholeServer();
  const { digest } = await storeDoubling(services, 50);
  const refused = await fetch(`${url}/castore/${digest.toHex()}.zip`, { method: "HEAD" });
  expect(refused.status).toBe(413);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("a path whose NAR would never end is refused in each form, while others are answered", async () => {
  const { services, url } = await wholeServer();
  const node = await storeDoubling(services, 50);
  await services.pathInfoService.put({
    storePath: PATH,
    // Whoever tells of a path may say anything of its size.
    node: { ...node, size: 2n },
    references: [],
    narSize: 1000,
    narHash: NixHash.from("sha256", new Uint8Array(32)),
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  });
  for (const name of [`${PATH.digestText()}.narinfo`, `${PATH.digestText()}.ls`, `serve/${PATH}.tar`]) {
    expect([name, (await fetch(`${url}/${name}`)).status]).toEqual([name, 413]);
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("the command line takes in tar archives, and writes tar and zip", async () => {
  const folder = await temporaryDirectory();
  const daemon = await startDaemon(join(folder, "data"));
  const archive = join(folder, "test.tar");
  execFileSync("tar", ["-c", "-f", archive, "-C", import.meta.dirname, "fixtures", "tvix-store.ts"]);
  const run = async (...args: string[]) => {
    const finished = await tvixStore("castore", ...args, ...daemon.options);
    expect(finished).toMatchObject({ status: 0, stderr: "" });
    return finished.stdout.trim();
  };
  const digest = await run("ingest", "--format", "tar", archive);
  await run("restore", digest, join(folder, "restored"));
  expect(await run("ingest", join(folder, "restored"))).toBe(digest);
  await run("restore", digest, join(folder, "again.tar"), "--format", "tar");
  expect(await run("ingest", "--format", "tar", join(folder, "again.tar"))).toBe(digest);
  await run("restore", digest, join(folder, "a.zip"), "--format", "zip");
  // What is in it the tests of the archives look at.
  expect((await readFile(join(folder, "a.zip"))).subarray(0, 4).toString("latin1")).toBe("PK\x03\x04");
  const again = await tvixStore(
    "castore",
    "restore",
    digest,
    join(folder, "a.zip"),
    "--format",
    "zip",
    ...daemon.options,
  );
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining("is there already") });
  const noArchive = await tvixStore(
    "castore",
    "ingest",
    "--format",
    "tar",
    import.meta.filename,
    ...daemon.options,
  );
  expect(noArchive).toMatchObject({ status: 1, stderr: expect.stringContaining("not a tar archive") });
});
