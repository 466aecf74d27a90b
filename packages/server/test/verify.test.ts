import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { B3Digest } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { LocalMaintenance } from "@tvix/server";
import type { StoreFault } from "@tvix/store/verify";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { fill, LONG, type OpenFolder, opened, PATH } from "./stored-path.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

const { pseudoRandomBytes } = fixtures;

async function faultsOf({ store, services }: OpenFolder): Promise<StoreFault[]> {
  const faults: StoreFault[] = [];
  const onFault = (fault: StoreFault) => void faults.push(fault);
  const result = await new LocalMaintenance(store, services, { collection: { graceMs: 0 } }).verify({
    data: "all",
    onFault,
  });
  expect(result.faults).toBe(faults.length);
  expect(result.paths).toBe(1);
  return faults;
}

test("a store in order has no faults, and all of it was looked at", async () => {
  const open = await opened(await temporaryDirectory());
  await fill(open.services);
  expect(await faultsOf(open)).toEqual([]);
  const maintenance = new LocalMaintenance(open.store, open.services, { collection: { graceMs: 0 } });
  const all = await maintenance.verify({ data: "all" });
  expect(all).toMatchObject({ directories: 2, blobs: 1, faults: 0, bytesRead: LONG.length + 5000 + 6 });
  expect(await maintenance.verify()).toMatchObject({ bytesRead: 0, chunks: all.chunks });
  const parts = await Promise.all([1, 2, 3].map((part) => maintenance.verify({ data: { part, of: 3 } })));
  expect(parts.reduce((sum, { bytesRead }) => sum + bytesRead, 0)).toBe(all.bytesRead);
});

test("one bit anywhere in a record is found, and the path that lacks it is named", {
  timeout: 60_000,
}, async () => {
  const open = await opened(await temporaryDirectory());
  await fill(open.services);
  const { database } = open.store;
  await open.services.usage.flush();
  const records = await Array.fromAsync(database.entries({ prefix: new Uint8Array(0) }));
  let tried = 0;
  for (const [key, value] of records) {
    const table = Buffer.from(key.subarray(0, 2)).toString("latin1");
    // Facts about the whole are checked when it is opened; what is derived can be had again.
    if (table === "m1" || table.startsWith("~")) continue;
    for (const at of [0, value.length >> 1, value.length - 1]) {
      tried++;
      const damaged = value.slice();
      damaged[at] = (damaged[at] as number) ^ 0x10;
      await database.write([{ type: "put", key, value: damaged }]);
      const faults = await faultsOf(open);
      expect(faults.length, `${table}, byte ${at}`).toBeGreaterThan(0);
      const isOfPath = table === "c1" || table === "d1" || table === "b1";
      expect(faults.some(({ of }) => of === PATH.toAbsolute())).toBe(isOfPath);
      await database.write([{ type: "put", key, value }]);
      await fill(open.services);
      expect(await faultsOf(open)).toEqual([]);
    }
    // As is one that is missing, unless nothing refers to it.
    if (table === "p1" || table === "h1") continue;
    await database.write([{ type: "del", key }]);
    const kinds = (await faultsOf(open)).map(({ kind, of }) => `${kind} ${of}`);
    expect(kinds).toContainEqual(expect.stringMatching(/^(missing|damaged) \/nix\/store/));
    await database.write([{ type: "put", key, value }]);
  }
  expect(tried).toBeGreaterThan(30);
});

test("every pack that is cut, changed or removed is found; stored again all is in order", {
  timeout: 60_000,
}, async () => {
  const path = await temporaryDirectory();
  {
    const { store, services } = await opened(path);
    await fill(services);
    await store.close();
  }
  const packs = (await readdir(join(path, "packs"))).map((name) => join(path, "packs", name));
  expect(packs.length).toBeGreaterThan(0);
  for (const pack of packs) {
    for (const damage of [
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 1),
      (bytes: Buffer) => bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte)),
      undefined,
    ]) {
      const bytes = await readFile(pack).catch(() => undefined);
      // It was written anew, elsewhere.
      if (bytes === undefined) continue;
      if (damage === undefined) await rm(pack);
      else await writeFile(pack, damage(bytes));
      const open = await opened(path);
      const faults = await faultsOf(open);
      expect(faults.map(({ of }) => of)).toContain(PATH.toAbsolute());
      expect(faults.map(({ subject }) => subject)).toContain("chunk");
      await fill(open.services);
      expect(await faultsOf(open)).toEqual([]);
      await open.store.close();
    }
  }
});

test("on the command line, and through a daemon for who may", { timeout: 60_000 }, async () => {
  const base = await temporaryDirectory();
  const data = join(base, "data");
  await writeFile(join(base, "file"), pseudoRandomBytes(100_000, 8));
  const imported = await tvixStore("import", join(base, "file"), "--data", data);
  const path = imported.stdout.trim();
  const fine = await tvixStore("verify", "--read-data", "--data", data);
  expect(fine).toEqual({
    status: 0,
    stdout: "",
    stderr: "looked at 1 paths, 0 directories, 0 long blobs, 1 chunks, read 0.1 MiB: nothing is wrong\n",
  });
  const pack = join(data, "packs", "0000000001.pack");
  const bytes = await readFile(pack);
  bytes[5000] = (bytes[5000] as number) ^ 1;
  await writeFile(pack, bytes);
  expect((await tvixStore("verify", "--data", data)).status).toBe(0);

  const tokens = join(base, "tokens.json");
  const token = await tvixStore("token", "create", "--scope", "admin", "--token-file", tokens);
  await writeFile(join(base, "token"), token.stdout);
  const daemon = await startDaemon(data, "--token-file", tokens);
  const address = ["--service-addr", `grpc+${daemon.url}`];
  const refused = await tvixStore("verify", ...address);
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining("admin") });
  const admin = [...address, "--bearer-token-file", join(base, "token")];
  const found = await tvixStore("verify", "--read-data-subset", "1/1", "--json", ...admin);
  expect(found.status).toBe(1);
  const lines = found.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const digest = B3Digest.of(pseudoRandomBytes(100_000, 8)).toString();
  expect(lines).toMatchObject([
    { subject: "chunk", name: digest, kind: "damaged" },
    { of: path, kind: "damaged" },
    { faults: 2, chunks: 1, paths: 1 },
  ]);
  for (const wrong of ["0/3", "4/3", "0%", "101%", "x"]) {
    expect((await tvixStore("verify", "--read-data-subset", wrong, ...admin)).status).toBe(2);
  }
});
