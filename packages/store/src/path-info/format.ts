import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Node } from "@tvix/castore";
import type { ContentAddress, StorePath } from "@tvix/nix-compat";
import type { NodeSchema } from "@tvix/protocol/tvix/castore";
import {
  type NARInfo_CASchema,
  type PathInfo as PathInfoMessage,
  PathInfoSchema,
  type StorePathSchema,
} from "@tvix/protocol/tvix/store";
import { StoreError } from "../errors/store-error.ts";
import { CA_KINDS } from "./content-address-kinds.ts";
import { parsePathInfo } from "./parse.ts";
import type { PathInfo } from "./path-info.ts";

/**
 * A PathInfo as a message.
 *
 * @throws StoreError INVALID_PATH_INFO for a deriver without `.drv`, and a content address
 *   that messages cannot have
 */
export function formatPathInfo(info: PathInfo): PathInfoMessage {
  return create(PathInfoSchema, {
    node: formatNode(info.node, new TextEncoder().encode(info.storePath.toString())),
    references: info.references.map(({ digest }) => digest),
    narinfo: {
      narSize: BigInt(info.narSize),
      narSha256: info.narHash.digest,
      signatures: info.signatures.map(({ name, bytes }) => ({ name, data: bytes })),
      referenceNames: info.references.map(String),
      ...(info.deriver === undefined ? {} : { deriver: formatDeriver(info.deriver) }),
      ...(info.contentAddress === undefined ? {} : { ca: formatAddress(info.contentAddress) }),
    },
  });
}

/** A node as a message with a name, which may be empty. */
export function formatNode(node: Node, name: Uint8Array): MessageInitShape<typeof NodeSchema> {
  switch (node.type) {
    case "directory": {
      const value = { name, digest: node.digest.bytes, size: node.size };
      return { node: { case: "directory", value } };
    }
    case "file": {
      const value = { name, digest: node.digest.bytes, size: node.size, executable: node.executable };
      return { node: { case: "file", value } };
    }
    case "symlink":
      return { node: { case: "symlink", value: { name, target: node.target.bytes } } };
  }
}

/** The bytes of a PathInfo. */
export function encodePathInfo(info: PathInfo): Uint8Array {
  return toBinary(PathInfoSchema, formatPathInfo(info));
}

/** @throws StoreError INVALID_PATH_INFO when it is none */
export function decodePathInfo(bytes: Uint8Array): PathInfo {
  let message: PathInfoMessage;
  try {
    message = fromBinary(PathInfoSchema, bytes);
  } catch (cause) {
    throw new StoreError("INVALID_PATH_INFO", "not a PathInfo message", { cause });
  }
  return parsePathInfo(message);
}

function formatDeriver({ digest, name }: StorePath): MessageInitShape<typeof StorePathSchema> {
  if (!name.endsWith(".drv")) {
    throw new StoreError("INVALID_PATH_INFO", `the deriver ${name} does not end in .drv`);
  }
  return { digest, name: name.slice(0, -".drv".length) };
}

function formatAddress({ method, hash }: ContentAddress): MessageInitShape<typeof NARInfo_CASchema> {
  const kind = CA_KINDS.find((known) => known.method === method && known.algorithm === hash.algorithm);
  if (kind === undefined) {
    throw new StoreError(
      "INVALID_PATH_INFO",
      `no message has the content address ${method}:${hash.algorithm}`,
    );
  }
  return { type: kind.type, digest: hash.digest };
}
