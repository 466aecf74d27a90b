import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { fixtures } from "@tvix/castore/testing";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { noise, put, sample } from "../../nar-bridge/test/samples.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

const MIB = 1 << 20;

/** A NAR with one file that does not compress. */
async function narOf(bytes: number, seed: number) {
  const contents = noise(bytes, seed);
  return await sample([{ type: "file", name: new Uint8Array(0), executable: false, size: bytes, contents }]);
}

test("a store that takes as much as it may refuses whatever comes, at every door; reads go on; room makes it well", {
  timeout: 120_000,
}, async () => {
  const base = await temporaryDirectory();
  const tokens = join(base, "tokens.json");
  const token = await tvixStore("token", "create", "--scope", "admin", "--token-file", tokens);
  await writeFile(join(base, "token"), token.stdout);
  const authorization = { authorization: `Bearer ${token.stdout.trim()}` };
  const daemon = await startDaemon(join(base, "data"), "--max-disk-use", "12", "--token-file", tokens);
  const address = ["--service-addr", `grpc+${daemon.url}`, "--bearer-token-file", join(base, "token")];
  const addFile = async (name: string, bytes: number) => {
    await writeFile(join(base, name), randomBytes(bytes));
    return await tvixStore("import", join(base, name), ...address);
  };
  const kept = (await addFile("kept", MIB)).stdout.trim();

  const paths: string[] = [];
  let refused = await addFile("file-1", 2 * MIB);
  for (let seed = 3; refused.status === 0 && seed < 30; seed++) {
    paths.push(refused.stdout.trim());
    refused = await addFile(`file-${seed}`, 2 * MIB);
  }
  expect(refused).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("as much of the disk as it may"),
  });
  expect(paths.length).toBeGreaterThan(2);

  // Every door, chunks of every length, and a tree of what is there already.
  const transport = createGrpcTransport({ baseUrl: daemon.url, nodeOptions: {} });
  const blobs = createClient(BlobService, transport);
  for (const size of [0, 100, 50_000, 2 * MIB]) {
    const call = blobs.put(
      (async function* () {
        yield { data: fixtures.pseudoRandomBytes(size, 99) as Uint8Array<ArrayBuffer> };
      })(),
      { headers: authorization },
    );
    if (size === 0) await call;
    else await expect(call, `${size}`).rejects.toMatchObject({ code: Code.ResourceExhausted });
  }
  const nar = await narOf(100_000, 77);
  const [status, text] = await put(`${daemon.url}/nar/${nar.digits}.nar`, nar.nar as BodyInit, authorization);
  expect([status, text]).toEqual([507, expect.stringContaining("no space is left")]);
  const [logStatus] = await put(
    `${daemon.url}/log/00000000000000000000000000000000-x.drv`,
    "log",
    authorization,
  );
  expect(logStatus).toBe(507);
  await mkdir(join(base, "tree"));
  expect((await tvixStore("castore", "ingest", join(base, "tree"), ...address)).status).toBe(1);

  // What is there is read, and the daemon is in health.
  expect((await tvixStore("nar", "dump", kept, ...address)).status).toBe(0);
  expect((await fetch(`${daemon.url}/healthz`)).status).toBe(200);

  // Room is made, without a restart.
  expect((await tvixStore("pin", "kept", kept, ...address)).status).toBe(0);
  // More than what was refused in the middle may have left behind, which takes room until it is collected.
  for (const path of paths.slice(0, 2)) {
    const forgotten = await tvixStore("forget", path, ...address);
    expect(forgotten, forgotten.stderr).toMatchObject({ status: 0 });
  }
  const again = await addFile("again", MIB);
  expect(again, again.stderr).toMatchObject({ status: 0 });
});
