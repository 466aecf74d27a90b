import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StorePath } from "@tvix/nix-compat";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { narInfoOf, narInfoUrl, put, smallSample } from "../../packages/nar-bridge/test/samples.ts";
import { endDaemon, startDaemon, tvixStore } from "../../packages/server/test/tvix-store.ts";
import { type Engines, NO_ENGINES, startEngines } from "../engines/shared-store.ts";
import { temporaryDirectory } from "../temporary.ts";

if (NO_ENGINES !== undefined) console.warn(`skipped: ${NO_ENGINES}`);

describe.skipIf(NO_ENGINES !== undefined)("migration", () => {
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines();
  });
  afterAll(async () => await engines?.[Symbol.asyncDispose]());

  const migrate = async (from: string, to: string) => {
    const { status, stdout, stderr } = await tvixStore("migrate", "--from", from, "--to", to, "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return JSON.parse(stdout) as Record<string, number>;
  };

  test("a data directory becomes a cluster, and a cluster a data directory, with all that is in it", async () => {
    const base = await temporaryDirectory();
    const [data, again] = [join(base, "data"), join(base, "again")];
    const source = join(base, "source");
    await mkdir(source);
    for (let file = 0; file < 200; file++)
      await writeFile(join(source, `${file}`), `${file} `.repeat(10 * file));
    const paths: string[] = [];
    for (const name of ["0", "150", "."]) {
      const from = name === "." ? source : join(source, name);
      const imported = await tvixStore("import", from, "--data", data, "--json");
      const path = /\/nix\/store\/[\w.+-]+/.exec(imported.stdout)?.[0];
      if (path === undefined) throw new Error(imported.stderr);
      paths.push(path);
    }
    const log = "a log of a build\n".repeat(1000);
    const daemon = await startDaemon(data);
    const sample = await smallSample("with a log");
    await put(`${daemon.url}/nar/${sample.digits}.nar`, sample.nar as BodyInit);
    expect((await put(narInfoUrl(daemon.url, sample), narInfoOf(sample)))[0]).toBe(200);
    const drv = "log/0c0z1m3ysf24hnyvwy3cvmpkv4hj9y6y-a.drv";
    expect((await put(`${daemon.url}/${drv}`, log))[0]).toBe(200);
    await endDaemon(daemon, "SIGTERM");
    const { stdout: digest } = await tvixStore("castore", "ingest", source, "--data", data);
    for (const pinned of [`directory:${digest.trim()}`, paths[0] as string]) {
      const pin = await tvixStore("pin", `pin/${pinned.length}`, pinned, "--data", data);
      expect(pin).toMatchObject({ status: 0 });
    }

    const { records, extents } = engines.freshAddresses();
    const cluster = `${records}&extents=${encodeURIComponent(extents)}`;
    const counts = { paths: 4, pins: 2, sideFiles: 1 };
    expect(await migrate(`level://${data}`, cluster)).toMatchObject({ ...counts, copiedPaths: 4 });
    expect(await migrate(`level://${data}`, cluster)).toMatchObject({
      paths: 4,
      copiedPaths: 0,
      sideFiles: 0,
    });
    expect(await migrate(cluster, `level://${again}`)).toMatchObject({ ...counts, copiedPaths: 4 });

    const other = await startDaemon(join(base, "near"), "--records", records, "--extents", extents);
    const third = await startDaemon(again);
    for (const { url, options } of [other, third]) {
      expect(await (await fetch(`${url}/${drv}`)).text()).toBe(log);
      expect((await fetch(narInfoUrl(url, sample))).status).toBe(200);
      for (const path of paths) {
        const hash = StorePath.fromAbsolute(path).toString().slice(0, 32);
        expect((await fetch(`${url}/${hash}.narinfo`)).status).toBe(200);
      }
      const restored = join(base, `restored-${new URL(url).port}`);
      expect(await tvixStore("castore", "restore", digest.trim(), restored, ...options)).toMatchObject({
        status: 0,
      });
      expect(await readFile(join(restored, "150"), "utf8")).toBe("150 ".repeat(1500));
      const pins = await tvixStore("pins", "--json", "--service-addr", `grpc+${url}`);
      expect(pins.stdout.trim().split("\n")).toHaveLength(2);
    }
  });

  test("a server that serves is copied from; what it does not tell is said", async () => {
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
    const sample = await smallSample("online");
    await put(`${daemon.url}/nar/${sample.digits}.nar`, sample.nar as BodyInit);
    await put(narInfoUrl(daemon.url, sample), narInfoOf(sample));
    const { records } = engines.freshAddresses();
    const done = await tvixStore("migrate", "--from", `grpc+${daemon.url}`, "--to", records);
    expect(done).toMatchObject({ status: 0, stderr: expect.stringContaining("copied 1 of 1 paths") });
    expect(done.stderr).toContain("pins, logs and what narinfos say besides were left out");
    const same = await tvixStore("migrate", "--from", records, "--to", records);
    expect(same.status).toBe(2);
  });
});
