import { connect, type Socket } from "node:net";
import { frame, PREFACE } from "../../packages/server/test/raw-http2.ts";
import type { Attack, Target } from "./attack.ts";

/** Bytes of each call, of which each comes alone. */
const CRUMBS = 30_000;

const RST_STREAM = 3;
const END_STREAM = 1;

/** Sends so many streams on one connection, each a byte at a time, and waits until the daemon has ended it all. */
async function crumble({ port }: Target, path: string, streams: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const answered = answersTo(socket, streams);
  socket.write(PREFACE);
  const ids = Array.from({ length: streams }, (_, index) => 2 * index + 1);
  for (const id of ids) socket.write(frame(1, 4, id, headersOf(path)));
  for (const id of ids) {
    // A message of a megabyte, of which most never comes.
    socket.write(frame(0, 0, id, Buffer.from([0, 0, 0x10, 0, 0, 0x0a, 0xfb, 0xff, 0x3f])));
  }
  const crumb = frame(0, 0, 1, Buffer.alloc(1, "x"));
  const crumbs = Buffer.concat(Array.from({ length: 1000 }, () => crumb));
  for (let sent = 0; sent < CRUMBS && !socket.destroyed; sent += 1000) {
    for (const id of ids) {
      const piece = Buffer.from(crumbs);
      for (let at = 5; at < piece.length; at += crumb.length) piece.writeUInt32BE(id, at);
      if (!socket.write(piece)) {
        const drained = new Promise<void>((resolve) => socket.once("drain", () => resolve()));
        await Promise.race([drained, closed]);
      }
      if (socket.destroyed) break;
    }
  }
  await Promise.race([answered, closed]);
  socket.destroy();
}

/** Resolves when so many streams have ended: each with a frame that resets it, or with the last one of its answer. */
async function answersTo(socket: Socket, streams: number): Promise<void> {
  let rest = Buffer.alloc(0);
  const open = new Set(Array.from({ length: streams }, (_, index) => 2 * index + 1));
  for await (const piece of socket) {
    rest = Buffer.concat([rest, piece]);
    for (let length = 0; rest.length >= 9; rest = rest.subarray(length)) {
      length = 9 + rest.readUIntBE(0, 3);
      if (rest.length < length) break;
      const isEnd = rest[3] === RST_STREAM || ((rest[4] as number) & END_STREAM) !== 0;
      if (isEnd) open.delete(rest.readUInt32BE(5));
    }
    if (open.size === 0) return;
  }
}

/** The head of a call of gRPC, as HPACK without a table. */
function headersOf(path: string): Buffer {
  const text = (value: string) => Buffer.from([value.length, ...Buffer.from(value)]);
  return Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04]),
    text(path),
    Buffer.from([0x01]),
    text("localhost"),
    Buffer.from([0x0f, 0x10]),
    text("application/grpc"),
    Buffer.from([0]),
    text("te"),
    text("trailers"),
  ]);
}

function crumbsTo(path: string, what: string): Attack {
  return {
    name: `200 streams of ${what}, each byte on its own`,
    options: ["--stall-timeout", "5"],
    run: async (target, scale) => {
      await Promise.all(Array.from({ length: scale }, () => crumble(target, path, 200)));
    },
  };
}

const chunks: Attack = {
  name: "100 uploads in chunks of a byte",
  options: ["--stall-timeout", "5"],
  async run({ port }, scale) {
    const head = `PUT /nar/${"0".repeat(52)}.nar HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
    // What begins as a NAR of one long file, so that it is read on.
    const tokens = ["nix-archive-1", "(", "type", "regular", "contents"].map((token) => {
      const padded = Buffer.alloc(8 + Math.ceil(token.length / 8) * 8);
      padded.writeUInt32LE(token.length);
      padded.write(token, 8);
      return padded;
    });
    const length = Buffer.alloc(8);
    length.writeUInt32LE(1 << 30);
    const nar = Buffer.concat([...tokens, length]);
    const chunk = "1\r\nx\r\n";
    const begin = Buffer.concat([
      Buffer.from(`${head}${nar.length.toString(16)}\r\n`),
      nar,
      Buffer.from("\r\n"),
    ]);
    const crumbs = Buffer.from(chunk.repeat(1000));
    await Promise.all(
      Array.from({ length: 100 * scale }, async () => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.resume();
        const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
        socket.write(begin);
        for (let sent = 0; sent < 2 * CRUMBS && !socket.destroyed; sent += 1000) {
          if (socket.write(crumbs)) continue;
          const drained = new Promise<void>((resolve) => socket.once("drain", () => resolve()));
          await Promise.race([drained, closed]);
        }
        await closed;
      }),
    );
  },
};

/** Attacks by calls whose bytes come one by one, each of which is a piece of its own. */
export const CRUMB_ATTACKS: readonly Attack[] = [
  crumbsTo("/tvix.castore.v1.BlobService/Put", "a blob"),
  crumbsTo("/tvix.castore.v1.DirectoryService/Put", "a directory"),
  chunks,
];
