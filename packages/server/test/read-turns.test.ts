import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
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
