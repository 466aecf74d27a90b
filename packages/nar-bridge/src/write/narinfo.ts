import { equalBytes } from "@tvix/byte-stream";
import type { NarInfo, Signature } from "@tvix/narinfo";
import { parseNarInfo } from "@tvix/narinfo";
import type { KnownNar, PathInfo } from "@tvix/store";
import { NarBridgeError } from "../errors.ts";
import type { Bridge } from "../options.ts";
import { checkContentAddress } from "../trust/content-address.ts";
import { checkSignatures } from "../trust/signatures.ts";

/** Longest narinfo, in bytes. */
export const NARINFO_MAX_BYTES: number = 2 << 20;

/**
 * Stores what a narinfo tells of a path whose NAR is known. What it says of the file, such as
 * its compression, is of no account here.
 *
 * @throws NarInfoError; NarBridgeError PATH_MISMATCH, UNKNOWN_NAR, MISSING_REFERENCES,
 *   CONTENT_ADDRESS_MISMATCH, UNTRUSTED; StoreError NAR_SIZE_MISMATCH
 */
export async function storeNarInfo(bridge: Bridge, digest: Uint8Array, text: string): Promise<void> {
  const narInfo = parseNarInfo(text);
  const { storePath } = narInfo;
  if (!equalBytes(storePath.digest, digest)) {
    throw new NarBridgeError("PATH_MISMATCH", `the narinfo is that of ${storePath}, which belongs elsewhere`);
  }
  const nar = await knownNar(bridge, narInfo);
  await checkReferences(bridge, narInfo);
  const selfCertified = await checkContentAddress(bridge, narInfo, nar.node);
  if (!selfCertified) checkSignatures(narInfo, bridge.trust);

  const known = await bridge.pathInfoService.get(digest);
  const info = pathInfoOf(narInfo, nar);
  await bridge.narIndex.put({ ...nar, lasting: true });
  await bridge.pathInfoService.put({ ...info, signatures: mergedSignatures(info, known) });
}

/** The NAR that a narinfo tells of, as it was uploaded. */
async function knownNar({ narIndex }: Bridge, { narHash, narSize, storePath }: NarInfo): Promise<KnownNar> {
  const nar = await narIndex.get(narHash);
  if (nar === undefined) {
    const text = `the NAR ${narHash} of ${storePath} is not here: it has to be uploaded first`;
    throw new NarBridgeError("UNKNOWN_NAR", text);
  }
  if (nar.narSize !== narSize) {
    const text = `NarSize of ${storePath} is ${narSize}, and the NAR has ${nar.narSize} bytes`;
    throw new NarBridgeError("INVALID_REQUEST", text);
  }
  return nar;
}

async function checkReferences({ trust, pathInfoService }: Bridge, info: NarInfo): Promise<void> {
  if (trust.checkReferences !== true) return;
  const missing: string[] = [];
  for (const reference of info.references) {
    if (reference.equals(info.storePath)) continue;
    if ((await pathInfoService.get(reference.digest)) === undefined) missing.push(reference.toString());
  }
  if (missing.length === 0) return;
  const text = `${info.storePath} refers to what is not here: ${missing.slice(0, 10).join(", ")}`;
  throw new NarBridgeError("MISSING_REFERENCES", text);
}

function pathInfoOf(info: NarInfo, { node }: KnownNar): PathInfo {
  const { storePath, references, narSize, narHash, signatures, deriver, contentAddress } = info;
  return { storePath, node, references, narSize, narHash, signatures, deriver, contentAddress };
}

/** Signatures of both, where both are over the same. */
function mergedSignatures(info: PathInfo, known: PathInfo | undefined): readonly Signature[] {
  if (known === undefined || !isSameObject(info, known)) return info.signatures;
  const others = known.signatures.filter(
    (old) => !info.signatures.some((signature) => signature.equals(old)),
  );
  return [...info.signatures, ...others];
}

function isSameObject(one: PathInfo, other: PathInfo): boolean {
  const referencesOf = ({ references }: PathInfo) => references.map(String).sort().join();
  return one.narHash.equals(other.narHash) && referencesOf(one) === referencesOf(other);
}
