import { once } from "node:events";
import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { B3Digest, Directory } from "@tvix/castore";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import {
  BlobService,
  DirectorySchema,
  DirectoryService,
  GetDirectoryRequestSchema,
  StatBlobRequestSchema,
} from "@tvix/protocol/tvix/castore";
import { PathInfoService } from "@tvix/protocol/tvix/store";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseOrigin } from "../src/cors-origin.ts";
import { beginCall, framed } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

const EMPTY = B3Digest.of(new Uint8Array(0));

function sessionTo(url: string) {
  const session = connect(url);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** Headers and trailers of a call of gRPC, as one. */
async function callRaw(
  url: string,
  path: string,
  message: Uint8Array | undefined,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const session = sessionTo(url);
  const stream = beginCall(session, path, headers);
  let answer = {};
  for (const event of ["response", "trailers"]) {
    stream.on(event, (received) => {
      answer = { ...answer, ...received };
    });
  }
  if (message !== undefined) stream.end(framed(message));
  stream.resume();
  await once(stream, "end");
  session.destroy();
  return answer;
}

test("what clients keep open without a question does not hold up the end of a server", async () => {
  const { url, port, server } = await runningServer();
  const { Health } = await import("../../grpc-reflection/src/gen/grpc/health/v1/health_pb.ts");
  const { ServerReflection } = await import(
    "../../grpc-reflection/src/gen/grpc/reflection/v1/reflection_pb.ts"
  );
  const transport = createGrpcTransport({ url }, { reconnectMs: 0 });
  const silent = connectTcp(port, "127.0.0.1");
  await once(silent, "connect");
  const asked = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  async function* questions() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
    await never.promise;
  }
  const statuses: number[] = [];
  const watching = (async () => {
    for await (const { status } of createClient(Health, transport).watch({ service: "" }))
      statuses.push(status);
  })();
  const reflecting = (async () => {
    for await (const _ of createClient(ServerReflection, transport).serverReflectionInfo(questions()))
      asked.resolve();
  })();
  await asked.promise;
  await expect.poll(() => statuses).toEqual([1]);
  expect(await server.close(60_000)).toBe(true);
  await watching;
  await reflecting;
  expect(statuses).toEqual([1, 2]);
  never.resolve();
  await transport.close();
});

describe("a deadline", () => {
  const put = "/tvix.castore.v1.DirectoryService/Put";
  const DAYS_25 = 25 * 86_400_000;

  test("of 25 days is none that has passed", async () => {
    const { url, close } = await runningServer();
    const message = toBinary(DirectorySchema, create(DirectorySchema));
    for (const path of [put, "/tvix.castore.v1.BlobService/Put"]) {
      const answer = await callRaw(url, path, new Uint8Array(0), { "grpc-timeout": `${DAYS_25 / 1000}S` });
      expect(answer["grpc-status"]).toBe("0");
    }
    const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
    const client = createClient(DirectoryService, transport);
    const source = async function* () {
      yield fromBinary(DirectorySchema, message);
    };
    const headers = { "connect-timeout-ms": `${DAYS_25}` };
    expect((await client.put(source(), { headers })).rootDigest).toEqual(EMPTY.bytes);
    await close();
  });

  test.each([put, "/tvix.castore.v1.BlobService/Put", "/tvix.castore.v1.BlobService/Stat"])(
    "ends %s, of which half has come",
    async (path) => {
      const { url, close } = await runningServer();
      const answer = await callRaw(url, path, undefined, { "grpc-timeout": "100m" });
      expect(answer["grpc-status"]).toBe(String(Code.DeadlineExceeded));
      await close();
    },
  );

  test.each([
    put,
    "/tvix.castore.v1.BlobService/Put",
    "/tvix.castore.v1.BlobService/Read",
    "/tvix.castore.v1.BlobService/Stat",
  ])("that is none is refused by %s", async (path) => {
    const { url, close } = await runningServer();
    for (const timeout of ["soon", "1", "123456789S", "-1S", ""]) {
      const answer = await callRaw(url, path, new Uint8Array(0), { "grpc-timeout": timeout });
      expect(answer["grpc-status"]).toBe(String(Code.InvalidArgument));
    }
    await close();
  });

  test("ends a call of Connect over HTTP/1.1, of which half has come", async () => {
    const { port, close } = await runningServer();
    const socket = connectTcp(port, "127.0.0.1");
    socket.write(
      "POST /tvix.castore.v1.BlobService/Stat HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n" +
        "Connect-Timeout-Ms: 100\r\nContent-Length: 100\r\n\r\nhalf",
    );
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/deadline_exceeded/);
    socket.destroy();
    await close();
  });
});

