import { equalBytes } from "@tvix/byte-stream";
import { extraFieldsOf, type NarInfo, parseNarInfo, type Signature } from "@tvix/narinfo";
import type { NixHash } from "@tvix/nix-compat";
import type { KnownNar, PathInfo } from "@tvix/store";
import type { FastifyBaseLogger } from "fastify";
import { NarBridgeError } from "../errors.ts";
import type { Bridge } from "../options.ts";
import { checkContentAddress } from "../trust/content-address.ts";
import { checkSignatures } from "../trust/signatures.ts";

/** Longest narinfo, in bytes. */
export const NARINFO_MAX_BYTES: number = 2 << 20;

/**
 * Stores what a narinfo tells of a path. What it says of the file, such as its compression, is of
 * no account here. Where its NAR is not here it is kept until that comes.
 *
 * @returns whether the path can be had now, or waits for its NAR
 * @throws NarInfoError; NarBridgeError PATH_MISMATCH, UNKNOWN_NAR when too much waits already,
 *   MISSING_REFERENCES, CONTENT_ADDRESS_MISMATCH, UNTRUSTED, INVALID_REQUEST
 */
export async function storeNarInfo(
  bridge: Bridge,
  digest: Uint8Array,
  text: string,
): Promise<"stored" | "pending"> {
  const narInfo = parseNarInfo(text);
  const { storePath, narHash } = narInfo;
  if (!equalBytes(storePath.digest, digest)) {
    throw new NarBridgeError("PATH_MISMATCH", `the narinfo is that of ${storePath}, which belongs elsewhere`);
  }
  await checkReferences(bridge, narInfo);
  const nar = await bridge.narIndex.get(narHash);
  if (nar !== undefined) {
    await storeComplete(bridge, narInfo, nar);
    return "stored";
  }
  // What certifies itself shows when the contents are here.
  if (narInfo.contentAddress === undefined) checkSignatures(narInfo, bridge.trust);
  if (!(await bridge.pendingNarInfos.put({ digest, narHash, text }))) {
    const why = `the NAR ${narHash} of ${storePath} is not here: it has to be uploaded first`;
    throw new NarBridgeError("UNKNOWN_NAR", why);
  }
  // It may have come in between, and then did not find this.
  const arrived = await bridge.narIndex.get(narHash);
  if (arrived === undefined) return "pending";
  await storeComplete(bridge, narInfo, arrived);
  await bridge.pendingNarInfos.remove({ digest, narHash });
  return "stored";
}

/** Stores the narinfos that have waited for a NAR. One that proves wrong now is dropped. */
export async function storePending(bridge: Bridge, narHash: NixHash, log: FastifyBaseLogger): Promise<void> {
  const nar = await bridge.narIndex.get(narHash);
  for (const pending of await bridge.pendingNarInfos.of(narHash)) {
    try {
      if (nar !== undefined) await storeComplete(bridge, parseNarInfo(pending.text), nar);
    } catch (error) {
      if (!NarBridgeError.is(error)) throw error;
      log.warn({ err: error }, "a narinfo that waited for its NAR is refused");
    }
    await bridge.pendingNarInfos.remove(pending);
  }
}

/** Stores what a narinfo tells of a path whose NAR is known. */
async function storeComplete(bridge: Bridge, narInfo: NarInfo, nar: KnownNar): Promise<void> {
  const { storePath, narSize } = narInfo;
  if (nar.narSize !== narSize) {
    const text = `NarSize of ${storePath} is ${narSize}, and the NAR has ${nar.narSize} bytes`;
    throw new NarBridgeError("INVALID_REQUEST", text);
  }
  const selfCertified = await checkContentAddress(bridge, narInfo, nar.node);
  if (!selfCertified) checkSignatures(narInfo, bridge.trust);

  const known = await bridge.pathInfoService.get(storePath.digest);
  const info = pathInfoOf(narInfo, nar.node);
  await bridge.narIndex.put({ ...nar, lasting: true });
  await bridge.narInfoExtras.put(storePath.digest, info.narHash, {
    fields: extraFieldsOf(narInfo),
    plain: false,
  });
  await bridge.pathInfoService.put({ ...info, signatures: mergedSignatures(info, known) });
  // Whoever asks for the narinfo next need not wait for it. It is measured then if not now.
  if (bridge.compression === "zstd") await bridge.narLengths.files(nar.node).catch(() => {});
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

/** What a narinfo tells of contents. */
export function pathInfoOf(info: NarInfo, node: PathInfo["node"]): PathInfo {
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
