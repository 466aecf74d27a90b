import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fixtures } from "@tvix/castore/testing";
import { LocalMaintenance, ScheduledScrubs } from "@tvix/server";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { fill, opened } from "./stored-path.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

const DAY_MS = 86_400_000;

test("a part a day: after the period all of it has been read once, through restarts", async () => {
  const path = await temporaryDirectory();
  let open = await opened(path);
  await fill(open.services);
  let read = 0;
  for (let day = 1000; day < 1005; day++) {
    const maintenance = new LocalMaintenance(open.store, open.services, { collection: { graceMs: 0 } });
    const verify: LocalMaintenance["verify"] = async (request) => {
      const result = await maintenance.verify(request);
      read += result.bytesRead;
      return result;
    };
    const options = { periodMs: 5 * DAY_MS, bytesPerSecond: 1e9 };
    const scrubs = new ScheduledScrubs(
      { verify },
      open.store.database,
      options,
      pino({ enabled: false }),
      day * DAY_MS,
    );
    onTestFinished(() => scrubs.close());
    await scrubs.look(day * DAY_MS);
    await scrubs.look(day * DAY_MS + DAY_MS / 2);
    await scrubs.close();
    await open.store.close();
    open = await opened(path);
  }
  expect(read).toBe(1_500_000 + 5000 + 6);
});

test("a daemon writes into its log what is damaged", { timeout: 60_000 }, async () => {
  const base = await temporaryDirectory();
  const data = join(base, "data");
  await writeFile(join(base, "file"), fixtures.pseudoRandomBytes(100_000, 8));
  await tvixStore("import", join(base, "file"), "--data", data);
  const pack = join(data, "packs", (await readdir(join(data, "packs")))[0] as string);
  const bytes = await readFile(pack);
  bytes[5000] = (bytes[5000] as number) ^ 1;
  await writeFile(pack, bytes);
  const daemon = await startDaemon(data, "--scrub-rate", "100", "--scrub-period", "1h");
  await expect.poll(daemon.log, { timeout: 10_000 }).toContain("looked through a part of the store");
  expect(daemon.log()).toMatch(/"subject":"chunk".*something is wrong with what is stored/);
});