describe("gRPC-Web in base64, which is what its official client asks for", () => {
  async function post(url: string, path: string, body: string) {
    const headers = { "content-type": "application/grpc-web-text", "x-grpc-web": "1" };
    const response = await fetch(`${url}/${path}`, { method: "POST", headers, body });
    expect(response.headers.get("content-type")).toBe("application/grpc-web-text+proto");
    // Texts one after the other, each with its padding.
    const texts = (await response.text()).match(/[^=]+=*/g) ?? [];
    return Buffer.concat(texts.map((text) => Buffer.from(text, "base64")));
  }

  test("a call with one answer, and one with several", async () => {
    const { url, directoryService, close } = await runningServer();
    const digest = await directoryService.put(Directory.of([]));
    const stat = framed(
      toBinary(StatBlobRequestSchema, create(StatBlobRequestSchema, { digest: new Uint8Array(32) })),
    );
    const missing = await post(url, "tvix.castore.v1.BlobService/Stat", stat.toString("base64"));
    expect(missing.toString()).toContain("grpc-status: 5");
    const byWhat = { case: "digest" as const, value: digest.bytes };
    const get = framed(toBinary(GetDirectoryRequestSchema, create(GetDirectoryRequestSchema, { byWhat })));
    // In two texts.
    const body = get.subarray(0, 7).toString("base64") + get.subarray(7).toString("base64");
    const found = await post(url, "snix.castore.v1.DirectoryService/Get", body);
    expect([...found.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
    expect(found.toString()).toContain("grpc-status: 0");
    await close();
  });
});

test.each(["/tvix.castore.v1.BlobService/Nothing", "/no.such.Service/Get", "/"])(
  "%s is UNIMPLEMENTED to a client of gRPC",
  async (path) => {
    const { url, close } = await runningServer();
    const answer = await callRaw(url, path, new Uint8Array(0));
    expect([answer[":status"], answer["grpc-status"]]).toEqual([200, "12"]);
    expect(answer["grpc-message"]).toContain(path);
    await close();
  },
);

test("the message of a status reads as it was written, where it is ASCII", async () => {
  const { url, close } = await runningServer();
  const message = toBinary(
    StatBlobRequestSchema,
    create(StatBlobRequestSchema, { digest: new Uint8Array(3) }),
  );
  const answers = await Promise.all(
    ["Stat", "Read"].map((method) => callRaw(url, `/tvix.castore.v1.BlobService/${method}`, message)),
  );
  for (const answer of answers) expect(answer["grpc-message"]).toMatch(/^[^%]*digest[^%]*$/);
  await close();
});

describe("a message that is none", () => {
  const methods = [BlobService, DirectoryService, PathInfoService].flatMap(({ typeName, methods }) =>
    methods.filter(({ input }) => input.fields.length > 0).map(({ name }) => `/${typeName}/${name}`),
  );
  const nowhere = () => Promise.reject(new Error("not asked"));
  const store = {
    pathInfoService: {
      get: nowhere,
      put: nowhere,
      list: () => ({ [Symbol.asyncIterator]: () => ({ next: nowhere }) }),
    },
    narCalculationService: { calculateNar: nowhere },
  };

  /** Status and code of a call of which all these messages are sent, as gRPC and gRPC-Web tell them. */
  async function refusals(url: string, path: string, messages: readonly Uint8Array[]) {
    const body = Buffer.concat(messages.map((one) => framed(one)));
    const session = sessionTo(url);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let answer: Record<string, unknown> = {};
    for (const event of ["response", "trailers"]) {
      stream.on(event, (received) => {
        answer = { ...answer, ...received };
      });
    }
    stream.end(body).resume();
    await once(stream, "end");
    const web = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/grpc-web+proto" },
      body: new Uint8Array(body),
    });
    const trailers = await web.text();
    const inWeb = (name: string) =>
      web.headers.get(name) ?? new RegExp(`${name}: ?([\\w]+)`).exec(trailers)?.[1];
    return [
      [answer["grpc-status"], answer["tvix-error-code"]],
      [inWeb("grpc-status"), inWeb("tvix-error-code")],
    ];
  }

  /** The same of Connect, whose calls of one message are never without one, nor with two. */
  async function connectRefusal(url: string, path: string, message: Uint8Array) {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/proto" },
      body: new Uint8Array(message),
    });
    // Streams are no calls of one message in Connect.
    if (response.status !== 415) {
      const { code } = (await response.json()) as { code: string };
      return [response.status, code, response.headers.get("tvix-error-code")];
    }
    const stream = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/connect+proto" },
      body: new Uint8Array(framed(message)),
    });
    const end = await stream.text();
    const { error, metadata } = JSON.parse(end.slice(end.indexOf("{"))) as {
      error: { code: string };
      metadata: Record<string, string[]>;
    };
    return [400, error.code, metadata["tvix-error-code"]?.[0]];
  }

  const invalid = [String(Code.InvalidArgument), "INVALID_REQUEST"];
  const tooLarge = [String(Code.ResourceExhausted), "TOO_LARGE"];

  test.each(methods)("%s: INVALID_ARGUMENT by every protocol, with a code", async (path) => {
    const { url, close } = await runningServer({ store: store as never });
    const garbage = Uint8Array.of(0xff, 0xff, 0xff);
    expect(await refusals(url, path, [garbage])).toEqual([invalid, invalid]);
    expect(await connectRefusal(url, path, garbage)).toEqual([400, "invalid_argument", "INVALID_REQUEST"]);
    await close();
  });

  const ofOneMessage = methods.filter((path) => !/(castore.*Put)$/.test(path));

  test.each(ofOneMessage)("%s with no message or two: INVALID_ARGUMENT", async (path) => {
    const { url, close } = await runningServer({ store: store as never });
    const empty = new Uint8Array(0);
    expect(await refusals(url, path, [])).toEqual([invalid, invalid]);
    expect(await refusals(url, path, [empty, empty])).toEqual([invalid, invalid]);
    await close();
  });

  test.each(methods)("%s with a message too large: RESOURCE_EXHAUSTED", async (path) => {
    const { url, close } = await runningServer({ store: store as never, maxMessageBytes: 10 });
    const message = Uint8Array.of(0x7a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(await refusals(url, path, [message])).toEqual([tooLarge, tooLarge]);
    const [, code, errorCode] = await connectRefusal(url, path, message);
    expect([code, errorCode]).toEqual(["resource_exhausted", "TOO_LARGE"]);
    await close();
  });

  test.each(["/tvix.castore.v1.DirectoryService/Get", "/tvix.store.v1.PathInfoService/Get"])(
    "%s without saying of what: INVALID_ARGUMENT",
    async (path) => {
      const { url, close } = await runningServer({ store: store as never });
      const empty = new Uint8Array(0);
      expect(await refusals(url, path, [empty])).toEqual([invalid, invalid]);
      expect(await connectRefusal(url, path, empty)).toEqual([400, "invalid_argument", "INVALID_REQUEST"]);
      await close();
    },
  );

  test("what is not there, and a method that is not there, have a code too", async () => {
    const { url, close } = await runningServer();
    const stat = toBinary(
      StatBlobRequestSchema,
      create(StatBlobRequestSchema, { digest: new Uint8Array(32) }),
    );
    const notFound = [String(Code.NotFound), "NOT_FOUND"];
    for (const method of ["Stat", "Read"]) {
      const path = `/tvix.castore.v1.BlobService/${method}`;
      expect(await refusals(url, path, [stat])).toEqual([notFound, notFound]);
    }
    const unknown = await callRaw(url, "/tvix.castore.v1.BlobService/Delete", stat);
    expect([unknown["grpc-status"], unknown["tvix-error-code"]]).toEqual(["12", "UNIMPLEMENTED"]);
    await close();
  });
});

test.each(["foo", "https://app.example/", "https://app.example/path", "app.example", "null", "file:///x"])(
  "%s is no origin",
  (text) => {
    expect(() => parseOrigin(text)).toThrow("is no origin");
  },
);

test("a page of an allowed origin may call over HTTP/2 too", async () => {
  const { url, close } = await runningServer({ corsOrigins: ["https://app.example"] });
  const session = sessionTo(url);
  const ask = async (headers: Record<string, string>) => {
    const stream = session.request({ ":path": "/tvix.castore.v1.BlobService/Stat", ...headers });
    stream.end();
    const [answer] = await once(stream, "response");
    stream.resume();
    return answer;
  };
  const origin = "https://app.example";
  const preflight = { ":method": "OPTIONS", origin, "access-control-request-method": "POST" };
  expect((await ask(preflight))["access-control-allow-origin"]).toBe(origin);
  const call = { ":method": "POST", origin, "content-type": "application/json" };
  expect((await ask(call))["access-control-allow-origin"]).toBe(origin);
  await expect(runningServer({ corsOrigins: ["https://app.example/"] })).rejects.toThrow("is no origin");
  await close();
});
