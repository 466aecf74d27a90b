import { once } from "node:events";
import { connect } from "node:http2";
import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { beginCall, framed, over } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

const PUT = "/tvix.castore.v1.DirectoryService/Put";
const STAT = "/tvix.castore.v1.BlobService/Stat";

/** A server that gives up who stalls, and what it has logged as failures. */
async function loggingServer() {
  const logged: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void logged.push(line) });
  const server = await runningServer({ log, stallMs: 200, metrics: true });
  onTestFinished(server.close);
  /** The codes with which requests of a kind have ended. */
  const counted = async (request: string) => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const rows = text.matchAll(/^tvix_requests_total\{request="([^"]*)",code="([^"]*)"\}/gm);
    return [...rows].filter(([, kind]) => kind === request).map(([, , code]) => code);
  };
  return { ...server, logged, counted };
}

/** No field of protobuf: its type is none. */
const GARBAGE = Buffer.from([0xff, 0xff, 0x7f]);

test.each([
  ["a stream of gRPC", PUT, "application/grpc", framed(GARBAGE)],
  ["a stream of gRPC-Web", PUT, "application/grpc-web+proto", framed(GARBAGE)],
  ["a stream of Connect", PUT, "application/connect+proto", framed(GARBAGE)],
  ["a call of gRPC", STAT, "application/grpc", framed(GARBAGE)],
  ["a call of gRPC-Web", STAT, "application/grpc-web+proto", framed(GARBAGE)],
  ["a call of Connect", STAT, "application/proto", GARBAGE],
])("a message that does not decode is the client's mistake, in %s", async (_, path, type, body) => {
  const { url, logged, counted } = await loggingServer();
  const session = connect(url);
  onTestFinished(() => session.destroy());
  const stream = beginCall(session, path, { "content-type": type }).resume();
  stream.end(body);
  await once(stream, "close");
  await expect.poll(() => counted(path.slice(1))).toEqual(["invalid_argument"]);
  expect(logged).toEqual([]);
});

test.each(["the server gives up", "leaves"])(
  "a client that %s in the middle is no failure of ours",
  async (how) => {
    const { url, logged, server } = await loggingServer();
    const session = connect(url);
    onTestFinished(() => session.destroy());
    const stream = beginCall(session, PUT).resume();
    stream.write(framed(Buffer.alloc(100)).subarray(0, 50));
    if (how === "leaves") session.ping(() => stream.close(8));
    await over(stream);
    await server.close(1000);
    expect(logged).toEqual([]);
  },
);
