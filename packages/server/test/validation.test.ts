import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createGrpcTransport as createConnectGrpcTransport,
  createConnectTransport,
} from "@connectrpc/connect-node";
import { B3Digest } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import * as snix from "@tvix/protocol/snix/castore";
import { BlobService, DirectorySchema, DirectoryService } from "@tvix/protocol/tvix/castore";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runningServer } from "./running-server.ts";

const U64_MAX = 2n ** 64n - 1n;
const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const DIGEST = B3Digest.of(bytes("anything")).bytes;
const EMPTY = fixtures.DIRECTORY_A.digest().bytes;

interface Sent {
  directories?: { name: Uint8Array; digest: Uint8Array; size: bigint }[];
  files?: { name: Uint8Array; digest: Uint8Array; size: bigint; executable?: boolean }[];
  symlinks?: { name: Uint8Array; target: Uint8Array }[];
}

const directory = (name: string, size = 0n, digest: Uint8Array = EMPTY) => ({
  name: bytes(name),
  digest,
  size,
});
const file = (name: string, digest: Uint8Array = DIGEST) => ({ name: bytes(name), digest, size: 3n });
const symlink = (name: string, target = "t") => ({ name: bytes(name), target: bytes(target) });
/** A directory that no case stores: it comes first, so that it would be stored by mistake. */
const MARKER: Sent = { files: [file("marker")] };

/** The digest a directory would be stored under, if it were. */
function digestOf(sent: Sent): B3Digest {
  return B3Digest.of(
    toBinary(DirectorySchema, create(DirectorySchema, sent as MessageInitShape<typeof DirectorySchema>)),
  );
}

