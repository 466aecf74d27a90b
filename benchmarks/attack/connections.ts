import { frame, PREFACE } from "../../packages/server/test/raw-http2.ts";
import type { Attack, Target } from "./attack.ts";
import { RawConnection } from "./raw-connection.ts";

/** Opens a connection, and goes on sending what `next` gives until the daemon ends it. */
async function sendUntilEnded(
  target: Target,
  first: Buffer | string,
  next: () => Promise<Buffer | string>,
): Promise<void> {
  const connection = new RawConnection(target);
  connection.socket.resume();
  for (let isOpen = await connection.send(first); isOpen; ) {
    const piece = await Promise.race([next(), connection.closed]);
    isOpen = piece !== undefined && (await connection.send(piece));
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function many(count: number, one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, one));
}

const slowHeaders: Attack = {
  name: "300 connections that send a byte of a header now and then",
  isLong: true,
  async run(target, scale) {
    await many(300 * scale, () =>
      sendUntilEnded(target, "GET /nix-cache-info HTTP/1.1\r\nHost: localhost\r\nX: ", async () => {
        await pause(500);
        return "x";
      }),
    );
  },
};

const longHeaders: Attack = {
  name: "300 connections with headers without an end",
  isLong: true,
  async run(target, scale) {
    const line = `X-Header: ${"x".repeat(1000)}\r\n`;
    await many(300 * scale, () =>
      sendUntilEnded(target, "GET /nix-cache-info HTTP/1.1\r\nHost: localhost\r\n", async () => line),
    );
  },
};

const continuations: Attack = {
  name: "100 connections with CONTINUATION without an end",
  async run(target, scale) {
    // A header that is not remembered, with a value of 1000 bytes.
    const field = Buffer.concat([Buffer.from([0x00, 1, 0x78, 0x7f, 0xe9, 0x06]), Buffer.alloc(1000, "x")]);
    const first = Buffer.concat([PREFACE, frame(1, 0, 1, Buffer.from([0x82, 0x86, 0x84]))]);
    await many(100 * scale, () => sendUntilEnded(target, first, async () => frame(9, 0, 1, field)));
  },
};

const slowUploads: Attack = {
  name: "16 uploads that send a byte now and then",
  options: ["--stall-timeout", "5"],
  async run(target, scale) {
    const name = "0".repeat(52);
    await many(16 * scale, () =>
      sendUntilEnded(
        target,
        `PUT /nar/${name}.nar HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n`,
        async () => {
          await pause(200);
          return "x";
        },
      ),
    );
  },
};

/** Attacks on connections. */
export const CONNECTION_ATTACKS: readonly Attack[] = [slowHeaders, longHeaders, continuations, slowUploads];
