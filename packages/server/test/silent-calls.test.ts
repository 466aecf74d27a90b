import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { framed } from "./raw-http2.ts";
import { wholeServer } from "./whole-server.ts";

const PUT = "/tvix.castore.v1.DirectoryService/Put";
const STAT = "/tvix.castore.v1.BlobService/Stat";

/** The answer to a call whose client has sent some bytes and then says nothing. */
async function silent(url: string, path: string, headers: Record<string, string>, sent: Uint8Array) {
  const call = request(`${url}${path}`, { method: "POST", headers });
  call.write(sent);
  const [response] = (await once(call, "response")) as [IncomingMessage];
  const body = await text(response);
  call.on("error", () => {}).destroy();
  return { status: response.statusCode, headers: response.headers, body };
}

describe("the deadline of a call whose client says nothing more", () => {
  test.each(["application/grpc-web+proto", "application/grpc-web-text+proto"])(
    "is told in %s as in any other way",
    async (type) => {
      const { url } = await wholeServer();
      const headers = { "content-type": type, "grpc-timeout": "100m" };
      for (const path of [PUT, STAT]) {
        const answer = await silent(url, path, headers, Buffer.from([0, 0]));
        expect(answer).toMatchObject({
          status: 200,
          headers: {
            "content-type": type,
            "grpc-status": "4",
            "tvix-error-code": "DEADLINE_EXCEEDED",
          },
        });
      }
    },
  );

  test("is the end of a stream of Connect, and a status where there is one answer", async () => {
    const { url } = await wholeServer();
    const timeout = { "connect-timeout-ms": "100" };
    const type = "application/connect+proto";
    const stream = await silent(url, PUT, { "content-type": type, ...timeout }, Buffer.from([0, 0]));
    expect(stream).toMatchObject({ status: 200, headers: { "content-type": type } });
    expect(stream.body.charCodeAt(0)).toBe(2);
    expect(JSON.parse(stream.body.slice(5))).toMatchObject({
      error: { code: "deadline_exceeded" },
      metadata: { "tvix-error-code": ["DEADLINE_EXCEEDED"] },
    });
    const one = await silent(
      url,
      STAT,
      { "content-type": "application/proto", ...timeout },
      Buffer.from([10]),
    );
    expect(one).toMatchObject({ status: 504, headers: { "tvix-error-code": "DEADLINE_EXCEEDED" } });
    expect(JSON.parse(one.body)).toMatchObject({ code: "deadline_exceeded" });
  });
});

test.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
] as const)(
  "a message in %s that is cut off, or no such thing, is the client's mistake",
  async (name, compress) => {
    const { url, logged } = await wholeServer();
    const whole = compress(Buffer.concat([Buffer.from([0x0a, 32]), Buffer.alloc(32, 7)]));
    for (const message of [whole.subarray(0, -5), Buffer.from("this is none of it")]) {
      const headers = { "content-type": "application/grpc-web+proto", "grpc-encoding": name };
      const call = await fetch(`${url}${STAT}`, {
        method: "POST",
        headers,
        body: framed(message, 1) as BodyInit,
      });
      const trailers = Buffer.from(await call.arrayBuffer()).toString("latin1");
      const status = call.headers.get("grpc-status") ?? /grpc-status: (\d+)/.exec(trailers)?.[1];
      expect(status).toBe("3");
      const unary = { "content-type": "application/proto", "content-encoding": name };
      const one = await fetch(`${url}${STAT}`, { method: "POST", headers: unary, body: message as BodyInit });
      expect(one.status).toBe(400);
      expect(await one.json()).toMatchObject({ code: "invalid_argument" });
    }
    expect(logged()).toBe("");
  },
);
