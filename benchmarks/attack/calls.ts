import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import { beginCall, framed, over } from "../../packages/server/test/raw-http2.ts";
import type { Attack } from "./attack.ts";
import { connectTo } from "./http2-client.ts";

const PUT_BLOB = "/tvix.castore.v1.BlobService/Put";
const READ_BLOB = "/tvix.castore.v1.BlobService/Read";
const PUT_DIRECTORY = "/tvix.castore.v1.DirectoryService/Put";
const STAT_BLOB = "/tvix.castore.v1.BlobService/Stat";
const PUT_PATH_INFO = "/tvix.store.v1.PathInfoService/Put";

/** Directories that are written at once. */
const BATCH = 1000;

const directories: Attack = {
  name: "12 streams of 60,000 directories",
  async run({ url }, scale) {
    const session = connectTo(url);
    await Promise.all(
      Array.from({ length: 12 }, async (_, number) => {
        const stream = beginCall(session, PUT_DIRECTORY).resume();
        const closed = over(stream);
        for (let sent = 0; sent < 60_000 * scale && !stream.destroyed; sent += BATCH) {
          const batch = Array.from({ length: BATCH }, (__, index) => directory(number, sent + index));
          if (!stream.write(Buffer.concat(batch)))
            await Promise.race([once(stream, "drain").catch(() => {}), closed]);
        }
        stream.end();
        await closed;
      }),
    );
    session.destroy();
  },
};

/** A directory of one link, unlike any other. */
function directory(number: number, index: number): Buffer {
  const name = `${number.toString(36)}${index.toString(36)}`.padStart(6, "0");
  const link = Buffer.concat([Buffer.from([0x0a, 6]), Buffer.from(name), Buffer.from([0x12, 1, 0x78])]);
  return framed(Buffer.concat([Buffer.from([0x1a, link.length]), link]));
}

const stalledPuts: Attack = {
  name: "1,000 puts that stop in the middle, on 5 connections",
  options: ["--stall-timeout", "5"],
  async run({ url }, scale) {
    const field = Buffer.concat([Buffer.from([0x0a, 0x80, 0x80, 0x20]), randomBytes(512 << 10)]);
    const piece = framed(field);
    const sessions = Array.from({ length: 5 * scale }, () => connectTo(url));
    await Promise.all(
      sessions.flatMap((session) =>
        Array.from({ length: 200 }, async () => {
          const stream = beginCall(session, PUT_BLOB).resume();
          stream.write(piece.subarray(0, piece.length - 1));
          await over(stream);
        }),
      ),
    );
    for (const session of sessions) session.destroy();
  },
};

const resets: Attack = {
  name: "calls that are begun and taken back, as fast as they go",
  async run({ url }, scale) {
    const end = performance.now() + 10_000 * scale;
    while (performance.now() < end) {
      const session = connectTo(url);
      const closed = over(session);
      while (performance.now() < end && !session.destroyed && !session.closed) {
        for (let count = 0; count < 100 && !session.destroyed && !session.closed; count++) {
          beginCall(session, READ_BLOB).resume().close(8);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      session.destroy();
      await closed;
    }
  },
};

/** @param path of the call, which takes short messages only or long ones */
function compressedMessages(what: string, path: string): Attack {
  return {
    name: `400 ${what} of 32 KB that are 32 MB when decompressed`,
    async run({ url }, scale) {
      const bomb = framed(gzipSync(Buffer.alloc(32_000_000)), 1);
      const sessions = Array.from({ length: 4 * scale }, () => connectTo(url));
      await Promise.all(
        sessions.flatMap((session) =>
          Array.from({ length: 100 }, async () => {
            const stream = beginCall(session, path, { "grpc-encoding": "gzip" }).resume();
            stream.end(bomb);
            await over(stream);
          }),
        ),
      );
      for (const session of sessions) session.destroy();
    },
  };
}

/** In front of a message of 30,000,000 bytes. */
const LONG_HEAD = Buffer.from([0, 0x01, 0xc9, 0xc3, 0x80]);

/** @param path of the call, which takes short messages only or long ones */
function longMessages(what: string, path: string): Attack {
  return {
    name: `100 ${what} of 30 MB that are none`,
    async run({ url }, scale) {
      const piece = Buffer.alloc(1_000_000);
      const sessions = Array.from({ length: 4 * scale }, () => connectTo(url));
      await Promise.all(
        sessions.flatMap((session) =>
          Array.from({ length: 25 }, async () => {
            const stream = beginCall(session, path).resume();
            const closed = over(stream);
            stream.write(LONG_HEAD);
            for (let sent = 0; sent < 30 && !stream.destroyed; sent++) {
              if (!stream.write(piece)) await Promise.race([once(stream, "drain").catch(() => {}), closed]);
            }
            stream.end();
            await closed;
          }),
        ),
      );
      for (const session of sessions) session.destroy();
    },
  };
}

const announcedMessages: Attack = {
  name: "1,000 messages of 30 MB of which only the length comes, on 5 connections",
  options: ["--stall-timeout", "5"],
  async run({ url }, scale) {
    const sessions = Array.from({ length: 5 * scale }, () => connectTo(url));
    await Promise.all(
      sessions.flatMap((session) =>
        Array.from({ length: 200 }, async () => {
          const stream = beginCall(session, PUT_PATH_INFO).resume();
          stream.write(LONG_HEAD);
          await over(stream);
        }),
      ),
    );
    for (const session of sessions) session.destroy();
  },
};

const zeroWindows: Attack = {
  name: "500 reads with a window of nothing, on 5 connections",
  options: ["--stall-timeout", "5"],
  async run({ url, digest }, scale) {
    const message = framed(Buffer.concat([Buffer.from([0x0a, 32]), digest]));
    const sessions = Array.from({ length: 5 * scale }, () => connectTo(url, { initialWindowSize: 0 }));
    await Promise.all(
      sessions.flatMap((session) =>
        Array.from({ length: 100 }, async () => {
          const stream = beginCall(session, READ_BLOB);
          stream.end(message);
          // Never read: what closes it is the other side.
          await new Promise<void>((resolve) => stream.once("close", () => resolve()));
        }),
      ),
    );
    for (const session of sessions) session.destroy();
  },
};

/** Attacks by calls. */
export const CALL_ATTACKS: readonly Attack[] = [
  directories,
  stalledPuts,
  resets,
  compressedMessages("messages", STAT_BLOB),
  compressedMessages("path infos", PUT_PATH_INFO),
  longMessages("messages", STAT_BLOB),
  longMessages("path infos", PUT_PATH_INFO),
  announcedMessages,
  zeroWindows,
];
