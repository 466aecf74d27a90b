import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStream } from "@tvix/byte-stream";
import {
  B3Digest,
  decodeDirectory,
  MemoryBlobService,
  MemoryDirectoryService,
  UNLIMITED_MEMORY,
} from "@tvix/castore";
import { parseListing } from "@tvix/nar";
import { parseUpstreamAddress } from "@tvix/nar-bridge";
import { PublicKey, parseCacheInfo, parseNarInfo, SecretKey, Signature } from "@tvix/narinfo";
import { decodeNixbase32, NixHash, parseContentAddress, StorePath } from "@tvix/nix-compat";
import { parseListenAddress } from "@tvix/server";
import { decodeNamelessNode, decodePathInfo, ingestNar } from "@tvix/store";
import { decodeChunkRecord } from "../../../packages/castore/src/chunks/chunk-record.ts";
import { B3Digest as SomeDigest } from "../../../packages/castore/src/digest/b3-digest.ts";
import { decodeChunks, decodeRecord } from "../../../packages/castore/src/records/chunk-list-codec.ts";
import { decodeChanges } from "../../../packages/castore-packs/src/journal/change-codec.ts";
import { readBlocks } from "../../../packages/castore-packs/src/journal/read-blocks.ts";
import { scanPack } from "../../../packages/castore-packs/src/scan-pack.ts";
import { parseRange } from "../../../packages/http-resource/src/byte-range.ts";
import { COMPRESSIONS } from "../../../packages/nar-bridge/src/compression/compression.ts";
import { decompress } from "../../../packages/nar-bridge/src/compression/decompress.ts";
import { detectCompression } from "../../../packages/nar-bridge/src/compression/detect.ts";
import { findInNetrc } from "../../../packages/nar-bridge/src/upstream/netrc.ts";
import { parseGrpcPeer } from "../../../packages/server/src/compose/grpc-peer.ts";
import { readComposition } from "../../../packages/server/src/compose/read-composition.ts";
import { entryOfAddress } from "../../../packages/server/src/compose/registry.ts";

/** A parser of bytes from outside: it gives something, or fails as it says that it does. */
export interface Target {
  parse(bytes: Uint8Array): unknown;
  /** Names of the errors that it fails with. */
  readonly errors: readonly string[];
}

const utf8 = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const KINDS = ["blob", "directory", "path-info"] as const;
const CASTORE = ["CastoreError", "RangeError"];
const WRONG_ADDRESS = ["RangeError", "TypeError", "NarInfoError", "UsageError"];

/** In pieces of a few bytes as well as whole. */
async function* pieces(bytes: Uint8Array): ByteStream {
  const step = 1 + (bytes.length % 61) * 7;
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

/** Lets a reader of files read bytes. */
async function inFile(
  bytes: Uint8Array,
  read: (handle: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fuzz-"));
  try {
    await writeFile(join(folder, "file"), bytes);
    const handle = await open(join(folder, "file"));
    await read(handle).finally(() => handle.close());
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function drain(stream: AsyncIterable<Uint8Array>, most: number): Promise<void> {
  let length = 0;
  for await (const piece of stream) {
    length += piece.length;
    if (length > most) return;
  }
}

const LIMITS = { memory: UNLIMITED_MEMORY, maxWindowBytes: 8 << 20 };

/** Every parser of bytes from outside, by the folder of its corpus. */
export const TARGETS: Readonly<Record<string, Target>> = {
  nar: {
    parse: (bytes) =>
      ingestNar(pieces(bytes), {
        blobService: new MemoryBlobService(),
        directoryService: new MemoryDirectoryService(),
      }),
    errors: ["NarError", "CastoreError", "StoreError"],
  },
  narinfo: { parse: (bytes) => parseNarInfo(utf8(bytes)), errors: ["NarInfoError", "NixCompatError"] },
  "cache-info": { parse: (bytes) => parseCacheInfo(utf8(bytes)), errors: ["NarInfoError"] },
  listing: { parse: (bytes) => parseListing(utf8(bytes)), errors: ["NarError"] },
  directory: { parse: (bytes) => decodeDirectory(bytes, B3Digest.of(bytes)), errors: ["CastoreError"] },
  "path-info": {
    parse: decodePathInfo,
    errors: ["StoreError", "CastoreError", "NixCompatError", "NarInfoError", "Error"],
  },
  node: { parse: decodeNamelessNode, errors: ["StoreError", "CastoreError", "Error"] },
  "chunk-list": { parse: (bytes) => [...decodeChunks(decodeRecord(bytes).tail)], errors: CASTORE },
  "chunk-record": { parse: (bytes) => decodeChunkRecord(bytes, SomeDigest.of(bytes)), errors: CASTORE },
  changes: { parse: decodeChanges, errors: ["RangeError"] },
  journal: {
    parse: (bytes) =>
      inFile(bytes, async (handle) => {
        for await (const { kind, payload } of readBlocks(handle, 0))
          if (kind === "changes") decodeChanges(payload);
      }),
    errors: ["RangeError"],
  },
  pack: {
    parse: (bytes) =>
      inFile(bytes, async (handle) => {
        for await (const _ of scanPack(handle, 0));
      }),
    errors: [],
  },
  "compressed-nar": {
    async parse(bytes) {
      await detectCompression(pieces(bytes));
      for (const compression of COMPRESSIONS) {
        await drain(decompress(pieces(bytes), compression, LIMITS), 4 << 20).catch((error) => {
          if (error.name !== "NarBridgeError") throw error;
        });
      }
    },
    errors: ["NarBridgeError"],
  },
  key: { parse: (bytes) => PublicKey.parse(utf8(bytes)), errors: ["NarInfoError"] },
  "secret-key": { parse: (bytes) => SecretKey.parse(utf8(bytes)), errors: ["NarInfoError"] },
  signature: { parse: (bytes) => Signature.parse(utf8(bytes)), errors: ["NarInfoError"] },
  "store-path": { parse: (bytes) => StorePath.fromAbsoluteWithRest(utf8(bytes)), errors: ["NixCompatError"] },
  hash: { parse: (bytes) => NixHash.parse(utf8(bytes)), errors: ["NixCompatError"] },
  nixbase32: { parse: (bytes) => decodeNixbase32(utf8(bytes)), errors: ["NixCompatError"] },
  "content-address": { parse: (bytes) => parseContentAddress(utf8(bytes)), errors: ["NixCompatError"] },
  digest: { parse: (bytes) => B3Digest.parse(utf8(bytes)), errors: ["CastoreError"] },
  range: { parse: (bytes) => parseRange(utf8(bytes), 1000), errors: [] },
  netrc: {
    parse: (bytes) => findInNetrc(utf8(bytes), "example.org"),
    errors: ["Error", "TypeError", "RangeError"],
  },
  upstream: { parse: (bytes) => parseUpstreamAddress(utf8(bytes)), errors: WRONG_ADDRESS },
  peer: { parse: (bytes) => parseGrpcPeer(utf8(bytes)), errors: WRONG_ADDRESS },
  "service-address": {
    parse: (bytes) => KINDS.map((kind) => entryOfAddress(kind, utf8(bytes))),
    errors: WRONG_ADDRESS,
  },
  "listen-address": { parse: (bytes) => parseListenAddress(utf8(bytes)), errors: WRONG_ADDRESS },
  composition: { parse: (bytes) => readComposition(utf8(bytes)), errors: [] },
};
