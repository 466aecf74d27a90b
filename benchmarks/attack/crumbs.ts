import type { Socket } from "node:net";
import { frame, PREFACE } from "../../packages/server/test/raw-http2.ts";
import type { Attack, Target } from "./attack.ts";
import { narHead } from "./nar-head.ts";
import { RawConnection } from "./raw-connection.ts";

/** Bytes of each call, of which each comes alone. */
const CRUMBS = 30_000;

/** How many of them are written at once. */
const AT_ONCE = 1000;

const RST_STREAM = 3;
const END_STREAM = 1;

/** Sends so many streams on one connection, each a byte at a time, and waits until the daemon has ended it all. */
async function crumble(target: Target, path: string, streams: number): Promise<void> {
  const connection = new RawConnection(target);
  const ids = Array.from({ length: streams }, (_, index) => 2 * index + 1);
  const answered = answersTo(connection.socket, new Set(ids));
  await connection.send(PREFACE);
  for (const id of ids) await connection.send(frame(1, 4, id, headersOf(path)));
  // A message of a megabyte, of which most never comes.
  const head = Buffer.from([0, 0, 0x10, 0, 0, 0x0a, 0xfb, 0xff, 0x3f]);
  for (const id of ids) await connection.send(frame(0, 0, id, head));
  const crumb = frame(0, 0, 1, Buffer.alloc(1, "x"));
  const crumbs = Buffer.concat(Array.from({ length: AT_ONCE }, () => crumb));
  for (let sent = 0; sent < CRUMBS; sent += AT_ONCE) {
    for (const id of ids) {
      const piece = Buffer.from(crumbs);
      for (let at = 5; at < piece.length; at += crumb.length) piece.writeUInt32BE(id, at);
      if (!(await connection.send(piece))) return;
    }
  }
  await Promise.race([answered, connection.closed]);
  connection.socket.destroy();
}

/** Resolves when all of these streams have ended: each with a frame that resets it, or with the last one of its answer. */
function answersTo(socket: Socket, open: Set<number>): Promise<void> {
  let rest = Buffer.alloc(0);
  return new Promise((resolve) => {
    socket.on("data", (piece) => {
      rest = Buffer.concat([rest, piece]);
      for (let length = 0; rest.length >= 9; rest = rest.subarray(length)) {
        length = 9 + rest.readUIntBE(0, 3);
        if (rest.length < length) break;
        const isEnd = rest[3] === RST_STREAM || ((rest[4] as number) & END_STREAM) !== 0;
        if (isEnd) open.delete(rest.readUInt32BE(5));
      }
      if (open.size === 0) resolve();
    });
  });
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
  async run(target, scale) {
    const head = `PUT /nar/${"0".repeat(52)}.nar HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const nar = narHead(1 << 30);
    const begin = Buffer.concat([
      Buffer.from(`${head}${nar.length.toString(16)}\r\n`),
      nar,
      Buffer.from("\r\n"),
    ]);
    const crumbs = Buffer.from("1\r\nx\r\n".repeat(AT_ONCE));
    await Promise.all(
      Array.from({ length: 100 * scale }, async () => {
        const connection = new RawConnection(target);
        connection.socket.resume();
        let isOpen = await connection.send(begin);
        for (let sent = 0; sent < 2 * CRUMBS && isOpen; sent += AT_ONCE)
          isOpen = await connection.send(crumbs);
        await connection.closed;
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
