import { connect } from "node:http2";
import { MemoryLedger } from "@tvix/castore";
import { expect, onTestFinished, test } from "vitest";
import { beginCall, framed } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

test("what has come and is not read is bounded for all streams; those within go on", async () => {
  const memory = new MemoryLedger(1 << 20, { waitMs: 60_000 });
  const server = await runningServer({ memory });
  onTestFinished(server.close);
  const held = await memory.hold(1 << 20, "a test");
  const field = Buffer.concat([Buffer.from([0x0a, 0x80, 0x80, 0x20]), Buffer.alloc(512 << 10)]);
  // Each stream may send 128 KiB ahead, and all together 64 MiB; puts wait for memory, and read nothing.
  const sessions = Array.from({ length: 8 }, () => connect(server.url));
  onTestFinished(() => sessions.forEach((session) => void session.destroy()));
  const puts = sessions.flatMap((session) =>
    Array.from({ length: 200 }, () => beginCall(session, "/tvix.castore.v1.BlobService/Put").resume()),
  );
  for (const put of puts) put.write(framed(field));
  const reset = () => puts.filter(({ rstCode, destroyed }) => destroyed && rstCode === 11).length;
  await expect.poll(reset).toBeGreaterThan(0);
  held.release();
  const goOn = puts.filter(({ destroyed }) => !destroyed);
  expect(goOn.length).toBeGreaterThan(60);
  const statuses = goOn.map(
    (put) =>
      new Promise<string>((resolve) => {
        put.once("trailers", (trailers) => resolve(String(trailers["grpc-status"])));
        put.once("response", (headers) => resolve(String(headers["grpc-status"] ?? "pending")));
        put.once("close", () => resolve("closed"));
        put.end();
      }),
  );
  const ended = await Promise.all(statuses);
  expect(ended.filter((status) => status === "0" || status === "pending").length).toBeGreaterThan(60);
});
