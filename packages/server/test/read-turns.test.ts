import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer } from "node:http2";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ReadTurns } from "../src/admission/read-turns.ts";
import { beginCall, over } from "./raw-http2.ts";

const MIB = 1 << 20;

/** The most that is read in one turn of the event loop while a client sends more than is dealt with, in bytes. */
async function mostInATurn(turns: ReadTurns | undefined): Promise<number> {
  let read = 0;
  let most = 0;
  const server = createServer({ settings: { initialWindowSize: 64 * MIB } })
    .on("session", (session) => session.setLocalWindowSize(64 * MIB))
    .on("stream", (stream) => {
      stream.on("data", (piece: Buffer) => {
        turns?.note(stream.session);
        read += piece.length;
        // More comes meanwhile.
        const end = performance.now() + 1;
        while (performance.now() < end);
      });
      stream.on("end", () => stream.respond({ ":status": 200 }, { endStream: true }));
    });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  let counts = true;
  const count = () => {
    most = Math.max(most, read);
    read = 0;
    if (counts) setImmediate(count);
  };
  count();
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => client.destroy());
  await once(client, "remoteSettings");
  const calls = Array.from({ length: 4 }, () => beginCall(client, "/").resume());
  for (const call of calls) call.end(Buffer.alloc(4 * MIB));
  const answers = await Promise.all(calls.map(async (call) => (await once(call, "response"))[0][":status"]));
  expect(answers).toEqual([200, 200, 200, 200]);
  await Promise.all(calls.map(over));
  counts = false;
  return most;
}

test("a connection that brings more than is dealt with rests between its reads", async () => {
  expect(await mostInATurn(new ReadTurns())).toBeLessThanOrEqual(2 * 64 * 1024);
});

/** Forwards what a client sends, and what it is sent from when it is told to. */
async function relayTo(port: number) {
  const backwards: (() => void)[] = [];
  const relay = createTcpServer((inward) => {
    const outward = connectTcp(port, "127.0.0.1");
    inward.pipe(outward).on("error", () => inward.destroy());
    inward.on("error", () => outward.destroy());
    backwards.push(() => void outward.pipe(inward));
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  onTestFinished(() => void relay.close());
  const release = () => {
    for (const begin of backwards) begin();
  };
  return { port: (relay.address() as AddressInfo).port, release };
}

test("a client that takes nothing keeps nobody waiting, and is answered when it does", async () => {
  const turns = new ReadTurns();
  const answer = Buffer.alloc(MIB / 4);
  let asked = 0;
  const server = createServer({ maxSessionMemory: 1000 }).on("stream", (stream) => {
    turns.note(stream.session);
    asked++;
    const end = performance.now() + 1;
    while (performance.now() < end);
    stream.respond({ ":status": 200 });
    stream.end(answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const relay = await relayTo(port);
  const windows = { settings: { initialWindowSize: 64 * MIB } };
  const deaf = connect(`http://127.0.0.1:${relay.port}`, windows);
  onTestFinished(() => deaf.destroy());
  await once(deaf, "connect");
  deaf.setLocalWindowSize(64 * MIB);
  const bytesOf = async (client: ClientHttp2Session) => {
    let bytes = 0;
    for await (const piece of beginCall(client, "/").end()) bytes += piece.length;
    return bytes;
  };
  const askMuch = () => Array.from({ length: 40 }, () => bytesOf(deaf));
  const many = askMuch();
  await expect.poll(() => asked).toBeGreaterThan(0);
  const other = connect(`http://127.0.0.1:${port}`, windows);
  onTestFinished(() => other.destroy());
  for (let round = 0; round < 20; round++) expect(await bytesOf(other)).toBe(answer.length);
  // It is not read now, since it takes nothing; nor will it be before it does.
  many.push(...askMuch());
  for (let round = 0; round < 20; round++) expect(await bytesOf(other)).toBe(answer.length);
  relay.release();
  expect(await Promise.all(many)).toEqual(many.map(() => answer.length));
});
