import { join } from "node:path";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { openStore } from "@tvix/castore-packs";
import { NixHash, StorePath } from "@tvix/nix-compat";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import { RecordPathInfoService } from "@tvix/store/records";
import { fixtures } from "@tvix/store/testing";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { peakMemory, startDaemon } from "./tvix-store.ts";

/** Path infos in the test of a long list. */
const MANY = 100_000;

test(`a list of ${MANY} streams in flat memory, and can be left`, { timeout: 240_000 }, async () => {
  const data = join(await temporaryDirectory(), "data");
  const store = await openStore(data, { sync: false });
  const infos = new RecordPathInfoService(store.database);
  const digest = new Uint8Array(20);
  const signature = fixtures.fullPathInfo(0).signatures;
  for (let start = 0; start < MANY; start += 10_000) {
    await Promise.all(
      Array.from({ length: 10_000 }, async (_, index) => {
        const own = digest.slice();
        new DataView(own.buffer).setUint32(0, start + index);
        const storePath = StorePath.from(own, `one-of-many-${start + index}`);
        const narHash = NixHash.from("sha256", new Uint8Array(32));
        await infos.put({ ...fixtures.PATH_INFO_SYMLINK, storePath, narHash, signatures: signature });
      }),
    );
  }
  await store.close();

  const daemon = await startDaemon(data);
  await using transport = createGrpcTransport({ url: daemon.url });
  const service = new GrpcPathInfoService(transport);
  // The first path is used to warm up.
  for (let warm = 0; warm < 5; warm++) for await (const _ of service.list()) break;
  const before = peakMemory(daemon);
  let listed = 0;
  for await (const _ of service.list()) listed++;
  expect(listed).toBe(MANY);
  const grown = peakMemory(daemon) - before;
  console.log(`memory of the daemon for a list of ${MANY}: ${grown.toFixed(1)} MiB`);
  // Garbage of V8 mostly: all of the list would be several times as much.
  expect(grown).toBeLessThan(128);
  const controller = new AbortController();
  const reading = (async () => {
    for await (const _ of service.list({ signal: controller.signal })) controller.abort(new Error("enough"));
  })();
  await expect(reading).rejects.toThrow("enough");
});
