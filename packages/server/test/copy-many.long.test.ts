import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport as createOwnTransport } from "@tvix/castore-grpc/http2";
import type { Services } from "@tvix/server";
import { copyPaths } from "@tvix/store";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import { expect, onTestFinished, test } from "vitest";
import { addClosure, contentsOf } from "./copied-closure.ts";
import { wholeServer } from "./whole-server.ts";

/** The services of a server, over sockets. */
function servicesAt(url: string): Services {
  const transport = createOwnTransport({ url });
  onTestFinished(() => transport.close());
  const pathInfoService = new GrpcPathInfoService(transport);
  return {
    blobService: new GrpcBlobService(transport),
    directoryService: new GrpcDirectoryService(transport),
    pathInfoService,
    narCalculationService: pathInfoService,
  };
}

test("1,000 paths from one server to another; interrupted and run again, and changed a little", async () => {
  const [from, to] = [await wholeServer(), await wholeServer()];
  const first = await addClosure(from.services, 1000, 1);
  const [source, destination] = [servicesAt(from.url), servicesAt(to.url)];
  const leaving = new AbortController();
  const interrupted = copyPaths([first], source, destination, {
    signal: leaving.signal,
    onProgress: ({ copiedPaths }) => copiedPaths === 300 && leaving.abort(new Error("interrupted")),
  });
  await expect(interrupted).rejects.toThrow("interrupted");
  const before = (await Array.fromAsync(to.services.pathInfoService.list())).length;
  expect(before).toBeGreaterThanOrEqual(300);
  expect(before).toBeLessThan(1000);
  const rest = await copyPaths([first], source, destination);
  expect(rest).toMatchObject({ paths: 1000, copiedPaths: 1000 - before });

  const second = await addClosure(from.services, 1000, 2);
  const changed = await copyPaths([second], source, destination);
  expect(changed).toMatchObject({ paths: 1000, copiedPaths: 1000 });
  const newTexts = Array.from({ length: 100 }, (_, index) => contentsOf(index * 10, 2).length);
  const newBytes = newTexts.reduce((sum, length) => sum + length);
  // The texts that have changed, and of 6 MB the chunks around the change.
  expect(changed.sentBytes).toBeGreaterThan(newBytes);
  expect(changed.sentBytes).toBeLessThan(newBytes + 2 * 512 * 1024);
  const copied = await to.services.pathInfoService.get(second.storePath.digest);
  expect(copied?.references.map(String)).toEqual(second.references.map(String));
}, 120_000);
