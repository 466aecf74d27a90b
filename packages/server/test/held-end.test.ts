import { once } from "node:events";
import { connect } from "node:http2";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { runningServer } from "./running-server.ts";

test.each([
  ["a call as JSON", "/tvix.castore.v1.BlobService/Stat", "application/json"],
  ["a call of gRPC", "/tvix.castore.v1.BlobService/Stat", "application/grpc"],
  ["an upload of a blob", "/tvix.castore.v1.BlobService/Put", "application/grpc"],
  ["no call at all", "/nix-cache-info", "text/plain"],
])("%s that ends with an empty frame before it is let in is answered", async (_, path, type) => {
  const authenticate = async () => {
    // Whoever knows the token is asked for several turns of the event loop.
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    return { name: "ci", scope: "write", mayReplace: false, pathPrefix: undefined } as const;
  };
  const access = { authenticators: [{ any: true, authenticate }] };
  const { url, close } = await runningServer({ access });
  onTestFinished(close);
  const session = connect(url);
  onTestFinished(() => session.destroy());
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": type,
    authorization: "Bearer abc",
  });
  stream.end();
  const [answer] = await once(stream, "response");
  expect(answer[":status"]).toBeTypeOf("number");
  expect(answer[":status"]).not.toBe(401);
  stream.resume();
  await once(stream, "close");
});
