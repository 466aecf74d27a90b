import { createHash } from "node:crypto";
import type { Node } from "@tvix/castore";
import type { NarInfo } from "@tvix/narinfo";
import {
  buildContentAddressedPath,
  type ContentAddress,
  type NixHash,
  type StorePath,
  type StorePathReferences,
} from "@tvix/nix-compat";
import { renderNar } from "@tvix/store";
import { NarBridgeError } from "../errors.ts";
import type { Bridge } from "../options.ts";

/**
 * Checks the content address of a path, where there is one: its name has to follow from it,
 * and it has to be that of the contents. Where a path refers to itself, Nix leaves these places
 * out of the hash, and the contents are not compared.
 *
 * @returns whether the path certifies itself, and so needs no signature
 * @throws NarBridgeError CONTENT_ADDRESS_MISMATCH
 */
export async function checkContentAddress(bridge: Bridge, info: NarInfo, node: Node): Promise<boolean> {
  const { storePath, contentAddress, references } = info;
  if (contentAddress === undefined) return false;
  const self = references.some((reference) => reference.equals(storePath));
  const others = references.filter((reference) => !reference.equals(storePath));
  const named = nameOf(info, { references: others, self });
  if (!named.equals(storePath)) {
    throw mismatch(`the CA of ${storePath} is that of ${named}`);
  }
  if (self) return false;
  const found = await hashOf(bridge, node, contentAddress, info.narHash);
  if (!Buffer.from(found).equals(contentAddress.hash.digest)) {
    throw mismatch(`the contents of ${storePath} are not those that its CA states`);
  }
  return true;
}

/**
 * Whether the name of a path follows from its content address, so that contents that have the
 * address prove the path, and nobody needs to sign it. One that refers to itself does not count:
 * its contents are not compared.
 */
export function certifiesItself(info: NarInfo): boolean {
  const { storePath, contentAddress, references } = info;
  if (contentAddress === undefined || references.some((path) => path.equals(storePath))) return false;
  try {
    return nameOf(info, { references, self: false }).equals(storePath);
  } catch (error) {
    if (NarBridgeError.is(error)) return false;
    throw error;
  }
}

function nameOf({ storePath, contentAddress }: NarInfo, references: StorePathReferences): StorePath {
  try {
    return buildContentAddressedPath(storePath.name, contentAddress as ContentAddress, references);
  } catch (cause) {
    throw mismatch(`the CA of ${storePath} names no path: ${(cause as Error).message}`, cause);
  }
}

/** The hash of the NAR, or of the contents of the only file. */
async function hashOf(
  bridge: Bridge,
  node: Node,
  { method, hash: { algorithm } }: ContentAddress,
  narHash: NixHash,
): Promise<Uint8Array> {
  if (method === "nar" && algorithm === "sha256") return narHash.digest;
  const hash = createHash(algorithm);
  for await (const piece of method === "nar" ? renderNar(node, bridge) : await contentsOf(bridge, node)) {
    hash.update(piece);
  }
  return hash.digest();
}

async function contentsOf({ blobService }: Bridge, node: Node) {
  if (node.type !== "file") throw mismatch("the CA is that of a single file, and the contents are none");
  const stream = await blobService.read(node.digest);
  if (stream === undefined) throw mismatch(`blob ${node.digest} is not here`);
  return stream;
}

function mismatch(text: string, cause?: unknown): NarBridgeError {
  return new NarBridgeError("CONTENT_ADDRESS_MISMATCH", text, { cause });
}
