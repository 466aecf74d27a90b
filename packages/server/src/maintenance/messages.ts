import type { MessageInitShape } from "@bufbuild/protobuf";
import { B3Digest } from "@tvix/castore";
import { StorePath } from "@tvix/nix-compat";
import {
  type CollectionDone,
  type CollectionDoneSchema,
  type ContentCounts,
  type PathThatGoes as PathMessage,
  PathThatGoes_Reason,
  type Pin,
} from "@tvix/protocol/maintenance";
import { StoreError } from "@tvix/store";
import type { CollectionResult, ContentsFound, GoingPath, NamedPin } from "./maintenance.ts";

type Plain<T> = Omit<T, "$typeName" | "$unknown">;

export function formatContents(found: ContentsFound): Plain<ContentCounts> {
  const { blobs, chunks, directories, bytes } = found;
  return {
    blobs: BigInt(blobs),
    chunks: BigInt(chunks),
    directories: BigInt(directories),
    bytes: BigInt(bytes),
  };
}

export function parseContents({ blobs, chunks, directories, bytes }: ContentCounts): ContentsFound {
  return {
    blobs: Number(blobs),
    chunks: Number(chunks),
    directories: Number(directories),
    bytes: Number(bytes),
  };
}

export function formatResult(result: CollectionResult): MessageInitShape<typeof CollectionDoneSchema> {
  const { paths, removed, condemned, due, freedBytes, damaged } = result;
  return {
    paths: BigInt(paths),
    ...(removed === undefined ? {} : { removed: formatContents(removed) }),
    ...(condemned === undefined ? {} : { condemned: formatContents(condemned) }),
    ...(due === undefined ? {} : { due: BigInt(due) }),
    freedBytes: BigInt(freedBytes),
    damaged: BigInt(damaged),
  };
}

export function parseResult(message: CollectionDone): CollectionResult {
  const { paths, removed, condemned, due, freedBytes, damaged } = message;
  return {
    paths: Number(paths),
    removed: removed && parseContents(removed),
    condemned: condemned && parseContents(condemned),
    due: due === undefined ? undefined : Number(due),
    freedBytes: Number(freedBytes),
    damaged: Number(damaged),
  };
}

export function formatGoing({ storePath, reason }: GoingPath): Plain<PathMessage> {
  return { storePath, reason: reason === "size" ? PathThatGoes_Reason.SIZE : PathThatGoes_Reason.UNUSED };
}

export function parseGoing({ storePath, reason }: PathMessage): GoingPath {
  return { storePath, reason: reason === PathThatGoes_Reason.SIZE ? "size" : "unused" };
}

export function formatPin({ name, object }: NamedPin): Plain<Pin> {
  if (object instanceof StorePath) return { name, target: { case: "storePath", value: object.toAbsolute() } };
  const { type, digest } = object;
  return { name, target: { case: type === "directory" ? "directory" : "blob", value: digest.bytes } };
}

/** @throws StoreError INVALID_NAME, CastoreError INVALID_DIGEST, NixCompatError */
export function parsePin({ name, target }: Pin): NamedPin {
  if (target.case === "storePath") return { name, object: StorePath.fromAbsolute(target.value) };
  if (target.case === undefined) throw new StoreError("INVALID_NAME", "pin.target needs to be specified");
  const digest = B3Digest.from(target.value, `pin.${target.case}`);
  return { name, object: { type: target.case === "directory" ? "directory" : "file", digest } };
}
