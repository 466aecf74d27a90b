import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { FastifyReply } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { sendBody } from "../src/send-body.ts";

/** A response whose client has asked, and can leave. */
async function exchange(): Promise<{
  reply: FastifyReply;
  leave: () => Promise<unknown>;
  errors: unknown[];
}> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [, raw] = (await once(server, "request")) as [unknown, ServerResponse];
  let sent = false;
  const errors: unknown[] = [];
  const reply = {
    raw,
    get sent() {
      return sent;
    },
    hijack: () => {
      sent = true;
    },
    getHeaders: () => ({}),
    request: { method: "GET", url: "/", ip: "127.0.0.1" },
    log: { error: ({ err }: { err: unknown }) => errors.push(err) },
  } as unknown as FastifyReply;
  const leave = async () => {
    const closed = once(raw, "close");
    socket.destroy();
    await closed;
  };
  return { reply, leave, errors };
}

/** A body that tells whether it was begun, and whether all it held was given back. */
function watchedBody(pieces: number, before: () => Promise<unknown> = async () => {}) {
  const seen = { begun: false, ended: false };
  async function* open() {
    seen.begun = true;
    try {
      await before();
      for (let piece = 0; piece < pieces; piece++) yield new Uint8Array(1 << 20);
    } finally {
      seen.ended = true;
    }
  }
  return { seen, body: { status: 200, headers: {}, length: undefined, open } };
}

test("for a client that has left before, a body is not begun", async () => {
  const { reply, leave } = await exchange();
  await leave();
  const { seen, body } = watchedBody(1);
  await expect(sendBody(reply, body, 60_000)).rejects.toThrow("the client has left");
  expect(seen).toEqual({ begun: false, ended: false });
});

test("of a client that leaves before the first piece, all is given back", async () => {
  const { reply, leave } = await exchange();
  const { seen, body } = watchedBody(1, leave);
  await expect(sendBody(reply, body, 60_000)).rejects.toThrow("the client has left");
  expect(seen).toEqual({ begun: true, ended: true });
});

test("of a client that leaves while it does not read, all is given back, and that is no error", async () => {
  const { reply, leave, errors } = await exchange();
  const { seen, body } = watchedBody(1000);
  const sending = sendBody(reply, body, 60_000);
  await expect.poll(() => reply.raw.writableNeedDrain).toBe(true);
  await leave();
  await sending;
  expect(seen).toEqual({ begun: true, ended: true });
  expect(errors).toEqual([]);
});

test("what fails in the middle is an error, and told once", async () => {
  const { reply, errors } = await exchange();
  const failure = new Error("a disk is out of order");
  async function* open() {
    yield new Uint8Array(1 << 20);
    throw failure;
  }
  await sendBody(reply, { status: 200, headers: {}, length: 2 << 20, open }, 60_000);
  expect(errors).toEqual([failure]);
  expect(reply.raw.destroyed).toBe(true);
});
