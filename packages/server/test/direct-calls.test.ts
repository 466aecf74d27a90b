import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { B3Digest, Directory, MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { expect, onTestFinished, test } from "vitest";
import { beginCall, field, framed, over } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

const STAT_BLOB = "/tvix.castore.v1.BlobService/Stat";
const GET_DIRECTORY = "/tvix.castore.v1.DirectoryService/Get";

function sessionTo(url: string): ClientHttp2Session {
  const session = connect(url).on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** A request that names a digest, with so many bytes behind it that nobody knows. */
function asking(digest: B3Digest, more: number): Buffer {
  const unknown = more === 0 ? Buffer.alloc(0) : field([0xa2, 0x06], more);
  return framed(Buffer.concat([Buffer.from([0x0a, 32]), digest.bytes, unknown]));
}

/** The status of a call whose request comes in pieces of so many bytes, and whether there was an answer. */
async function ask(
  session: ClientHttp2Session,
  path: string,
  request: Uint8Array,
  { pieces = request.length, headers = {} }: { pieces?: number; headers?: Record<string, string> } = {},
): Promise<[status: unknown, hasAnswer: boolean]> {
  const call = beginCall(session, path, headers);
  let status: unknown;
  let length = 0;
  call.on("response", (head) => {
    status = head["grpc-status"];
  });
  call.on("trailers", (trailers) => {
    status = trailers["grpc-status"];
  });
  call.on("data", (piece: Uint8Array) => {
    length += piece.length;
  });
  for (let at = 0; at < request.length; at += pieces) {
    call.write(request.subarray(at, at + pieces));
    await new Promise((resolve) => setImmediate(resolve));
  }
  call.end();
  await over(call);
  return [status, length > 0];
}

test.each([
  ["short", 0],
  ["as long as it is answered at once", 800],
  ["a little longer", 1024],
  ["as long as any may be", 65_000],
])("a request that is %s is answered, however it comes", async (_, more) => {
  const { url, blobService, directoryService, close } = await runningServer();
  onTestFinished(close);
  const session = sessionTo(url);
  const blob = await blobService.put(Buffer.from("contents"));
  const directory = await directoryService.put(Directory.of([]));
  const pieces = [Number.MAX_SAFE_INTEGER, 1000, ...(more < 5000 ? [1] : [])];
  for (const piece of pieces) {
    expect(await ask(session, STAT_BLOB, asking(blob, more), { pieces: piece })).toEqual(["0", true]);
    expect(await ask(session, GET_DIRECTORY, asking(directory, more), { pieces: piece })).toEqual([
      "0",
      true,
    ]);
    expect(await ask(session, STAT_BLOB, asking(B3Digest.of(Buffer.from("other")), more))).toEqual([
      "5",
      false,
    ]);
  }
});

test.each([
  ["no message", new Uint8Array(0)],
  ["two", Buffer.concat([framed(new Uint8Array(0)), framed(new Uint8Array(0))])],
  ["half of one", framed(Buffer.alloc(100)).subarray(0, 50)],
  ["what does not decode", framed(Buffer.alloc(10, 0xff))],
])("%s is refused", async (_, request) => {
  const { url, close } = await runningServer();
  onTestFinished(close);
  const session = sessionTo(url);
  for (const path of [STAT_BLOB, GET_DIRECTORY])
    expect(await ask(session, path, request)).toEqual(["3", false]);
});

test("whoever answers too late, or never, is not waited for beyond the deadline; what was taken back is told so", async () => {
  const blobService = new MemoryBlobService();
  const directoryService = new MemoryDirectoryService();
  const signals: (AbortSignal | undefined)[] = [];
  blobService.chunks = async (_, options = {}) => {
    signals.push(options.signal);
    return await new Promise(() => {});
  };
  directoryService.get = async (_, options = {}) => {
    signals.push(options.signal);
    return await new Promise(() => {});
  };
  const { url, close } = await runningServer({ blobService, directoryService });
  onTestFinished(close);
  const session = sessionTo(url);
  const request = asking(B3Digest.of(new Uint8Array(1)), 0);
  for (const path of [STAT_BLOB, GET_DIRECTORY]) {
    const headers = { "grpc-timeout": "100m" };
    expect(await ask(session, path, request, { headers })).toEqual(["4", false]);
    const seen = signals.length;
    const call = beginCall(session, path);
    call.end(request);
    await expect.poll(() => signals.length).toBe(seen + 1);
    call.close(8);
    await once(call, "close");
    await expect.poll(() => signals.at(-1)?.aborted).toBe(true);
  }
});