/** Each breaks one rule of the protocol. */
const BAD_UPLOADS: [rule: string, sent: Sent[], message: RegExp][] = [
  ["no directories", [], /got no directories/],
  ["an empty name", [MARKER, { files: [file("")] }], /directory #1: files\[0\]\.name: "" cannot be empty/],
  ["the name .", [MARKER, { directories: [directory(".")] }], /directories\[0\]\.name: "\." cannot be '\.'/],
  ["the name ..", [MARKER, { symlinks: [symlink("..")] }], /symlinks\[0\]\.name: "\.\." cannot be '\.\.'/],
  ["a name of 256 bytes", [MARKER, { files: [file("x".repeat(256))] }], /cannot be over 255 bytes long/],
  ["a name with NUL", [MARKER, { files: [file("a\0b")] }], /"a\\x00b" cannot contain null bytes/],
  ["a name with a slash", [MARKER, { files: [file("a/b")] }], /"a\/b" cannot contain slashes/],
  [
    "an empty target",
    [MARKER, { symlinks: [symlink("a", "")] }],
    /symlinks\[0\]\.target: "" cannot be empty/,
  ],
  [
    "a target of 4096 bytes",
    [MARKER, { symlinks: [symlink("a", "x".repeat(4096))] }],
    /cannot be over 4095 bytes long/,
  ],
  ["a target with NUL", [MARKER, { symlinks: [symlink("a", "x\0")] }], /"x\\x00" cannot contain null bytes/],
  [
    "a digest of 31 bytes",
    [MARKER, { files: [file("a", DIGEST.subarray(1))] }],
    /files\[0\]\.digest: invalid digest length: 31, expected 32/,
  ],
  [
    "a digest of 33 bytes",
    [MARKER, { directories: [directory("a", 0n, new Uint8Array(33))] }],
    /directories\[0\]\.digest: invalid digest length: 33/,
  ],
  [
    "no digest",
    [MARKER, { files: [file("a", new Uint8Array(0))] }],
    /files\[0\]\.digest: invalid digest length: 0/,
  ],
  [
    "unsorted directories",
    [{}, { directories: [directory("b"), directory("a")] }],
    /directories\[1\]\.name: "a" is not sorted/,
  ],
  ["unsorted files", [MARKER, { files: [file("b"), file("a")] }], /files\[1\]\.name: "a" is not sorted/],
  [
    "unsorted links",
    [MARKER, { symlinks: [symlink("b"), symlink("a")] }],
    /symlinks\[1\]\.name: "a" is not sorted/,
  ],
  [
    "a name twice in a list",
    [MARKER, { files: [file("a"), file("a")] }],
    /files\[1\]\.name: "a" is a duplicate name/,
  ],
  [
    "a name in two lists",
    [MARKER, { files: [file("a")], symlinks: [symlink("a")] }],
    /"a" is a duplicate name/,
  ],
  [
    "a size that overflows",
    [MARKER, { directories: [directory("a", U64_MAX)] }],
    /total size exceeds 64 bits/,
  ],
  [
    "sizes that overflow together",
    [MARKER, { directories: [directory("a", U64_MAX / 2n), directory("b", U64_MAX / 2n)] }],
    /total size exceeds 64 bits/,
  ],
  [
    "a child that was not sent",
    [MARKER, { directories: [directory("a", 1n, DIGEST)] }],
    /directory #1: "a": unknown directory was referenced/,
  ],
  [
    "a parent before its child",
    [{ directories: [directory("a")] }, {}],
    /directory #0: "a": unknown directory was referenced/,
  ],
  [
    "a child of the wrong size",
    [{}, { directories: [directory("a", 42n)] }],
    /"a" has wrong size, specified 42, recorded 0/,
  ],
  ["two roots", [MARKER, { files: [file("another root")] }], /graph has no single root, but 2/],
];

const TRANSPORTS: Record<string, (url: string) => Transport> = {
  "our gRPC": (url) => createGrpcTransport({ url }),
  "Connect's gRPC": (baseUrl) => createConnectGrpcTransport({ baseUrl }),
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
};

let server: Awaited<ReturnType<typeof runningServer>>;
beforeEach(async () => {
  server = await runningServer({ maxMessageBytes: 4 << 20 });
});
afterEach(async () => await server.close());

async function failureOf(call: Promise<unknown> | (() => Promise<unknown>)): Promise<ConnectError> {
  try {
    await (typeof call === "function" ? call() : call);
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the call has succeeded");
}

async function* each<T>(items: Iterable<T>): AsyncIterable<T> {
  yield* items;
}

describe.each(Object.entries(TRANSPORTS))("over %s", (_, connect) => {
  const directories = () => createClient(DirectoryService, connect(server.url));
  const blobs = () => createClient(BlobService, connect(server.url));

  test.each(BAD_UPLOADS)(
    "Put of directories refuses %s, and stores nothing",
    async (_rule, sent, message) => {
      const error = await failureOf(directories().put(each(sent)));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toMatch(message);
      expect(error.rawMessage).not.toMatch(/node_modules|\.[jt]s:/);
      for (const one of sent) expect(await server.directoryService.get(digestOf(one))).toBeUndefined();
    },
  );

  test.each([0, 31, 33])("a digest of %i bytes is INVALID_ARGUMENT everywhere", async (length) => {
    const digest = new Uint8Array(length);
    const calls = [
      () => blobs().stat({ digest }),
      () => Array.fromAsync(blobs().read({ digest })),
      () => Array.fromAsync(directories().get({ byWhat: { case: "digest", value: digest } })),
      () =>
        Array.fromAsync(directories().get({ byWhat: { case: "digest", value: digest }, recursive: true })),
    ];
    for (const call of calls) {
      const error = await failureOf(call);
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toBe(`digest: invalid digest length: ${length}, expected 32 bytes`);
    }
  });

  test("a Get without a digest is INVALID_ARGUMENT", async () => {
    const error = await failureOf(Array.fromAsync(directories().get({})));
    expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: "invalid by_what: not set" });
  });

  test("what is not there is NOT_FOUND, and an empty stream where a tree was asked for", async () => {
    const digest = DIGEST;
    const text = `${B3Digest.from(digest)}`;
    for (const call of [() => blobs().stat({ digest }), () => Array.fromAsync(blobs().read({ digest }))]) {
      expect(await failureOf(call)).toMatchObject({
        code: Code.NotFound,
        rawMessage: `blob ${text} not found`,
      });
    }
    const byWhat = { case: "digest" as const, value: digest };
    expect(await failureOf(Array.fromAsync(directories().get({ byWhat })))).toMatchObject({
      code: Code.NotFound,
      rawMessage: `directory ${text} not found`,
    });
    expect(await Array.fromAsync(directories().get({ byWhat, recursive: true }))).toEqual([]);
  });

  test("a message over the limit is refused before it is read, and stores nothing", async () => {
    const data = new Uint8Array((4 << 20) + 1);
    const error = await failureOf(blobs().put(each([{ data }])));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(await server.blobService.has(B3Digest.of(data))).toBe(false);
    const fits = new Uint8Array((4 << 20) - 16);
    expect((await blobs().put(each([{ data: fits }]))).digest).toEqual(B3Digest.of(fits).bytes);
  });

  test("a Put without messages, and one of empty messages, store the empty blob", async () => {
    expect((await blobs().put(each([]))).digest).toEqual(EMPTY);
    expect((await blobs().put(each([{ data: bytes("") }, {}]))).digest).toEqual(EMPTY);
  });

  test("the other name space serves the same", async () => {
    const other = createClient(snix.BlobService, connect(server.url));
    const { digest } = await other.put(each([{ data: bytes("both names") }]));
    expect((await blobs().stat({ digest })).chunks).toEqual([]);
    const client = createClient(snix.DirectoryService, connect(server.url));
    const { rootDigest } = await client.put(each([{}, { directories: [directory("a")] }]));
    const found = await Array.fromAsync(
      client.get({ byWhat: { case: "digest", value: rootDigest }, recursive: true }),
    );
    expect(found).toHaveLength(2);
  });
});

test("an unexpected failure tells a client nothing, and its cause goes to the log", async () => {
  const broken = await runningServer({
    blobService: {
      ...server.blobService,
      has: async () => false,
      read: async () => {
        throw new Error("/var/lib/secret/path is broken");
      },
      put: async () => {
        throw new Error("/var/lib/secret/path is broken");
      },
      chunks: async () => {
        throw new Error("/var/lib/secret/path is broken");
      },
    },
  });
  for (const connect of Object.values(TRANSPORTS)) {
    const blobs = createClient(BlobService, connect(broken.url));
    const calls = [
      () => blobs.stat({ digest: DIGEST }),
      () => Array.fromAsync(blobs.read({ digest: DIGEST })),
      () => blobs.put(each([{}])),
    ];
    for (const call of calls) {
      expect(await failureOf(call)).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    }
  }
  await broken.close();
});
