import { formatContentAddress, type NixHash } from "@tvix/nix-compat";
import type { NarInfo } from "./narinfo.ts";

/** Writes a narinfo, in the order of fields that Nix has. */
export function formatNarInfo(info: NarInfo): string {
  const { quirks = {} } = info;
  const references = info.references.join(" ");
  const lines: (readonly [key: string, value: unknown])[] = [
    ["StorePath", info.storePath.toAbsolute()],
    ["URL", info.url],
    ["Compression", info.compression],
    ["FileHash", hashText(info.fileHash, quirks.fileHashHex)],
    ["FileSize", info.fileSize],
    ["NarHash", hashText(info.narHash, quirks.narHashHex)],
    ["NarSize", info.narSize],
    ["References", quirks.referencesMissing === true && references === "" ? undefined : references],
    ["Deriver", info.deriver ?? (quirks.unknownDeriver === true ? "unknown-deriver" : undefined)],
    ["System", info.system],
    ...info.signatures.map((signature) => ["Sig", signature] as const),
    ["CA", info.contentAddress && formatContentAddress(info.contentAddress)],
    ...(quirks.unknownFields ?? []),
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join("");
}

function hashText(hash: NixHash | undefined, hex: boolean | undefined): string | undefined {
  return hex === true && hash !== undefined ? `${hash.algorithm}:${hash.toHex()}` : hash?.toString();
}
