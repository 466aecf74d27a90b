import { formatContentAddress } from "@tvix/nix-compat";
import { joinFields } from "./fields.ts";
import { isKeyName } from "./keys/named.ts";
import type { NarInfo } from "./narinfo.ts";

/**
 * Writes a narinfo, in the order of fields that Nix has. A signature whose name no key can have is
 * left out.
 *
 * @throws NarInfoError INVALID_NARINFO when a value has a line feed
 */
export function formatNarInfo(info: NarInfo): string {
  const { quirks = {} } = info;
  const { texts = {}, otherSignatures = [], unknownFields = [] } = quirks;
  const own = (key: string, value: unknown, text: string | undefined) => {
    const read = texts[key];
    const shown = read !== undefined && read.value === value ? read.text : text;
    return shown === undefined ? [] : [[key, shown] as const];
  };
  const references = info.references.join(" ");
  const noReferences = quirks.referencesMissing === true && references === "";
  return joinFields([
    ["StorePath", info.storePath.toAbsolute()],
    ["URL", info.url],
    ...own("Compression", info.compression, info.compression),
    ...own("FileHash", info.fileHash, info.fileHash?.toString()),
    ...own("FileSize", info.fileSize, info.fileSize?.toString()),
    ...own("NarHash", info.narHash, info.narHash.toString()),
    ...own("NarSize", info.narSize, info.narSize.toString()),
    ...own("References", info.references, noReferences ? undefined : references),
    ...own("Deriver", info.deriver, info.deriver?.toString()),
    ...own("System", info.system, info.system),
    ...info.signatures
      .filter(({ name }) => isKeyName(name))
      .map((signature) => ["Sig", signature.toString()] as const),
    ...otherSignatures.map((signature) => ["Sig", signature] as const),
    ...own("CA", info.contentAddress, info.contentAddress && formatContentAddress(info.contentAddress)),
    ...unknownFields,
  ]);
}
