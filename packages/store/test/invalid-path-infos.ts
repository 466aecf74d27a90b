import { create } from "@bufbuild/protobuf";
import { type PathInfo, PathInfoSchema } from "@tvix/protocol/tvix/store";
import { formatPathInfo } from "@tvix/store";
import { fixtures } from "@tvix/store/testing";

/** A valid message, with one thing changed. */
export function changed(
  change: (message: PathInfo, narinfo: NonNullable<PathInfo["narinfo"]>) => void,
): PathInfo {
  const message = formatPathInfo(fixtures.fullPathInfo(1));
  if (message.narinfo === undefined) throw new Error("a fixture has a narinfo");
  change(message, message.narinfo);
  return create(PathInfoSchema, message);
}

export const bytes = (length: number) => new Uint8Array(length);
const NAME = new TextEncoder().encode("00000000000000000000000000000000-dummy");

/** What is wrong, in the order of the checks, and what tvix says of it. */
export const INVALID: readonly (readonly [string, PathInfo, string])[] = [
  [
    "no narinfo",
    changed((message) => {
      delete message.narinfo;
    }),
    "The narinfo field is missing",
  ],
  [
    "a reference of 2 bytes",
    changed((message) => {
      message.references[1] = bytes(2);
    }),
    "Invalid length of digest at position 1, expected 20, got 2",
  ],
  [
    "a reference of 2 bytes too many",
    changed((message) => {
      message.references.push(bytes(2));
    }),
    "Invalid length of digest at position 2, expected 20, got 2",
  ],
  [
    "no names of references",
    changed((_, narinfo) => {
      narinfo.referenceNames = [];
    }),
    "Inconsistent Number of References: 2 (references) vs 0 (narinfo)",
  ],
  [
    "a name of a reference that is an absolute path",
    changed(
      (_, narinfo) => (narinfo.referenceNames[0] = "/nix/store/00000000000000000000000000000000-dummy"),
    ),
    "Invalid reference_name at position 0: /nix/store/00000000000000000000000000000000-dummy",
  ],
  [
    "a reference of another digest than its name",
    changed((message) => {
      message.references[0] = bytes(20).fill(0xff);
    }),
    "digest in reference_name at position 0 does not match digest in PathInfo, expected //////////////////////////8=, got AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  ],
  [
    "no node",
    changed((message) => {
      delete message.node;
    }),
    "No node present",
  ],
  [
    "a node without a kind",
    changed((message) => {
      message.node = { $typeName: "tvix.castore.v1.Node", node: { case: undefined } };
    }),
    'Invalid root node: "No node set"',
  ],
  [
    "a file without a digest",
    changed(({ node }) => {
      if (node?.node.case === "file") node.node.value.digest = bytes(0);
    }),
    'Invalid root node: "digest: invalid digest length: 0, expected 32 bytes"',
  ],
  [
    "a node without a name",
    changed(({ node }) => {
      if (node?.node.case === "file") node.node.value.name = bytes(0);
    }),
    'Invalid root node: "name: \\"\\" cannot be empty"',
  ],
  [
    "a node whose name is no store path",
    changed(({ node }) => {
      if (node?.node.case === "file") node.node.value.name = NAME.slice(1);
    }),
    "Failed to parse 0000000000000000000000000000000-dummy as StorePath: ",
  ],
  [
    "a hash of 2 bytes",
    changed((_, narinfo) => {
      narinfo.narSha256 = bytes(2);
    }),
    "Invalid narinfo.nar_sha256 length: expected 32, got 2",
  ],
  [
    "a deriver without a digest",
    changed((_, { deriver }) => {
      if (deriver) deriver.digest = bytes(0);
    }),
    "deriver field is invalid: ",
  ],
  [
    "a deriver without a name",
    changed((_, { deriver }) => {
      if (deriver) deriver.name = "";
    }),
    "deriver field is invalid: ",
  ],
  [
    "a signature of 63 bytes",
    changed((_, { signatures }) => {
      if (signatures[0]) signatures[0].data = bytes(63);
    }),
    "The signature at position 0 is invalid: Invalid signature len: (expected 88 b64-encoded, got 84)",
  ],
  [
    "a content address of another length",
    changed((_, { ca }) => {
      if (ca) ca.digest = bytes(20);
    }),
    "The ca field is invalid: Invalid digest length '20' for type FlatSha512",
  ],
  [
    "a content address of an unknown kind",
    changed((_, { ca }) => {
      if (ca) ca.type = 9 as never;
    }),
    "The ca field is invalid: Unknown hash type: 9",
  ],
  [
    "a NAR that is longer than any",
    changed((_, narinfo) => {
      narinfo.narSize = 2n ** 64n - 1n;
    }),
    "narinfo.nar_size: 18446744073709551615 is longer than any NAR",
  ],
];
