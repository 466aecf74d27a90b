import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ReadTurns } from "../src/admission/read-turns.ts";
import { StreamBytes } from "../src/admission/stream-bytes.ts";
import { UnreadBytes } from "../src/admission/unread-bytes.ts";
import { beginCall, over } from "./raw-http2.ts";

const KIB = 1024;

/** A server that reads nothing, and counts what comes; a client that sends 60 KiB in each of so many streams. */
async function sendUnread(streams: number, unread: UnreadBytes) {
  const taken: ServerHttp2Stream[] = [];
  const server = createServer().on("stream", (stream) => {
    taken.push(stream.on("error", () => {}));
    new StreamBytes(stream, { unread, reads: new ReadTurns() });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    session.destroy();
    server.close();
  });
  // Only the windows would hold them back, which are those of HTTP/2 until it is told otherwise.
  server.on("session", (opened) => opened.setLocalWindowSize(8 << 20));
  const sent = Array.from({ length: streams }, () => beginCall(session, "/x").resume());
  for (const stream of sent) stream.write(Buffer.alloc(60 * KIB));
  return { session, sent, taken };
}

test("what has come and is not read is bounded for all streams together", async () => {
  const unread = new UnreadBytes(8 * 48 * KIB);
  const { sent, taken } = await sendUnread(12, unread);
  const reset = () => sent.filter(({ rstCode, destroyed }) => destroyed && rstCode === 11).length;
  await expect.poll(() => taken.length).toBe(12);
  // All have a place for what they have beyond 16 KiB, but four.
  await expect.poll(reset).toBe(4);
  for (const stream of sent) stream.close();
  await Promise.all(sent.map(over));
  await expect.poll(() => unread.tryHold(8 * 48 * KIB)).toBe(true);
});

test("streams that are short, or are read, take nothing of it", async () => {
  const unread = new UnreadBytes(64 * KIB);
  const { sent, taken } = await sendUnread(1, unread);
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

test("what is read gives back what it held", async () => {
  const unread = new UnreadBytes(48 * KIB);
  const { sent, taken } = await sendUnread(1, unread);
  await expect.poll(() => taken[0]?.readableLength).toBe(60 * KIB);
  expect(unread.tryHold(1)).toBe(false);
  taken[0]?.read();
  sent[0]?.write(Buffer.alloc(KIB));
  await expect.poll(() => taken[0]?.readableLength).toBe(KIB);
  expect(unread.tryHold(48 * KIB)).toBe(true);
});

test("a piece that came together with much else is copied, and every piece where there are many streams", async () => {
  const few = await sendUnread(2, new UnreadBytes(KIB * KIB));
  await expect.poll(() => few.taken[1]?.readableLength).toBe(60 * KIB);
  for (const stream of few.taken) stream.read();
  few.sent[0]?.write(Buffer.alloc(2 * KIB));
  few.sent[1]?.write(Buffer.alloc(60 * KIB));
  await expect.poll(() => few.taken[0]?.readableLength).toBe(2 * KIB);
  const piece = few.taken[0]?.read() as Buffer;
  expect(piece.buffer.byteLength).toBe(piece.length);

  const many = await sendUnread(65, new UnreadBytes(65 * 64 * KIB));
  await expect.poll(() => many.taken.length).toBe(65);
  const last = many.taken[64] as ServerHttp2Stream;
  await expect.poll(() => last.readableLength).toBe(60 * KIB);
  const pieces: Buffer[] = [];
  last.on("data", (arrived: Buffer) => pieces.push(arrived));
  await expect.poll(() => pieces.length).toBeGreaterThan(3);
  for (const { buffer, length } of pieces) expect(buffer.byteLength).toBe(length);
});

/** A server that tells its clients how much they may send ahead; each call connects to it. */
async function startSharing(unread: UnreadBytes, seen?: () => void): Promise<() => ClientHttp2Session> {
  const server = createServer()
    .on("session", (session) => unread.addConnection(session))
    .on("stream", (stream) => {
      new StreamBytes(stream, { unread, reads: new ReadTurns() });
      stream.on("error", () => {});
      seen?.();
    });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return () => {
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => session.destroy());
    return session;
  };
}

test("clients send less ahead the more streams and connections there are, and more again afterwards", async () => {
  const unread = new UnreadBytes(8 * KIB * KIB);
  const opened = await startSharing(unread);
  const sessions = [opened(), opened()] as const;
  const windows = () => sessions.map(({ remoteSettings }) => remoteSettings?.initialWindowSize);
  const ofConnections = () => sessions.map(({ state }) => state.remoteWindowSize);
  await expect.poll(windows).toEqual([2048 * KIB, 2048 * KIB]);
  // The first one has been told of more, and is told of no more until it has sent so much.
  await expect.poll(ofConnections).toEqual([4096 * KIB, 2048 * KIB]);
  const streams = Array.from({ length: 64 }, (_, index) =>
    beginCall(index % 2 === 0 ? sessions[0] : sessions[1], "/x").resume(),
  );
  await expect.poll(windows).toEqual([64 * KIB, 64 * KIB]);
  for (const stream of streams) stream.close();
  await Promise.all(streams.map(over));
  await expect.poll(windows).toEqual([2048 * KIB, 2048 * KIB]);
});

test("what is asked for without a body makes nobody send less", async () => {
  const unread = new UnreadBytes(4 * KIB * KIB);
  let seen = 0;
  const session = (await startSharing(unread, () => seen++))();
  await expect.poll(() => session.remoteSettings?.initialWindowSize).toBe(2048 * KIB);
  const asked = Array.from({ length: 50 }, () => session.request({ ":path": "/x" }).on("error", () => {}));
  await expect.poll(() => seen).toBe(50);
  // What they were told by then has come before the answer to this.
  await new Promise<void>((resolve) => session.ping(() => resolve()));
  expect(session.remoteSettings?.initialWindowSize).toBe(2048 * KIB);
  for (const stream of asked) stream.destroy();
});
