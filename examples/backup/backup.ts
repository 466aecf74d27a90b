import { B3Digest } from "@tvix/castore";
import { ingest, restore } from "@tvix/castore-fs";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";

const [command, what = "", destination = ""] = process.argv.slice(2);

await using transport = createGrpcTransport({ url: process.env["STORE"] ?? "http://localhost:8000" });
const services = {
  blobService: new GrpcBlobService(transport),
  directoryService: new GrpcDirectoryService(transport),
};

if (command === "save") {
  const root = await ingest(what, services);
  if (root.type !== "directory") throw new Error(`${what} is no directory`);
  console.log(`${root.digest}`);
} else if (command === "load") {
  const digest = B3Digest.parse(what);
  const directory = await services.directoryService.get(digest);
  if (directory === undefined) throw new Error(`${digest} is not in the store`);
  await restore({ type: "directory", digest, size: directory.size() }, destination, services);
} else {
  console.error("usage: backup.ts save DIRECTORY | load DIGEST DESTINATION");
  process.exitCode = 2;
}
