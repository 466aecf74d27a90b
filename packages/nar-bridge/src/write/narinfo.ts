import { equalBytes } from "@tvix/byte-stream";
import type { OperationOptions } from "@tvix/castore";
import { extraFieldsOf, type NarInfo, parseNarInfo } from "@tvix/narinfo";
import type { NixHash } from "@tvix/nix-compat";
import {
  checkContentAddress,
  indexNar,
  type KnownNar,
  type PathInfo,
  StoreError,
  unitedSignatures,
} from "@tvix/store";
import type { FastifyBaseLogger } from "fastify";
import { NarBridgeError } from "../errors.ts";
import type { Bridge } from "../options.ts";

/** Longest narinfo, in bytes. */
export const NARINFO_MAX_BYTES: number = 2 << 20;

/**
 * Stores what a narinfo tells of a path. What it says of the file, such as its compression, is of
 * no account here. Where its NAR is not here it is fetched from the upstream that has offered it, as when a
 * path that nobody has asked for yet is signed; or the narinfo is kept until it comes.
 *
 * @param offered what upstreams have offered
 * @returns whether the path can be had now, or waits for its NAR
 * @throws NarInfoError; NarBridgeError PATH_MISMATCH, UNKNOWN_NAR when too much waits already,
 *   INVALID_REQUEST; StoreError CONTENT_ADDRESS_MISMATCH, and as the path info service refuses a put
 */
export async function storeNarInfo(
  bridge: Bridge,
  offered: OfferedNars | undefined,
  digest: Uint8Array,
  text: string,
  options: OperationOptions = {},
): Promise<"stored" | "pending"> {
  const narInfo = parseNarInfo(text);
  const { storePath, narHash } = narInfo;
  if (!equalBytes(storePath.digest, digest)) {
    throw new NarBridgeError("PATH_MISMATCH", `the narinfo is that of ${storePath}, which belongs elsewhere`);
  }
  await bridge.pathInfoService.checkPut?.(narInfo, options);
  const nar = (await bridge.narIndex.get(narHash)) ?? (await fetchOffered(offered, narHash));
  if (nar !== undefined) {
    await storeComplete(bridge, narInfo, nar, options);
    return "stored";
  }
  if (!(await bridge.pendingNarInfos.put({ digest, narHash, text }))) {
    const why = `the NAR ${narHash} of ${storePath} is not here: it has to be uploaded first`;
    throw new NarBridgeError("UNKNOWN_NAR", why);
  }
  // It may have come in between, and then did not find this.
  const arrived = await bridge.narIndex.get(narHash);
  if (arrived === undefined) return "pending";
  await storeComplete(bridge, narInfo, arrived, options);
  await bridge.pendingNarInfos.remove({ digest, narHash });
  return "stored";
}

/** NARs that may be fetched from elsewhere. */
export interface OfferedNars {
  /** @throws NarBridgeError when it was offered and cannot be had */
  nar(narHash: NixHash): Promise<KnownNar | undefined>;
}

/** One that cannot be had now may come later, or be uploaded. */
async function fetchOffered(
  offered: OfferedNars | undefined,
  narHash: NixHash,
): Promise<KnownNar | undefined> {
  try {
    return await offered?.nar(narHash);
  } catch (error) {
    if (!NarBridgeError.is(error)) throw error;
    return undefined;
  }
}

/** Stores the narinfos that have waited for a NAR. One that proves wrong now is dropped. */
export async function storePending(
  bridge: Bridge,
  narHash: NixHash,
  log: FastifyBaseLogger,
  { principal }: OperationOptions = {},
): Promise<void> {
  // Who has told of the path was looked at then; what has come since stays.
  const teller = principal && { name: "what came before its NAR", mayReplace: false, pathPrefix: undefined };
  const nar = await bridge.narIndex.get(narHash);
  for (const pending of await bridge.pendingNarInfos.of(narHash)) {
    try {
      if (nar !== undefined)
        await storeComplete(bridge, parseNarInfo(pending.text), nar, { principal: teller });
    } catch (error) {
      if (!NarBridgeError.is(error) && !StoreError.is(error)) throw error;
      log.warn({ err: error }, "a narinfo that waited for its NAR is refused");
    }
    await bridge.pendingNarInfos.remove(pending);
  }
}

/** Stores what a narinfo tells of a path whose NAR is known. */
async function storeComplete(
  bridge: Bridge,
  narInfo: NarInfo,
  nar: KnownNar,
  options: OperationOptions,
): Promise<void> {
  const { storePath, narSize } = narInfo;
  if (nar.narSize !== narSize) {
    const text = `NarSize of ${storePath} is ${narSize}, and the NAR has ${nar.narSize} bytes`;
    throw new NarBridgeError("INVALID_REQUEST", text);
  }
  await checkContentAddress(bridge, narInfo, nar.node, options);

  const known = await bridge.pathInfoService.get(storePath.digest, options);
  const info = pathInfoOf(narInfo, nar.node);
  const signatures = known === undefined ? info.signatures : unitedSignatures(info, known);
  await bridge.pathInfoService.put({ ...info, signatures }, options);
  await indexNar(bridge.narIndex, { ...info, ...nar });
  // Whoever may only add changes nothing that is there.
  if (known === undefined || options.principal?.mayReplace !== false) {
    const fields = extraFieldsOf(narInfo);
    await bridge.narInfoExtras.put(storePath.digest, info.narHash, { fields, plain: false });
  }
  if (bridge.compression === "zstd") bridge.lengthsAhead.begin(nar.node);
}

/** What a narinfo tells of contents. */
export function pathInfoOf(info: NarInfo, node: PathInfo["node"]): PathInfo {
  const { storePath, references, narSize, narHash, signatures, deriver, contentAddress } = info;
  return { storePath, node, references, narSize, narHash, signatures, deriver, contentAddress };
}
