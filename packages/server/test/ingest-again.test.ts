import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fixtures } from "@tvix/castore/testing";
import { expect, onTestFinished, test } from "vitest";
import { startProxy } from "../../../test/engines/proxy.ts";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";

const { pseudoRandomBytes } = fixtures;

/** 300 short files and three of several chunks: 9 MB that do not compress. */
async function someTree(): Promise<string> {
  const root = join(await temporaryDirectory(), "tree");
  for (let index = 0; index < 300; index++) {
    const folder = join(root, `${index % 10}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${index}`), pseudoRandomBytes(10_000, index));
  }
  for (let index = 0; index < 3; index++)
    await writeFile(join(root, `long-${index}`), pseudoRandomBytes(2_000_000, 1000 + index));
  return root;
}

test("through a daemon, what is there travels no second time, and what it has lost does", async () => {
  const root = await someTree();
  const data = join(await temporaryDirectory(), "data");
  let daemon = await startDaemon(data);
  const throughProxy = async (...args: string[]) => {
    await using proxy = await startProxy(Number(new URL(daemon.url).port));
    const result = await tvixStore(...args, "--service-addr", `grpc+http://127.0.0.1:${proxy.port}`);
    expect(result).toMatchObject({ status: 0, stderr: "" });
    return { stdout: result.stdout, sent: proxy.bytes.sent };
  };
  const first = await throughProxy("castore", "ingest", root);
  expect(first.sent).toBeGreaterThan(9_000_000);
  const again = await throughProxy("castore", "ingest", root);
  expect(again.stdout).toBe(first.stdout);
  // Digests, directories, and what connections cost.
  expect(again.sent).toBeLessThan(200_000);
  await writeFile(join(root, "0", "0"), "another text");
  await writeFile(join(root, "long-1"), pseudoRandomBytes(2_000_000, 2000));
  const changed = await throughProxy("import", root);
  expect(changed.sent).toBeGreaterThan(2_000_000);
  expect(changed.sent).toBeLessThan(2_200_000);

  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
  for (const pack of await readdir(join(data, "packs"))) await rm(join(data, "packs", pack));
  daemon = await startDaemon(data);
  const lost = await throughProxy("castore", "ingest", root);
  expect(lost.sent).toBeGreaterThan(9_000_000);
  const out = join(await temporaryDirectory(), "out");
  onTestFinished(() => rm(out, { recursive: true, force: true }));
  await throughProxy("castore", "restore", lost.stdout.trim(), out);
  expect((await throughProxy("castore", "ingest", out)).stdout).toBe(lost.stdout);
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
});
