import { nodeToJson } from "@tvix/castore";
import { fingerprint } from "@tvix/narinfo";
import { formatContentAddress } from "@tvix/nix-compat";
import type { PathInfo } from "@tvix/store";

/** A path info as JSON, with the names that `nix path-info --json` uses. */
export function pathInfoToJson(info: PathInfo): Record<string, unknown> {
  return {
    path: info.storePath.toAbsolute(),
    narHash: info.narHash.toSri(),
    narSize: info.narSize,
    references: info.references.map((reference) => reference.toAbsolute()),
    deriver: info.deriver?.toAbsolute() ?? null,
    signatures: info.signatures.map(String),
    ca: info.contentAddress === undefined ? null : formatContentAddress(info.contentAddress),
    fingerprint: fingerprint(info),
    node: nodeToJson(info.node),
  };
}

/** A path info as lines for people, with the names that narinfos use. */
export function pathInfoToText(info: PathInfo): string {
  const { node } = info;
  const lines: (readonly [string, unknown])[] = [
    ["StorePath", info.storePath.toAbsolute()],
    ["NarHash", info.narHash],
    ["NarSize", info.narSize],
    ["References", info.references.join(" ")],
    ["Deriver", info.deriver],
    ...info.signatures.map((signature) => ["Sig", signature] as const),
    ["CA", info.contentAddress && formatContentAddress(info.contentAddress)],
    ["Contents", node.type === "symlink" ? `symlink to ${node.target}` : `${node.type} ${node.digest}`],
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join("");
}
