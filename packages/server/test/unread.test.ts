import { once } from "node:events";
import { connect, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { ByteBudget } from "@tvix/castore";
import { expect, onTestFinished, test } from "vitest";
import { StreamBytes } from "../src/admission/stream-bytes.ts";
import { beginCall, over } from "./raw-http2.ts";

const KIB = 1024;

/** A server that reads nothing, and counts what comes; a client that sends 60 KiB in each of so many streams. */
async function sendUnread(streams: number, budget: ByteBudget) {
  const taken: ServerHttp2Stream[] = [];
  const server = createServer().on("stream", (stream) => {
    taken.push(stream.on("error", () => {}));
    new StreamBytes(stream, budget);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    session.destroy();
    server.close();
  });
  // Only the window of the connection would hold them back.
  server.on("session", (opened) => opened.setLocalWindowSize(8 << 20));
  const sent = Array.from({ length: streams }, () => beginCall(session, "/x").resume());
  for (const stream of sent) stream.write(Buffer.alloc(60 * KIB));
  return { session, sent, taken };
}

test("what has come and is not read is bounded for all streams together", async () => {
  const budget = new ByteBudget(8 * 64 * KIB);
  const { sent, taken } = await sendUnread(12, budget);
  const reset = () => sent.filter(({ rstCode, destroyed }) => destroyed && rstCode === 11).length;
  await expect.poll(() => taken.length).toBe(12);
  // All have a place for 64 KiB each, but four.
  await expect.poll(reset).toBe(4);
  for (const stream of sent) stream.close();
  await Promise.all(sent.map(over));
  await expect.poll(() => budget.tryAcquire(8 * 64 * KIB)).toBe(true);
});

test("streams that are short, or are read, take nothing of it", async () => {
  const budget = new ByteBudget(64 * KIB);
  const { sent, taken } = await sendUnread(1, budget);
  await expect.poll(() => taken.length).toBe(1);
  let read = 0;
  taken[0]?.on("data", ({ length }: Buffer) => {
    read += length;
  });
  for (let count = 0; count < 50; count++) {
    sent[0]?.write(Buffer.alloc(60 * KIB));
  }
  await expect.poll(() => read).toBe(51 * 60 * KIB);
  expect(sent[0]?.destroyed).toBe(false);
});
