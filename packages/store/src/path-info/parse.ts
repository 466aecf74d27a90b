import { encodeBase64 } from "@tvix/byte-stream";
import {
  B3Digest,
  CastoreError,
  type DirectoryNode,
  type FileNode,
  type Node,
  PathComponent,
  type SymlinkNode,
  SymlinkTarget,
} from "@tvix/castore";
import { SIGNATURE_LENGTH, Signature } from "@tvix/narinfo";
import { type ContentAddress, NixHash, STORE_PATH_DIGEST_LENGTH, StorePath } from "@tvix/nix-compat";
import type { Node as NodeMessage } from "@tvix/protocol/tvix/castore";
import type {
  NARInfo_CA,
  NARInfo_Signature,
  PathInfo as PathInfoMessage,
  StorePath as StorePathMessage,
} from "@tvix/protocol/tvix/store";
import { StoreError } from "../errors/store-error.ts";
import { CA_KINDS } from "./content-address-kinds.ts";
import type { PathInfo } from "./path-info.ts";

/**
 * Reads a PathInfo message, with the checks of tvix in their order and words, so that the
 * first thing that is wrong is the one reported.
 *
 * @throws StoreError INVALID_PATH_INFO with field and value
 */
export function parsePathInfo(message: PathInfoMessage): PathInfo {
  const { narinfo } = message;
  if (narinfo === undefined) throw invalid("The narinfo field is missing");
  const references = parseReferences(message.references, narinfo.referenceNames);
  const { name, node } = parseRootNode(message.node);
  const storePath = translated(
    (why) => `Failed to parse ${new TextDecoder().decode(name)} as StorePath: ${why}`,
    () => StorePath.fromBaseName(new TextDecoder("utf-8", { fatal: true }).decode(name)),
  );
  if (narinfo.narSha256.length !== 32) {
    throw invalid(`Invalid narinfo.nar_sha256 length: expected 32, got ${narinfo.narSha256.length}`);
  }
  return {
    storePath,
    node,
    references,
    narHash: NixHash.from("sha256", narinfo.narSha256),
    deriver: parseDeriver(narinfo.deriver),
    signatures: narinfo.signatures.map(parseSignature),
    contentAddress: parseContentAddress(narinfo.ca),
    narSize: parseNarSize(narinfo.narSize),
  };
}

/**
 * Reads a root node, with its name as it stands.
 *
 * @throws StoreError INVALID_PATH_INFO
 */
function parseRootNode(message: NodeMessage | undefined): { name: Uint8Array; node: Node } {
  if (message === undefined) throw invalid("No node present");
  return translated(
    (why) => `Invalid root node: ${JSON.stringify(why)}`,
    () => {
      const { name, node } = parseNode(message);
      return { name: PathComponent.from(name, "name").bytes, node };
    },
  );
}

/**
 * Reads a Node message; the name is not looked at.
 *
 * @throws CastoreError INVALID_NODE, INVALID_DIGEST or INVALID_SYMLINK_TARGET
 */
export function parseNode({ node }: NodeMessage): { name: Uint8Array; node: Node } {
  switch (node.case) {
    case "directory": {
      const { name, digest, size } = node.value;
      const parsed: DirectoryNode = { type: "directory", digest: B3Digest.from(digest), size };
      return { name, node: parsed };
    }
    case "file": {
      const { name, digest, size, executable } = node.value;
      const parsed: FileNode = { type: "file", digest: B3Digest.from(digest), size, executable };
      return { name, node: parsed };
    }
    case "symlink": {
      const { name, target } = node.value;
      const parsed: SymlinkNode = { type: "symlink", target: SymlinkTarget.from(target) };
      return { name, node: parsed };
    }
    default:
      throw new CastoreError("INVALID_NODE", "No node set");
  }
}

function parseReferences(digests: readonly Uint8Array[], names: readonly string[]): StorePath[] {
  digests.forEach(({ length }, index) => {
    if (length !== STORE_PATH_DIGEST_LENGTH) {
      throw invalid(
        `Invalid length of digest at position ${index}, expected ${STORE_PATH_DIGEST_LENGTH}, got ${length}`,
      );
    }
  });
  if (digests.length !== names.length) {
    throw invalid(
      `Inconsistent Number of References: ${digests.length} (references) vs ${names.length} (narinfo)`,
    );
  }
  return names.map((name, index) => {
    const reference = translated(
      () => `Invalid reference_name at position ${index}: ${name}`,
      () => StorePath.fromBaseName(name),
    );
    const [expected, found] = [digests[index] as Uint8Array, reference.digest].map(encodeBase64);
    if (expected === found) return reference;
    throw invalid(
      `digest in reference_name at position ${index} does not match digest in PathInfo, ` +
        `expected ${expected}, got ${found}`,
    );
  });
}

/** In messages the name of a derivation comes without its ending. */
function parseDeriver(message: StorePathMessage | undefined): StorePath | undefined {
  if (message === undefined) return undefined;
  return translated(
    (why) => `deriver field is invalid: ${why}`,
    () => {
      StorePath.from(message.digest, message.name);
      return StorePath.from(message.digest, `${message.name}.drv`);
    },
  );
}

function parseSignature({ name, data }: NARInfo_Signature, index: number): Signature {
  if (data.length === SIGNATURE_LENGTH) return Signature.from(name, data);
  const encoded = Math.ceil(data.length / 3) * 4;
  throw invalid(
    `The signature at position ${index} is invalid: Invalid signature len: ` +
      `(expected 88 b64-encoded, got ${encoded})`,
  );
}

function parseContentAddress(message: NARInfo_CA | undefined): ContentAddress | undefined {
  if (message === undefined) return undefined;
  const kind = CA_KINDS.find(({ type }) => type === message.type);
  if (kind === undefined) throw invalid(`The ca field is invalid: Unknown hash type: ${message.type}`);
  return {
    method: kind.method,
    hash: translated(
      () =>
        `The ca field is invalid: Invalid digest length '${message.digest.length}' for type ${kind.label}`,
      () => NixHash.from(kind.algorithm, message.digest),
    ),
  };
}

/** Not a check of tvix: no NAR is longer than 9 PB. */
function parseNarSize(size: bigint): number {
  if (size <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(size);
  throw invalid(`narinfo.nar_size: ${size} is longer than any NAR`);
}

function translated<T>(describe: (why: string) => string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new StoreError("INVALID_PATH_INFO", describe((cause as Error).message), { cause });
  }
}

function invalid(message: string): StoreError {
  return new StoreError("INVALID_PATH_INFO", message);
}
