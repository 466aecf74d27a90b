import type { BlobService, DirectoryService, Node, OperationOptions } from "@tvix/castore";
import {
  buildContentAddressedPath,
  type ContentAddress,
  NixHash,
  type StorePath,
  type StorePathReferences,
} from "@tvix/nix-compat";
import { createHasher } from "#hasher";
import { StoreError } from "../errors/store-error.ts";
import { renderNar } from "../nar/render.ts";

/** What is looked at of a path that states a content address. */
export interface ContentAddressed {
  readonly storePath: StorePath;
  readonly references: readonly StorePath[];
  readonly contentAddress: ContentAddress | undefined;
  /** SHA-256 of its NAR, which the contents have been compared with. */
  readonly narHash: NixHash;
}

/** Where contents are read from. */
export interface ContentServices {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
}

/**
 * Checks the content address of a path, where there is one: its name has to follow from it,
 * and it has to be that of the contents. Where a path refers to itself, Nix leaves these places
 * out of the hash, and the contents are not compared.
 *
 * @returns whether the path certifies itself, and so needs no signature
 * @throws StoreError CONTENT_ADDRESS_MISMATCH
 */
export async function checkContentAddress(
  services: ContentServices,
  info: ContentAddressed,
  node: Node,
  options: OperationOptions = {},
): Promise<boolean> {
  const { storePath, contentAddress, references } = info;
  if (contentAddress === undefined) return false;
  const self = references.some((reference) => reference.equals(storePath));
  const others = references.filter((reference) => !reference.equals(storePath));
  const named = nameOf(storePath, contentAddress, { references: others, self });
  if (!named.equals(storePath)) {
    throw mismatch(`the CA of ${storePath} is that of ${named}`);
  }
  if (self) return false;
  const found = await hashOf(services, node, contentAddress, info.narHash, options);
  if (!contentAddress.hash.equals(found)) {
    throw mismatch(`the contents of ${storePath} are not those that its CA states`);
  }
  return true;
}

/**
 * Whether the name of a path follows from its content address, so that contents that have the
 * address prove the path, and nobody needs to sign it. One that refers to itself does not count:
 * its contents are not compared.
 */
export function certifiesItself(info: Omit<ContentAddressed, "narHash">): boolean {
  const { storePath, contentAddress, references } = info;
  if (contentAddress === undefined || references.some((path) => path.equals(storePath))) return false;
  try {
    return nameOf(storePath, contentAddress, { references, self: false }).equals(storePath);
  } catch (error) {
    if (StoreError.is(error)) return false;
    throw error;
  }
}

function nameOf(
  storePath: StorePath,
  contentAddress: ContentAddress,
  references: StorePathReferences,
): StorePath {
  try {
    return buildContentAddressedPath(storePath.name, contentAddress, references);
  } catch (cause) {
    throw mismatch(`the CA of ${storePath} names no path: ${(cause as Error).message}`, cause);
  }
}

/** The hash of the NAR, or of the contents of the only file. */
async function hashOf(
  services: ContentServices,
  node: Node,
  { method, hash: { algorithm } }: ContentAddress,
  narHash: NixHash,
  options: OperationOptions,
): Promise<NixHash> {
  if (method === "nar" && algorithm === "sha256") return narHash;
  const hasher = createHasher(algorithm);
  const pieces =
    method === "nar" ? renderNar(node, services, options) : await contentsOf(services, node, options);
  for await (const piece of pieces) hasher.update(piece);
  return NixHash.from(algorithm, hasher.digest());
}

async function contentsOf({ blobService }: ContentServices, node: Node, options: OperationOptions) {
  if (node.type !== "file") throw mismatch("the CA is that of a single file, and the contents are none");
  const stream = await blobService.read(node.digest, options);
  if (stream === undefined) throw mismatch(`blob ${node.digest} is not here`);
  return stream;
}

function mismatch(text: string, cause?: unknown): StoreError {
  return new StoreError("CONTENT_ADDRESS_MISMATCH", text, { cause });
}
